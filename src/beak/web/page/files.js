// A file that is dropped anywhere on the page, pasted, or chosen; or a text, where one is wanted.

import { h, trouble } from "./dom.js";

const MOST_BYTES = 32 * 2 ** 20; // what beak takes

// `take(file, note)`, `text(words)`: what is done with them; without `text` none is taken.
export function takeFiles(take, text) {
  const typing = (event) => Boolean(event.target.closest?.("textarea, input"));
  const given = (event, data) => {
    const files = [...(data?.files ?? [])];
    if (!files.length && typing(event)) return; // it goes where one types
    event.preventDefault();
    if (folder(data)) return trouble("that is a folder; one file is wanted");
    if (files.length) return fits(files[0]) && take(files[0], files.length > 1 ? `${files.length} files came, this is ${files[0].name}` : undefined);
    const words = text && data?.getData("text/plain");
    if (words?.trim()) text(words);
  };
  addEventListener("dragover", (event) => { if (!typing(event) || event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
  addEventListener("drop", (event) => given(event, event.dataTransfer));
  addEventListener("paste", (event) => given(event, event.clipboardData));
}

const folder = (data) => [...(data?.items ?? [])].some((item) => item.kind === "file" && item.webkitGetAsEntry?.()?.isDirectory);

function fits({ name, size }) {
  if (size <= MOST_BYTES) return true;
  trouble(`${name} has ${Math.ceil(size / 2 ** 20)} MB; at most ${MOST_BYTES / 2 ** 20} are taken`);
  return false;
}

// A button that opens a file: its label and, behind it, the input.
export function opener(accept, take, title = "open") {
  const input = h("input", { type: "file", accept, id: "file", class: "hidden-file", onchange: () => {
    const [one] = input.files;
    if (one && fits(one)) take(one);
    input.value = ""; // so that the same file can be opened once more
  } });
  return [h("label", { class: "button", for: "file" }, title), input];
}
