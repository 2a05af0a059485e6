// The guided walk: ten steps, one idea each, with back and on.

import { fill, h } from "./dom.js";
import { go, link } from "./state.js";
import { STEPS } from "./steps.js";

let shown = null;

export function showWalk(section, which) {
  section.hidden = !which;
  if (!which) { shown = null; return; }
  const number = Math.max(1, Math.min(STEPS.length, Number(which) || 1));
  if (shown === number) return;
  shown = number;
  const step = STEPS[number - 1];
  const play = h("div", { class: "play" });
  fill(section,
    h("ol", { class: "progress", "aria-label": "Steps" }, STEPS.map((one, i) => h("li", {}, h("a", {
      href: link({ walk: i + 1 }), title: one.title, "aria-current": i + 1 === number ? "step" : undefined }, String(i + 1))))),
    h("h2", { id: "walk-title" }, step.title),
    step.lead.map((line) => h("p", { class: "lead" }, line)),
    play,
    h("div", { class: "walk-foot" },
      h("button", { type: "button", "aria-describedby": "walk-title", onclick: () => go(number > 1 ? { walk: number - 1 } : {}) }, number > 1 ? "← back" : "← to the network"),
      h("button", { type: "button", "aria-describedby": "walk-title", onclick: () => go(number < STEPS.length ? { walk: number + 1 } : {}) }, number < STEPS.length ? "on →" : "to your network →")));
  step.play(play);
  scrollTo({ top: 0 });
}
