// The whole network as a picture: the input, each layer's maps, the answers.

import { answersList } from "./answers.js";
import { arranged } from "./branches.js";
import { breaking, h, fill, sizes, whole } from "./dom.js";
import { packed } from "./geometry.js";
import { Mosaic } from "./mosaic.js";
import { go } from "./state.js";
import { measured } from "./room.js";
import { colourOf, isColour, lying, said, shapeOf, valuesOf, world } from "./world.js";

const MOST_MAPS = 64;
const open = new Set();
let drawn = [];
let answers = null;
let room = null; // for a layer

export function build(section) {
  drawn = [];
  room = measured(section, across());
  const strip = h("div", { class: room.all ? "strip all" : "strip", style: { "--each": `${room.each}px` }, tabindex: room.all ? undefined : "0", role: "group", "aria-label": "Layers, from the input to the answer" });
  strip.append(column("input", "input", inputLine(), [world.network.input]));
  let alone = [];
  const rest = () => { strip.append(...inOrder(alone)); alone = []; };
  for (const block of world.network.blocks) {
    if (block.layers.length === 1) { alone.push(block.layers[0]); continue; }
    rest();
    strip.append(open.has(block.name) ? unfolded(block, section) : folded(block, section));
  }
  rest();
  answers = answersList();
  strip.append(h("article", { class: "column answers" }, h("h2", {}, "answer"), answers.element));
  fill(section, strip);
  refresh();
}

// How many layers stand behind each other, the longest branch counted where there are several, and
// how often there is a frame around some.
function across() {
  const found = { columns: 1, frames: 0 };
  const count = (names) => arranged(names, world.layers).reduce((sum, one) => {
    if (typeof one === "string") return sum + 1;
    found.frames++;
    return sum + Math.max(...one.branches.map((branch) => branch.length));
  }, 0);
  let alone = [];
  const rest = () => { found.columns += count(alone); alone = []; };
  for (const block of world.network.blocks) {
    if (block.layers.length === 1) { alone.push(block.layers[0]); continue; }
    rest();
    if (open.has(block.name)) { found.columns += count(block.layers); found.frames++; } else found.columns++;
  }
  rest();
  return found;
}

// The window has another size: the layers are laid out anew where that gives them other room.
export function resized(section) {
  if (!section.clientWidth || !room) return;
  const now = measured(section, across());
  if (Object.keys(now).every((one) => now[one] === room[one])) return;
  const focused = section.contains(document.activeElement) ? focusables(section).indexOf(document.activeElement) : -1;
  build(section);
  if (focused >= 0) focusables(section)[focused]?.focus({ preventScroll: true });
}

const focusables = (section) => [...section.querySelectorAll("button, [tabindex]")];

function inputLine() {
  const { kind, preparation, input } = world.network;
  const planes = kind === "sounds" && input.length === 3;
  return preparation.split(";")[0] + (planes ? "; time to the right, pitch upward" : "");
}

// Layers one behind the other; branches one above the other, each with its share of the height.
function inOrder(names) {
  return arranged(names, world.layers).map((one) => (typeof one === "string" ? layerColumn(one)
    : h("div", { class: "branches", role: "group", "aria-label": `${one.branches.length} branches` }, one.branches.map((branch) => (branch.length
      ? h("div", { class: "strip inner" }, branch.map((name) => layerColumn(name, one.branches.filter((b) => b.length).length)))
      : h("p", { class: "straight" }, "straight on"))))));
}

function layerColumn(name, beside = 1) {
  const layer = world.layers.get(name);
  return column(name, name, said(layer), [layer.output], layer, beside);
}

function column(name, title, kind, [shape], layer, beside = 1) {
  const words = name === "input" && world.network.kind === "texts";
  const mosaic = words ? wordList() : made(name, shape, beside);
  return h("article", { class: layer?.kind === "Opaque" ? "column box" : "column", "data-layer": name },
    h("h2", {}, h("button", { type: "button", onclick: () => go({ layer: name }) }, breaking(title))),
    h("p", { class: "kind" }, kind, from(layer)),
    h("p", { class: "shape" }, sizes(shape)),
    mosaic.element,
    h("p", { class: "count" }, ...counted(layer, mosaic)));
}

