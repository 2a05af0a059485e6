// What pooling forgives: the input shifted by a step, and how far each layer moves.

import { explain } from "./api.js";
import { fill, h, number, percent } from "./dom.js";
import { closeButton, tabList } from "./parts.js";
import { go, link } from "./state.js";
import { world } from "./world.js";

const STEPS = [1, 2, 3];

export async function showShift(section, { shift = "1" }) {
  const body = h("div", { class: "tab-body" }, h("p", { class: "hint" }, "shifting …"));
  fill(section, h("div", { class: "heading" }, h("h2", {}, "What a shift changes", " ", h("small", {}, "and what pooling forgives")),
    closeButton(),
    h("p", {}, "The input is moved a little each way; the bars say how far each layer's numbers move with it, as a share of their size. Pooling keeps the largest number of a window wherever in it that stood, so the bars get shorter behind it.")),
  tabList(Object.fromEntries(STEPS.map((step) => [step, `by ${step}`])), shift, (step) => go({ view: "shift", shift: step }), "How far it is shifted"), body);
  const input = world.maps.input;
  const told = await explain("forgives", { input, shift });
  if (input !== world.maps.input || !body.isConnected) return;
  fill(body, h("p", {}, told.caption), bars(told.facts.layers), ways(told));
}

function bars(layers) {
  const most = Math.max(...layers.map((layer) => layer.change).filter(Number.isFinite), 1e-9);
  return h("table", { class: "plain shifts" }, h("tbody", {}, layers.map(({ name, kind, change }) => h("tr", { class: kind.includes("Pool") ? "pooling" : undefined },
    h("th", { scope: "row" }, h("a", { href: link({ layer: name }) }, name)),
    h("td", { class: "bar" }, h("span", { class: "rail" }, h("span", { class: "filled", style: { width: `${(100 * change) / most}%` } }))),
    h("td", {}, Number.isFinite(change) ? percent(change) : "from 0")))));
}

function ways({ facts, arrays }) {
  const labels = world.network.labels;
  const count = labels.length;
  const each = facts.ways.map((way, i) => {
    const answers = Array.from(arrays.answers.values.slice((i + 1) * count, (i + 2) * count));
    const best = answers.indexOf(Math.max(...answers));
    return h("tr", {}, h("th", { scope: "row" }, way), h("td", {}, labels[best] ?? number(best)), h("td", {}, percent(answers[best])));
  });
  return h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["shifted", "it answers", "sure"].map((word) => h("th", { scope: "col" }, word)))), h("tbody", {}, each));
}
