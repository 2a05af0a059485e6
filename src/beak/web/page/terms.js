// The terms of a number: as windows of inputs, weights and products where they lie in one, as lines
// where they do not, and as a sum written out.

import { largestOf } from "./colour.js";
import { h, number, whole } from "./dom.js";
import { grid } from "./patterns.js";
import { link } from "./state.js";
import { world } from "./world.js";

const MOST_WINDOWS = 6;
const MOST_LINES = 24;
const MOST_WIDE = 7;

function rowsOf({ arrays, facts }) {
  const { source, index, inside, input, weight, product } = arrays;
  const axes = index.shape[1];
  return Array.from({ length: product.values.length }, (_, i) => {
    const name = facts.sources[source.values[i]].name;
    const shape = facts.sources[source.values[i]].shape;
    return { name, index: Array.from(index.values.slice(i * axes, i * axes + shape.length)), inside: inside.values[i],
      input: input.values[i], weight: weight.values[i], product: product.values[i] };
  });
}

const opens = (row) => (row.inside && row.name !== "input"
  ? { href: link({ layer: row.name, cell: row.index.join(",") }), title: `open ${row.name}[${row.index.join(", ")}]` } : null);

export function channels(told) {
  const rows = rowsOf(told);
  const window = told.facts.window;
  const size = window ? window[1] * (window[2] ?? 1) : 0;
  const grouped = size > 0 && rows.length % size === 0 && (window[2] ?? 1) <= MOST_WIDE && window[1] <= MOST_WIDE;
  return grouped ? windows(rows, window, size, told.facts) : lines(rows, told.facts);
}

function windows(rows, window, size, facts) {
  const groups = [];
  for (let i = 0; i < rows.length; i += size) groups.push(rows.slice(i, i + size));
  const total = (group) => group.reduce((sum, row) => sum + row.product, 0);
  const order = [...groups].sort((a, b) => Math.abs(total(b)) - Math.abs(total(a)));
  const shown = order.slice(0, MOST_WINDOWS);
  const largest = { input: largestOf(rows.map((r) => r.input)), weight: largestOf(rows.map((r) => r.weight)), product: largestOf(rows.map((r) => r.product)) };
  const rest = order.slice(MOST_WINDOWS);
  const [high, wide] = [window[1], window[2] ?? 1];
  const turned = world.network.kind === "sounds" && window.length > 2;
  const down = turned ? [wide, high] : window.length > 2 ? [high, wide] : [1, high];
  const part = (group, what) => grid(down[0], down[1], group.map((r) => r[what]), {
    largest: largest[what], label: what, open: what === "input" ? group.map(opens) : undefined,
    text: (v, i) => (what === "input" && !group[i].inside ? "·" : number(v)) });
  const pools = facts.how !== "sum" && facts.kind.includes("Pool");
  return [
    shown.map((group) => (turned ? rising(group, high, wide) : group)).map((group) => h("div", { class: "window-row" },
      groups.length > 1 ? h("span", { class: "which" }, `map ${group[0].index[0]}`) : null,
      part(group, "input"), pools ? null : [h("span", { class: "sign" }, "×"), part(group, "weight"), h("span", { class: "sign" }, "="), part(group, "product")],
      pools ? null : h("span", { class: "total" }, `sum ${number(total(group))}`))),
    rest.length ? h("details", {}, h("summary", {}, `${rest.length} more maps add ${number(rest.reduce((sum, g) => sum + total(g), 0))}`),
      h("ul", { class: "terms" }, rest.map((g) => h("li", {}, `map ${g[0].index[0]}: ${number(total(g))}`)))) : null,
  ];
}

// The rows of a window as its map lies: time to the right, pitch upward.
function rising(group, times, pitches) {
  return Array.from(group, (_, i) => group[(i % times) * pitches + pitches - 1 - Math.floor(i / times)]);
}

function lines(rows, facts) {
  const order = [...rows].filter((r) => r.inside).sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  const shown = order.slice(0, MOST_LINES);
  const rest = order.slice(MOST_LINES);
  const left = rest.reduce((sum, r) => sum + r.product, 0);
  return [h("ul", { class: "terms" }, shown.map((row) => {
    const open = opens(row);
    const name = `${row.name}[${row.index.join(", ")}]`;
    return h("li", {}, open ? h("a", open, name) : h("span", {}, name), ` ${number(row.input)} × ${number(row.weight)} = `, h("b", {}, number(row.product)));
  })), rest.length ? h("p", { class: "hint" }, `and ${whole(rest.length)} smaller ones, together ${number(left)}`) : null];
}

// "1.2 × 0.4 + … + bias 0.1 = 0.58, relu → 0.58"
export function sentence({ arrays, facts }) {
  const rows = rowsOf({ arrays, facts });
  if (facts.kind.startsWith("MaxPool") || facts.kind === "GlobalMaxPool") {
    const values = rows.filter((r) => r.inside).map((r) => number(r.input));
    return `the largest of ${values.slice(0, 16).join(", ")}${values.length > 16 ? " …" : ""} is ${number(facts.value)}`;
  }
  const written = rows.filter((r) => r.inside && r.product !== 0).slice(0, 9).map((r) => `${number(r.input)} × ${bracket(r.weight)}`);
  const left = rows.filter((r) => r.inside && r.product !== 0).length - written.length;
  if (left > 0) written.push(`${whole(left)} more`);
  for (const constant of facts.constants) written.push(`${constant.name} ${bracket(constant.value)}`);
  const step = facts.activation ? `; ${facts.activation.function} makes it ${number(facts.value)}` : "";
  return `${written.join(" + ") || "0"} = ${number(facts.sum)}${facts.function ? `, ${facts.function}: ${number(facts.before)}` : ""}${step}`;
}

const bracket = (value) => (value < 0 ? `(${number(value)})` : number(value));
