// The answers with their shares; each opens what moved it.

import { fill, h, percent } from "./dom.js";
import { go } from "./state.js";
import { world } from "./world.js";

const SHOWN = 10;

export function answersList() {
  const element = h("ol", { class: "bars" });
  return { element, refresh: () => refresh(element) };
}

function refresh(element) {
  const { answers } = world.maps;
  const labels = world.network.labels;
  const few = answers.length <= SHOWN;
  const order = answers.map((_, i) => i);
  if (!few) order.sort((a, b) => answers[b] - answers[a]);
  const shown = order.slice(0, SHOWN);
  const rows = [...element.children];
  if (rows.length === shown.length && few) {
    shown.forEach((answer, row) => update(rows[row], answers[answer], answer === world.maps.best));
    return;
  }
  fill(element, shown.map((answer) => bar(answer, labels[answer] ?? String(answer))));
  shown.forEach((answer, row) => update(element.children[row], answers[answer], answer === world.maps.best));
}

function bar(answer, label) {
  return h("li", {}, h("button", { type: "button", "data-label": label, title: `What moved “${label}”?`, onclick: () => go({ answer: label }) },
    h("span", { class: "label" }, label),
    h("span", { class: "rail" }, h("span", { class: "filled" })),
    h("span", { class: "share" })));
}

function update(row, share, best) {
  row.classList.toggle("best", best);
  row.querySelector(".filled").style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  row.querySelector(".share").textContent = percent(share);
  const button = row.firstChild;
  button.setAttribute("aria-label", `${button.dataset.label}, ${percent(share)}: what moved it?`);
}
