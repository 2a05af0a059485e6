// The page in a frame of a notebook: first what answers, then the page as it is served.

import "./framed.js";
import "../main.js";
