// What stood there before, step by step: undo and redo, by two buttons and by the usual keys.

import { h } from "./dom.js";

const MOST = 50;

// `now()` tells what stands there, `put(it)` brings it back. `mark()` comes before each change.
export function past(now, put) {
  const before = [], after = [];
  const step = (from, to) => () => {
    if (!from.length) return;
    to.push(now());
    put(from.pop());
    show();
  };
  const [undo, redo] = [step(before, after), step(after, before)];
  const buttons = [["Undo", "↶", undo], ["Redo", "↷", redo]].map(([name, sign, work]) =>
    h("button", { type: "button", "aria-label": name, title: name, onclick: work }, sign));
  const show = () => [before, after].forEach((steps, i) => buttons[i].setAttribute("aria-disabled", String(!steps.length)));
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.closest?.("textarea, input, select")) return;
    const key = event.key.toLowerCase();
    const work = key === "y" || (key === "z" && event.shiftKey) ? redo : key === "z" ? undo : null;
    if (!work) return;
    event.preventDefault();
    work();
  });
  show();
  const mark = () => {
    before.push(now());
    if (before.length > MOST) before.shift();
    after.length = 0;
    show();
  };
  return { mark, buttons };
}