// What a layer reads, where that is not simply the layer before it.
function from(layer) {
  if (!layer) return null;
  const i = world.network.layers.indexOf(layer);
  const before = i ? world.network.layers[i - 1].name : "input";
  const usual = layer.inputs.length === 1 && layer.inputs[0] === before;
  return usual ? null : [h("br"), "reads ", layer.inputs.flatMap((name, k) => [k ? ", " : "", ...breaking(name)])];
}

function counted(layer, mosaic) {
  const g = mosaic.g ?? lying(world.network.input);
  const some = mosaic.maps < g.maps && !mosaic.rgb ? `first ${mosaic.maps} of ${g.maps} maps` : null;
  if (!layer) return [some ? some : `${whole(g.shape.reduce((a, b) => a * b, 1))} numbers`];
  const [view] = layer.receptive_field.length ? [`sees ${layer.receptive_field.join("×")}`] : [""];
  return [
    layer.parameters ? h("b", {}, `${whole(layer.parameters)} weights`) : layer.kind === "Opaque" ? "not opened" : "no weights",
    view && h("br"), view, some && h("br"), some,
  ];
}

function made(name, shape, beside = 1) {
  const g = lying(shape);
  const rgb = isColour(name);
  const tiles = rgb ? 1 : Math.min(g.maps, MOST_MAPS);
  const { width, height } = room;
  const { columns, zoom } = packed(tiles, g.h, g.w, width, Math.max(80, height / beside));
  const mosaic = new Mosaic(shape, {
    columns, zoom, maps: tiles, name, colour: rgb ? "rgb" : "", label: `${name}, ${sizes(shape)}`,
    choose: ({ index }) => go(name === "input" ? { layer: name } : { layer: name, cell: index.join(",") }),
  });
  drawn.push([name, mosaic]);
  return mosaic;
}

// A text's words as they are read, in place of their numbers.
function wordList() {
  const element = h("ol", { class: "read" });
  drawn.push(["input", { draw: () => fill(element, world.maps.places.slice(0, 60).map((word) => h("li", {}, word))) }]);
  return { element };
}

function folded(block, section) {
  const last = block.layers.at(-1);
  const layer = world.layers.get(last);
  const weights = block.layers.reduce((sum, name) => sum + world.layers.get(name).parameters, 0);
  const boxes = block.layers.filter((name) => world.layers.get(name).kind === "Opaque").length;
  const mosaic = made(last, layer.output);
  return h("article", { class: "column folded", "data-layer": last },
    h("h2", {}, h("button", { type: "button", "data-block": block.name, "aria-expanded": "false", onclick: () => unfold(block, section) }, breaking(block.name))),
    h("p", { class: "kind" }, `${block.layers.length} layers, folded${boxes ? `, ${boxes} of them not opened` : ""}`),
    h("p", { class: "shape" }, sizes(shapeOf(last))),
    mosaic.element,
    h("p", { class: "count" }, h("b", {}, `${whole(weights)} weights`), h("br"), `maps of ${last}`));
}

function unfolded(block, section) {
  return h("div", { class: "block" },
    h("button", { type: "button", class: "fold", "data-block": block.name, "aria-expanded": "true", onclick: () => unfold(block, section) }, `fold ${block.name}`),
    h("div", { class: "strip inner" }, inOrder(block.layers)));
}

function unfold(block, section) {
  if (!open.delete(block.name)) open.add(block.name);
  const left = section.querySelector(".strip").scrollLeft;
  build(section);
  const strip = section.querySelector(".strip");
  strip.scrollLeft = left;
  strip.querySelector(`[data-block="${CSS.escape(block.name)}"]`)?.focus({ preventScroll: true });
}

// New numbers on the same canvases.
export function refresh() {
  if (!world.maps) return;
  for (const [name, mosaic] of drawn) {
    const values = valuesOf(name);
    if (values) mosaic.draw(values, colourOf(name, values));
  }
  answers?.refresh();
}

export function choose(name) {
  for (const element of document.querySelectorAll(".column")) {
    element.classList.toggle("chosen", element.dataset.layer === name);
  }
}
