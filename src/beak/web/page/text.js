// A sentence, typed.

import { h } from "./dom.js";

export function textEditor(give) {
  const area = h("textarea", { id: "sentence", rows: "5", maxlength: "20000", placeholder: "Type a sentence …", oninput: () => area.value.trim() && give(area.value) });
  const open = h("input", { type: "file", accept: ".txt,text/plain", id: "file", class: "hidden-file", onchange: async () => {
    area.value = (await open.files[0].text()).slice(0, 20000);
    give(area.value);
  } });
  return {
    element: h("div", { class: "editor" }, h("label", { for: "sentence" }, "A sentence"), area, h("div", { class: "row" }, h("label", { class: "button", for: "file" }, "open"), open)),
  };
}
