// A sentence, typed, pasted or from a file.

import { h, trouble } from "./dom.js";
import { opener, takeFiles } from "./files.js";

const LONGEST = 20000;

export function textEditor(give) {
  const area = h("textarea", { id: "sentence", rows: "5", maxlength: String(LONGEST), placeholder: "Type a sentence …", oninput: () => area.value.trim() && give(area.value) });
  const put = (words, note) => {
    area.value = words.slice(0, LONGEST);
    if (area.value.trim()) give(area.value, undefined, note);
  };
  const take = async (file, note) => {
    const words = await file.text();
    if (/[\0\ufffd]/.test(words.slice(0, LONGEST))) return trouble(`${file.name} is not a text in UTF-8`);
    put(words, note);
  };
  takeFiles(take, put);
  return {
    element: h("div", { class: "editor" }, h("label", { for: "sentence" }, "A sentence"), area, h("div", { class: "row" }, opener(".txt,text/plain", take))),
    show: (maps, again) => { if (again) area.value = ""; }, // what is looked at is not what was typed
  };
}
