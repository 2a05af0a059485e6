// Begin: fetch the network, draw it, look at a first input, then follow the address.

import * as api from "./api.js";
import { showCell } from "./cell.js";
import { at, sizes, trouble, whole } from "./dom.js";
import * as inputs from "./inputs.js";
import { refreshLayer, showLayer } from "./layer.js";
import { showMoved } from "./moved.js";
import * as overview from "./overview.js";
import { amend, go, listen, place } from "./state.js";
import { theme } from "./colour.js";
import { meet, world } from "./world.js";
import { showWalk } from "./walk.js";

async function begin() {
  themed();
  meet(await api.network());
  const { name, network } = { name: world.network.name, network: world.network };
  document.title = `${name} – beak look`;
  at("title").textContent = name;
  const good = network.test?.accuracy ? ` · ${(100 * network.test.accuracy).toFixed(1)} % right on its test part` : "";
  at("counts").textContent = `${sizes(network.input)} in, ${whole(network.labels.length)} answers, ${whole(network.parameters)} weights, ${whole(network.multiply_adds)} multiply-adds${good}`;
  overview.build(at("network"));
  inputs.build(at("own"), seen);
  at("to-walk").addEventListener("click", () => go({ walk: 1 }));
  listen(follow);
  await first();
  if (world.network.examples) inputs.offerExamples();
  follow(place());
}

async function first() {
  const { input } = place();
  if (input) await inputs.again(input);
  if (!world.maps) {
    await inputs.again("nothing"); // at once: large sets of examples take seconds to open
    if (world.network.examples) await inputs.again("example-0");
  }
  trouble("");
}

// A new input's maps: every layer follows, and so does what is open.
function seen(maps) {
  const before = world.maps;
  world.maps = maps;
  amend({ input: maps.input });
  overview.refresh();
  const where = place();
  if (!before) return;
  if (where.cell || where.answer) follow(where, false);
  else refreshLayer();
  document.documentElement.dataset.seen = String(Number(document.documentElement.dataset.seen ?? 0) + 1);
}

let asked = 0;
async function follow(where, scroll = true) {
  const mine = ++asked;
  const section = at("detail");
  const view = where.cell ? showCell : where.answer ? showMoved : where.layer ? showLayer : null;
  showWalk(at("walk"), where.walk);
  at("stage").hidden = Boolean(where.walk);
  section.hidden = !view || Boolean(where.walk);
  overview.choose(where.layer);
  if (where.input && world.maps && where.input !== world.maps.input && scroll) inputs.again(where.input);
  if (!view || !world.maps) return;
  try {
    await view(section, where);
    trouble("");
  } catch (error) {
    if (mine === asked) trouble(error.message);
  }
  if (scroll && mine === asked) section.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function themed() {
  const kept = localStorage.getItem("beak-theme");
  if (kept) document.documentElement.dataset.theme = kept;
  at("theme").addEventListener("click", () => {
    const next = theme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("beak-theme", next);
    overview.refresh();
    follow(place(), false);
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (place().layer || place().answer || place().walk)) go({});
  });
}

begin().catch((error) => trouble(error.message));
