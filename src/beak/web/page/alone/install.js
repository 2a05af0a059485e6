// The run that stands in this file answers in place of a server.

import { through } from "../api.js";
import { h } from "../dom.js";
import { Source } from "./source.js";

const run = JSON.parse(document.getElementById("run").textContent);
const source = new Source(run);
through((address, options) => source.ask(address, options));

const OWN = {
  pictures: "Pictures are decoded by the browser, which may differ from beak by a grey level in a JPEG.",
  sounds: "Sounds of another rate are brought to the network's by the browser, which beak does a little otherwise.",
  texts: "", go: "", numbers: "Rows of numbers cannot be given to it.",
};
const lacks = Object.keys(run.reasons).length ? "It was written without the run's examples, so that it knows no strongest patches and no dead units." : "Strongest patches and dead units were found when it was written.";
document.querySelector("main").append(h("p", { class: "hint", id: "alone", style: { margin: "0", padding: "1rem" } },
  `This file computes in itself: nothing that you give it leaves this page. ${lacks} ${OWN[run.spec.kind] ?? ""} Other runs, and what takes long, are for “beak look”.`));
