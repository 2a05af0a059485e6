// Parts that several views have: tabs, and the button that closes a view.

import { h } from "./dom.js";
import { go } from "./state.js";

// Tabs {key: title}, one of which is chosen; arrow keys, Home and End go from one to the next.
export function tabList(titles, chosen, choose, label) {
  const keys = Object.keys(titles);
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: (event) => {
    const now = keys.indexOf(chosen);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: keys.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = list.children[(to + keys.length) % keys.length];
    next.focus();
    next.click();
  } }, keys.map((key) => h("button", { type: "button", role: "tab", tabindex: key === chosen ? "0" : "-1", "aria-selected": String(key === chosen), onclick: () => choose(key) }, titles[key])));
  return list;
}

export const closeButton = () => h("button", { type: "button", class: "close", onclick: () => go({}), "aria-label": "Close" }, "×");
