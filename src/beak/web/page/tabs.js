// What there is to see of a layer beside its maps; a row each: its title, where it fits, how it shows.

import { explain } from "./api.js";
import { largestOf, signed } from "./colour.js";
import { fill, h, number, whole } from "./dom.js";
import { figures, pattern } from "./patterns.js";
import { drawTwin } from "./twin.js";
import { unitsOf } from "./units.js";
import { colourOf, hasBoxes, isColour, world } from "./world.js";

const PAGE = 64;
const MOST_WORDS = 12;
const CONVOLUTIONS = ["Conv1D", "Conv2D"];

const part = ({ shape, values }, i) => {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return values.subarray ? values.subarray(i * size, (i + 1) * size) : values.slice(i * size, (i + 1) * size);
};

async function waiting(body, line, work) {
  fill(body, h("p", { class: "hint" }, line));
  try {
    const made = await work();
    if (body.isConnected) fill(body, made);
  } catch (error) {
    if (body.isConnected) fill(body, h("p", { class: "hint" }, error.message));
  }
}

async function filters(layer) {
  const told = await explain("filters", { layer: layer.name });
  const weight = told.arrays.weight ?? told.arrays.pattern;
  const most = largestOf(weight.values);
  const shown = Math.min(weight.shape[0], PAGE);
  const each = weight.shape.slice(1);
  const list = Array.from({ length: shown }, (_, i) => ({
    picture: pattern(each, part(weight, i), { colour: signed(most), size: 96, label: `filter ${i} of ${layer.name}` }),
    caption: told.arrays.bias ? `${i}, bias ${number(told.arrays.bias.values[i])}` : String(i),
  }));
  return [h("p", {}, told.caption, ` Orange adds, blue takes away; the strongest weight is ${number(most)}.`), figures(list), more(shown, weight.shape[0])];
}

const more = (shown, all) => (shown < all ? h("p", { class: "hint" }, `the first ${shown} of ${whole(all)}`) : null);

async function patches(layer) {
  const told = await explain("patches", { layer: layer.name, k: 9 });
  const patch = told.arrays[`${layer.name}.patch`];
  const value = told.arrays[`${layer.name}.value`];
  if (!patch) return h("p", {}, told.caption);
  const each = patch.shape.slice(2);
  const rows = Math.min(patch.shape[0], 32);
  const colour = colourOf("input", patch.values);
  const size = each.reduce((a, b) => a * b, 1);
  const words = told.facts.words;
  const list = Array.from({ length: rows }, (_, i) => {
    const own = part(patch, i);
    const many = Array.from({ length: patch.shape[1] }, (_, k) => own.subarray(k * size, (k + 1) * size));
    const shown = words ? many.map((own) => wording(own, words)) : many.map((values, k) => pattern(each, clean(values), {
      colour, rgb: isColour("input"), size: 52, label: `${layer.name}[${i}], place ${k + 1}` }));
    return { picture: h("div", { class: words ? "phrases" : "patches" }, shown), caption: `${i}: up to ${number(value.values[i * patch.shape[1]])}` };
  });
  return [h("p", {}, told.caption), figures(list), more(rows, patch.shape[0])];
}

// Word numbers as words: "…" beyond the text, "·" for what has no word of its own.
function wording(numbers, words) {
  const said = Array.from(numbers, (n) => (n <= 0 ? "…" : words[n] ?? "·"));
  return h("span", { class: "phrase" }, said.join(" "));
}

const clean = (values) => values.map((v) => (Number.isNaN(v) ? 0 : v));

export async function wanted(name, { units, l1 = 0, smooth = 0, size = 110 } = {}) {
  const steps = world.network.multiply_adds > 3e8 ? 20 : undefined;
  const told = await explain("looks-for", { layer: name, units, steps, l1: l1 || undefined, smooth: smooth || undefined });
  const { input, score, word } = told.arrays;
  const list = Array.from({ length: input.shape[0] }, (_, i) => ({
    picture: word ? wording(part(word, i).slice(0, MOST_WORDS), told.facts.words) : pattern(input.shape.slice(1), part(input, i), {
      size, rgb: isColour("input"), colour: colourOf("input", part(input, i)), label: `what ${name} ${i} looks for` }),
    caption: `${told.facts.labels?.[i] ?? told.arrays.unit.values[i]}: ${number(score.values[2 * i])} → ${number(score.values[2 * i + 1])}`,
  }));
  return [h("p", {}, told.caption), figures(list)];
}

function looks(body, layer) {
  const count = layer.output[0];
  // as many as take a few seconds, as few as one in a large network
  const many = Math.max(1, Math.min(count, 16, Math.floor(6e10 / (180 * world.network.multiply_adds))));
  const units = Array.from({ length: many }, (_, i) => i).join(",");
  const result = h("div");
  const show = (smooth, l1) => waiting(result, "climbing uphill …", () => wanted(layer.name, { units, smooth, l1 }));
  const choice = (title, smooth, l1) => h("button", { type: "button", onclick: () => show(smooth, l1) }, title);
  fill(body, h("p", { class: "choices" }, choice("plain", 0, 0), choice("calmer", 0.1, 0), choice("calm and sparse", 0.1, 0.5)),
    result, more(many, count));
  show(0, 0);
}

async function twin(layer) {
  const told = await explain("twin", { layer: layer.name });
  const { all, kept, shared } = told.facts.edges;
  const table = h("table", { class: "plain" }, h("tbody", {}, [["fully connected", all], ["edges that are kept", kept], ["weights that they share", shared]]
    .map(([line, count]) => h("tr", {}, h("th", { scope: "row" }, line), h("td", {}, whole(count))))));
  return [h("p", {}, told.caption), table, drawTwin(told), h("p", { class: "hint" }, "One row an output, one column an input; the same weight has the same colour wherever it stands.")];
}

const lazily = (line, work) => (body, layer) => waiting(body, line, () => work(layer));

export const TABS = {
  filters: { title: "filters", fits: (l) => l.parameters > 0, show: lazily("reading the weights …", filters) },
  patches: { title: "strongest patches", fits: (l) => CONVOLUTIONS.includes(l.kind), show: lazily("going through the examples …", patches) },
  looks: { title: "looks for", fits: (l) => [...CONVOLUTIONS, "Dense"].includes(l.kind) && !hasBoxes(), show: looks },
  units: { title: "alike and dead", fits: (l) => [...CONVOLUTIONS, "Dense"].includes(l.kind) && world.network.examples, show: lazily("leaving out one unit after the other …", unitsOf) },
  twin: { title: "twin", fits: (l) => CONVOLUTIONS.includes(l.kind), show: lazily("laying out the matrix …", twin) },
};

