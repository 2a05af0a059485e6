// How alike, how dead: units that never answer, filters that are copies, and how much each would
// be missed.

import { explain } from "./api.js";
import { signed } from "./colour.js";
import { fill, h, number, percent, whole } from "./dom.js";
import { packed } from "./geometry.js";
import { Mosaic } from "./mosaic.js";
import { closeButton } from "./parts.js";
import { go, link } from "./state.js";

const SHOWN = 64;

// All layers in a table; each opens its own units.
export async function showUnits(section) {
  const body = h("div", { class: "tab-body" }, h("p", { class: "hint" }, "going through the examples …"));
  fill(section, h("div", { class: "heading" }, h("h2", {}, "Dead or alike"),
    closeButton(),
    h("p", {}, "A dead unit never answers, whatever comes; filters that are alike do one another's work. A layer's name opens its units and tells how much each would be missed.")), body);
  const told = await explain("alike", {});
  if (!body.isConnected) return;
  const head = ["layer", "units", "dead", "pairs alike", "above zero", "at its ends"];
  fill(body, h("p", {}, told.caption), h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Layers and their units" }, h("table", { class: "plain many" },
    h("thead", {}, h("tr", {}, head.map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, told.facts.layers.map((row) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: link({ layer: row.layer, tab: "units" }) }, row.layer)),
      h("td", {}, whole(row.units)), h("td", { class: row.dead.length ? "bad" : undefined }, whole(row.dead.length)),
      h("td", { class: row.alike.length ? "bad" : undefined }, whole(row.alike.length)), h("td", {}, percent(row.active)),
      h("td", {}, row.saturated === undefined ? "–" : percent(row.saturated))))))),
  h("p", { class: "hint" }, "“Above zero”: how much of its numbers, over all examples. “At its ends”: numbers where a sigmoid or tanh is flat."));
}

// One layer's units: a tab of it.
export async function unitsOf(layer) {
  const told = await explain("alike", { layer: layer.name });
  const [row] = told.facts.layers;
  const of = (name) => told.arrays[`${layer.name}.${name}`]?.values;
  const without = told.facts.accuracy === undefined ? null : of("without");
  const dead = new Set(row.dead);
  const twins = new Map();
  for (const [a, b] of row.alike) for (const [one, other] of [[a, b], [b, a]]) twins.set(one, [...(twins.get(one) ?? []), other]);
  const order = Array.from({ length: row.units }, (_, i) => i);
  if (without) order.sort((a, b) => without[a] - without[b]);
  const head = ["unit", "above zero", "its largest", "spread", ...(of("saturated") ? ["at its ends"] : []), ...(without ? ["right without it"] : []), ""];
  const body = order.slice(0, SHOWN).map((unit) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: link({ layer: layer.name, map: layer.output.length === 3 ? unit : undefined }) }, String(unit))),
    h("td", {}, percent(of("active")[unit])), h("td", {}, number(of("largest")[unit])), h("td", {}, number(of("spread")[unit])),
    of("saturated") ? h("td", {}, percent(of("saturated")[unit])) : null,
    without ? h("td", {}, `${percent(without[unit])}${change(without[unit] - told.facts.accuracy)}`) : null,
    h("td", { class: "said" }, [dead.has(unit) ? "dead" : null, twins.has(unit) ? `like ${twins.get(unit).slice(0, 4).join(", ")}` : null].filter(Boolean).join("; "))));
  const line = without
    ? `${percent(told.facts.accuracy)} of ${whole(told.facts.examples)} examples are right with all units; first come those that would be missed most.`
    : "How much each unit would be missed is left out: it would take too long here (beak explain RUN SOURCE --what alike does it).";
  return [h("p", {}, told.caption), h("p", {}, line),
    h("div", { class: "flow start" }, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Units" }, h("table", { class: "plain many" }, h("thead", {}, h("tr", {}, head.map((word) => h("th", { scope: "col" }, word)))), h("tbody", {}, body))),
      likeness(layer, told.arrays[`${layer.name}.likeness`])),
    row.units > SHOWN ? h("p", { class: "hint" }, `the first ${SHOWN} of ${whole(row.units)}`) : null];
}

const change = (by) => (Math.abs(by) < 0.0005 ? "" : ` (${by > 0 ? "+" : "−"}${(100 * Math.abs(by)).toFixed(1)})`);

function likeness(layer, { shape, values }) {
  const { zoom } = packed(1, shape[0], shape[1], 320, 320, 12);
  const mosaic = new Mosaic(shape, { zoom: Math.max(zoom, 0.5), name: "likeness", label: `How alike the weights of ${layer.name} are`, choose: ({ index: [unit] }) => layer.output.length === 3 && go({ layer: layer.name, map: unit }) });
  mosaic.draw(values, signed(1));
  return h("figure", {}, mosaic.element, h("figcaption", {}, "unit beside unit: orange alike (1), blue opposite (−1)"));
}
