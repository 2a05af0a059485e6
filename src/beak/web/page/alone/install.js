// The run that stands in this file answers in place of a server.

import { through } from "../api.js";
import { Source } from "./source.js";

const source = new Source(JSON.parse(document.getElementById("run").textContent));
through((address, options) => source.ask(address, options));
