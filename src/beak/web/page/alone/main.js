// The page in a file of its own: first what answers, then the page as it is served.

import "./install.js";
import "../main.js";
