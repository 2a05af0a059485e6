// Begin: fetch the network, draw it, look at a first input, then follow the address.

import * as api from "./api.js";
import { hideBeside, showBeside } from "./beside.js";
import { showCell } from "./cell.js";
import { at, sizes, trouble, whole } from "./dom.js";
import { enter, kept, leave } from "./focus.js";
import * as inputs from "./inputs.js";
import { refreshLayer, showLayer } from "./layer.js";
import { showMoved } from "./moved.js";
import * as overview from "./overview.js";
import { showShift } from "./shift.js";
import { amend, go, listen, place } from "./state.js";
import { theme } from "./colour.js";
import { showUnits } from "./units.js";
import { meet, world } from "./world.js";
import { showWalk } from "./walk.js";

const VIEWS = { shift: showShift, units: showUnits };

async function begin() {
  themed();
  api.choose(place().run);
  meet(await api.network());
  const { network } = world;
  const name = network.others[network.run] ?? network.name;
  document.title = `${name} – beak look`;
  at("title").textContent = name;
  const good = network.test?.accuracy ? ` · ${(100 * network.test.accuracy).toFixed(1)} % right on its test part` : "";
  at("counts").textContent = `${sizes(network.input)} in, ${whole(network.labels.length)} answers, ${whole(network.parameters)} weights, ${whole(network.multiply_adds)} multiply-adds${good}`;
  overview.build(at("network"));
  inputs.build(at("own"), seen);
  ways();
  addEventListener("resize", laid);
  listen((where) => follow(where));
  await first();
  if (network.examples) await inputs.offerExamples(place().input === "nothing");
  follow(place(), "begun"); // the keyboard stays where it is
}

function laid() {
  overview.resized(at("network"));
  overview.choose(place().layer);
}

// The views of the whole network, from the header.
function ways() {
  const { others, kind, examples, run } = world.network;
  const [other] = Object.keys(others).filter((name) => name !== run);
  at("to-beside").addEventListener("click", () => go({ beside: other === undefined ? `input:${world.maps.input}` : `run:${other}` }));
  at("to-shift").addEventListener("click", () => go({ view: "shift" }));
  at("to-units").addEventListener("click", () => go({ view: "units" }));
  at("to-walk").addEventListener("click", () => go({ walk: 1 }));
  at("to-shift").hidden = kind === "numbers";
  at("to-units").hidden = !(world.network.units ?? examples);
}

async function first() {
  const { input } = place();
  if (input) await inputs.again(input);
  if (!world.maps) await inputs.again("nothing");
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
  if (where.beside) besides(where);
  if (where.cell || where.answer || where.view === "shift") follow(where, false);
  else refreshLayer();
  document.documentElement.dataset.seen = String(Number(document.documentElement.dataset.seen ?? 0) + 1);
}

async function besides(where) {
  const keep = kept(at("beside"));
  try {
    await showBeside(at("beside"), where);
    keep();
  } catch (error) {
    trouble(error.message);
  }
}

let asked = 0;
async function follow(where, scroll = true) {
  if ((where.run ?? "") !== world.network.run) return location.reload();
  const mine = ++asked;
  const section = at("detail");
  const view = where.cell ? showCell : where.answer ? showMoved : where.layer ? showLayer : VIEWS[where.view] ?? null;
  const open = where.walk ? at("walk") : view ? section : where.beside ? at("beside") : null;
  const keep = kept(open ?? section);
  showWalk(at("walk"), where.walk);
  at("stage").hidden = Boolean(where.walk);
  at("network").hidden = Boolean(where.beside);
  at("beside").hidden = !where.beside;
  section.hidden = !view || Boolean(where.walk);
  overview.resized(at("network"));
  overview.choose(where.layer);
  const other = scroll && where.input && world.maps && where.input !== world.maps.input;
  if (other) inputs.again(where.input);
  if (!where.beside) hideBeside(at("beside"));
  keep();
  if (scroll === true) shifted(open);
  if (where.beside && world.maps && scroll && !other) besides(where);
  if (!view || !world.maps) return;
  try {
    const made = view(section, where);
    keep();
    await made;
    keep();
    trouble("");
  } catch (error) {
    if (mine === asked) trouble(error.message);
  }
  if (scroll && mine === asked) section.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

// The keyboard goes where the reader goes: into what opened, and back from what closed.
function shifted(open) {
  if (open) enter(open);
  else leave(at("network"));
}

// Where choices are kept; within another page there may be no such place.
function keeper() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function themed() {
  const kept = keeper()?.getItem("beak-theme");
  if (kept) document.documentElement.dataset.theme = kept;
  at("theme").addEventListener("click", () => {
    const next = theme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    keeper()?.setItem("beak-theme", next);
    overview.refresh();
    if (place().beside) besides(place());
    follow(place(), false);
  });
  addEventListener("keydown", (event) => {
    const { layer, answer, walk, view, beside, cell } = place();
    if (event.key !== "Escape") return;
    if (beside && (layer || cell)) go({ beside });
    else if (layer || answer || walk || view || beside) go({});
  });
}

begin().catch((error) => trouble(error.message));
