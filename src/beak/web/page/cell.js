// One number: its window in the layer before, the filter beside it, the products, the sum.

import { explain } from "./api.js";
import { h, fill, number, sizes, whole } from "./dom.js";
import { packed, placeOf } from "./geometry.js";
import { Mosaic } from "./mosaic.js";
import { closeButton } from "./parts.js";
import { go, link } from "./state.js";
import { channels, sentence } from "./terms.js";
import { colourOf, isColour, lying, shapeOf, valuesOf, world } from "./world.js";

// Both maps and the products stand in one row from 1180 pixels on.
const ROOM = () => (innerWidth < 1500 ? 170 : 230);

export async function showCell(section, { layer: name, cell }) {
  const layer = world.layers.get(name);
  if (!layer) throw new Error(`the network has no layer “${name}”`);
  const input = world.maps.input;
  const told = await explain("cell", { layer: name, cell, input });
  if (input !== world.maps.input) return;
  const index = cell.split(",").map(Number);
  const opaque = told.facts.kind === "Opaque";
  const from = told.facts.sources.map((source, i) => before(told, source.name, i));
  fill(section, heading(name, index, told),
    h("div", { class: from.length > 1 ? "flow" : "flow cell" }, from, arrow(opaque ? "all of it" : "the window"), middle(told), arrow(opaque ? "what it gives" : "the sum"), here(name, index, told)),
    opaque ? null : h("p", { class: "sum" }, sentence(told)),
    opaque ? null : engines(told.facts));
}

// What the caption tells beside the formula, which stands above it.
function said({ facts, arrays }) {
  const read = arrays.inside.values.reduce((sum, inside) => sum + Boolean(inside), 0);
  const padding = arrays.inside.values.length - read;
  const from = facts.sources.map((source) => source.name).join(", ");
  if (facts.kind === "Opaque") return `It reads all of ${from}.`;
  const numbers = `Made of ${whole(read)} number${read === 1 ? "" : "s"} of ${from}`;
  return `${numbers}${padding ? ` (${whole(padding)} more lie in the padding)` : ""}${facts.activation ? `, then ${facts.activation.function}` : ""}.`;
}

function heading(name, index, told) {
  return h("div", { class: "heading" },
    h("h2", {}, h("button", { type: "button", class: "plain-link", onclick: () => go({ layer: name }) }, name), `[${index.join(", ")}] = ${number(told.facts.value)}`,
      " ", h("small", {}, told.facts.formula.replaceAll(" x ", " × "))),
    closeButton(),
    h("p", {}, said(told)),
    steps(name, index));
}

// The neighbours of a number, so that one walks over a map without the mouse.
function steps(name, index) {
  const shape = shapeOf(name);
  const words = { 3: ["map", "row", "column"], 2: ["row", "column"], 1: ["unit"] }[shape.length];
  return h("p", { class: "choices" }, words.map((word, axis) => [-1, 1].map((by) => {
    const next = index.with(axis, index[axis] + by);
    const there = next[axis] >= 0 && next[axis] < shape[axis];
    return there ? h("a", { class: "step", href: link({ layer: name, cell: next.join(",") }) }, `${by < 0 ? "←" : "→"} ${word} ${next[axis]}`) : null;
  })));
}

const arrow = (line) => h("div", { class: "arrow", "aria-hidden": "true" }, h("span", {}, line), "→");

