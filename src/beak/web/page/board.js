// A Go board: set stones, or open a record and step through it.

import { announce, h, number, percent } from "./dom.js";
import { takeFiles } from "./files.js";
import { SIZE, discs, grid, nameOf, pointAt } from "./stones.js";
import { world } from "./world.js";

const STEP = 14, SIDE = SIZE * STEP;
const sgfOf = (p) => String.fromCharCode(97 + (p % SIZE)) + String.fromCharCode(97 + Math.floor(p / SIZE));

export function boardEditor(give) {
  const canvas = h("canvas", { width: SIDE * 2, height: SIDE * 2, class: "board", tabindex: "0", role: "application",
    "aria-label": "Go board: arrow keys move, Enter sets a stone or takes it away" });
  const context = canvas.getContext("2d");
  const file = h("input", { type: "file", accept: ".sgf", id: "file", class: "hidden-file", onchange: () => file.files[0] && open(file.files[0]) });
  const move = h("input", { type: "range", min: "0", max: "0", value: "0", "aria-label": "Move", disabled: true, oninput: () => give(record, Number(move.value)) });
  const told = h("p", { class: "hint" });
  let record = null, stones = new Array(361).fill(0), black = true, cursor = 180, last = null, next = null;

  function set(point) {
    stones = [...stones];
    stones[point] = stones[point] ? 0 : black ? 1 : -1;
    if (stones[point]) black = !black;
    send();
  }
  function send() {
    const all = (colour) => stones.map((s, p) => (s === colour ? `[${sgfOf(p)}]` : "")).join("");
    const [b, w] = [all(1), all(-1)];
    record = null;
    move.disabled = true;
    // who is to move is told by a pass of the other
    give(`(;GM[1]SZ[19]${b ? `AB${b}` : ""}${w ? `AW${w}` : ""};${black ? "W" : "B"}[])`);
  }
  async function open(blob) {
    record = blob;
    give(blob, 0);
  }
  function draw(chances) {
    const s = STEP * 2;
    grid(context, s, { wood: "#d9b26a", line: "#5b431d" });
    const disc = discs(context, s);
    const most = chances ? Math.max(...chances.slice(0, 361)) : 0;
    chances?.slice(0, 361).forEach((share, p) => { if (share > 0.01 && !stones[p]) disc(p, 4 + (10 * share) / most, "rgb(28 105 178 / 80%)"); });
    stones.forEach((stone, p) => stone && disc(p, s / 2 - 1.5, stone > 0 ? "#111" : "#f7f5ef", stone > 0 ? null : "#777"));
    if (last !== null && last < 361) disc(last, 5, null, "#e88524");
    if (document.activeElement === canvas) disc(cursor, s / 2 - 3, null, "#e88524");
  }
  const point = (event) => pointAt(canvas, event);
  canvas.addEventListener("click", (event) => { const p = point(event); if (p !== null) set(p); });
  canvas.addEventListener("pointermove", (event) => {
    const p = point(event);
    if (p !== null && world.maps) announce(`${nameOf(p)} ${percent(world.maps.answers[p] ?? 0)}`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => announce(""));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIZE, ArrowDown: SIZE }[event.key];
    if (event.key === "Enter" || event.key === " ") set(cursor);
    else if (step) {
      cursor = (cursor + step + 361) % 361;
      announce(nameOf(cursor), canvas.getBoundingClientRect().right, canvas.getBoundingClientRect().top);
    } else return;
    event.preventDefault();
    draw(world.maps?.answers);
  });
  const by = (step) => { if (!move.disabled) { move.value = String(Number(move.value) + step); give(record, Number(move.value)); } };
  draw();
  takeFiles(open);
  return {
    element: h("div", { class: "editor" }, canvas, h("div", { class: "row" },
      h("button", { type: "button", onclick: () => { stones.fill(0); black = true; last = next = null; send(); } }, "clear"),
      h("label", { class: "button", for: "file" }, "open SGF"), file,
      h("button", { type: "button", onclick: () => by(-1), "aria-label": "One move back" }, "‹"), h("button", { type: "button", onclick: () => by(1), "aria-label": "One move on" }, "›")), move, told),
    show: ({ about, answers }) => {
      if (about.stones) {
        ({ stones, black, last, next } = about);
        if (record) { move.max = String(about.moves); move.value = String(about.move); move.disabled = false; }
        const chance = next === null ? "" : `; played ${nameOf(next)}, ${percent(answers[next] ?? 0)}`;
        told.textContent = record ? `after move ${number(about.move)} of ${number(about.moves)}${chance}` : `${black ? "Black" : "White"} to move; blue: where it would play`;
      }
      draw(about.stones ? answers : null);
    },
  };
}
