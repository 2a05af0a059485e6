// A sentence, typed.

import { h } from "./dom.js";
import { takeFiles } from "./files.js";

export function textEditor(give) {
  const area = h("textarea", { id: "sentence", rows: "5", maxlength: "20000", placeholder: "Type a sentence …", oninput: () => area.value.trim() && give(area.value) });
  const open = h("input", { type: "file", accept: ".txt,text/plain", id: "file", class: "hidden-file", onchange: () => open.files[0] && take(open.files[0]) });
  const take = async (file) => {
    area.value = (await file.text()).slice(0, 20000);
    if (area.value.trim()) give(area.value);
  };
  takeFiles(take);
  return {
    element: h("div", { class: "editor" }, h("label", { for: "sentence" }, "A sentence"), area, h("div", { class: "row" }, h("label", { class: "button", for: "file" }, "open"), open)),
  };
}