// The map of the layer before with the window lit: the channel that says most.
function before(told, name, which) {
  const { index, inside, product, source, weight } = told.arrays;
  const shape = shapeOf(name);
  const axes = shape.length;
  const rows = [];
  for (let i = 0; i < product.values.length; i++) {
    if (inside.values[i] && source.values[i] === which) rows.push(i);
  }
  if (!rows.length) return told.facts.kind === "Opaque" ? allOf(name, told.facts.index) : null;
  const g = lying(shape);
  const placed = (i) => placeOf(g, Array.from(index.values.slice(i * axes, (i + 1) * axes)));
  const sums = new Map();
  for (const i of rows) {
    const { map } = placed(i);
    sums.set(map, (sums.get(map) ?? 0) + product.values[i]);
  }
  const map = [...sums].reduce((a, b) => (Math.abs(b[1]) > Math.abs(a[1]) ? b : a))[0];
  const rgb = isColour(name);
  const { zoom } = packed(1, g.h, g.w, ROOM(), 260, 24);
  const mosaic = new Mosaic(shape, { zoom, name, only: map, label: `${name}, map ${map}`,
    choose: ({ index: chosen }) => go(name === "input" ? { layer: name } : { layer: name, cell: chosen.join(",") }) });
  const values = valuesOf(name);
  const colour = colourOf(name, values);
  mosaic.draw(values, rgb ? (v) => colour(v, map) : colour);
  const own = rows.map(placed).filter((p) => p.map === map);
  const ys = own.map((p) => p.y), xs = own.map((p) => p.x);
  if (own.length < g.h * g.w) mosaic.mark(map, Math.min(...ys), Math.min(...xs), Math.max(...ys) + 1, Math.max(...xs) + 1, "window");
  const many = sums.size > 1 ? `map ${map}, which says most of ${sums.size}` : g.maps > 1 ? `map ${map}` : sizes(shape);
  return h("figure", {}, mosaic.element, h("figcaption", {}, name, h("br"), many));
}

// All that a box reads: nobody knows which numbers made this one.
function allOf(name, index) {
  const shape = shapeOf(name);
  const g = lying(shape);
  const map = g.maps > 1 && shape.length === index.length ? Math.min(index[0], g.maps - 1) : 0;
  const { zoom } = packed(1, g.h, g.w, ROOM(), 260, 24);
  const mosaic = new Mosaic(shape, { zoom, name, only: map, label: `${name}, map ${map}`,
    choose: ({ index: chosen }) => go(name === "input" ? { layer: name } : { layer: name, cell: chosen.join(",") }) });
  const values = valuesOf(name);
  const colour = colourOf(name, values);
  mosaic.draw(values, isColour(name) ? (v) => colour(v, map) : colour);
  return h("figure", {}, mosaic.element, h("figcaption", {}, name, h("br"), g.maps > 1 ? `map ${map} of ${g.maps}` : sizes(shape)));
}

function middle(told) {
  if (told.facts.kind === "Opaque") return h("div", { class: "products opaque" }, h("b", {}, told.facts.operator), h("p", {}, `${told.facts.by} computes it. beak does not open it: which of these numbers made this one, it cannot say.`));
  return h("div", { class: "products" }, channels(told));
}

function here(name, index, told) {
  const shape = shapeOf(name);
  const g = lying(shape);
  const { map, y, x } = placeOf(g, index);
  const { zoom } = packed(1, g.h, g.w, ROOM(), 230, 24);
  const mosaic = new Mosaic(shape, { zoom, name, only: map, label: `${name}, map ${map}`,
    choose: ({ index: chosen }) => go({ layer: name, cell: chosen.join(",") }) });
  const values = valuesOf(name);
  mosaic.draw(values, colourOf(name, values));
  mosaic.mark(map, y, x, y + 1, x + 1, "window");
  const goesOn = told.facts.pooled.map((one) => h("a", { class: "step", href: link({ layer: one.node, cell: one.index.join(",") }) },
    `${one.weight ? "wins in" : "under"} ${one.node}[${one.index.join(", ")}]`));
  return h("figure", {}, mosaic.element, h("figcaption", {}, `${name}, ${g.maps > 1 ? `map ${map}` : sizes(shape)}`, goesOn.length ? [h("br"), goesOn] : null));
}

function engines({ engine, fast, difference }) {
  const also = fast === undefined ? "it was computed in this page, number by number" : fast === null ? "when it only predicts, layers run as one and this number is never written" : `when it predicts, by a faster way, it has ${number(fast)}`;
  return h("p", { class: "hint" }, `The engine's own number is ${engine.toPrecision(7)}, ${Math.abs(difference).toExponential(1)} away from the sum above; ${also}.`);
}
