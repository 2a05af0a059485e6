// A Go board: set stones, or open a record and step through it.

import { announce, h, number, percent, trouble } from "./dom.js";
import { opener, takeFiles } from "./files.js";
import { past } from "./past.js";
import { SIZE, discs, grid, nameOf, pointAt } from "./stones.js";
import { world } from "./world.js";

const STEP = 14, SIDE = SIZE * STEP;
const sgfOf = (p) => String.fromCharCode(97 + (p % SIZE)) + String.fromCharCode(97 + Math.floor(p / SIZE));

export function boardEditor(give) {
  const canvas = h("canvas", { width: SIDE * 2, height: SIDE * 2, class: "board", tabindex: "0", role: "application",
    "aria-label": "Go board: arrow keys move, Enter sets a stone or takes it away" });
  const context = canvas.getContext("2d");
  const move = h("input", { type: "range", min: "0", max: "0", value: "0", "aria-label": "Move", disabled: true, oninput: () => step(Number(move.value)) });
  const told = h("p", { class: "hint" });
  // The record that one steps through, and the one that was given last: it may turn out not to be one.
  let record = null, given = null, stones = new Array(361).fill(0), black = true, cursor = 180, last = null, next = null;

  const history = past(() => ({ record, at: Number(move.value), stones, black }), (was) => {
    if (was.record) { given = was.record; give(given, was.at); return; }
    ({ stones, black } = was);
    send();
  });

  function set(point) {
    history.mark();
    stones = [...stones];
    stones[point] = stones[point] ? 0 : black ? 1 : -1;
    if (stones[point]) black = !black;
    send();
  }
  function send() {
    const all = (colour) => stones.map((s, p) => (s === colour ? `[${sgfOf(p)}]` : "")).join("");
    const [b, w] = [all(1), all(-1)];
    given = null;
    // who is to move is told by a pass of the other
    give(`(;GM[1]SZ[19]${b ? `AB${b}` : ""}${w ? `AW${w}` : ""};${black ? "W" : "B"}[])`);
  }
  async function open(blob, note) {
    if (blob.size && (await blob.text()).includes("\0")) return trouble(`${blob.name} is no game record (SGF)`);
    history.mark();
    given = blob;
    give(blob, 0, note);
  }
  const step = (at) => { given = record; give(record, at); };
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
  const by = (many) => {
    const to = Number(move.value) + many;
    if (!record || to < 0 || to > Number(move.max)) return;
    move.value = String(to);
    step(to);
  };
  const arrows = [["One move back", "‹", -1], ["One move on", "›", 1]].map(([name, sign, many]) =>
    h("button", { type: "button", onclick: () => by(many), "aria-label": name }, sign));
  function reachable() {
    move.disabled = !record;
    const at = Number(move.value);
    [at > 0, at < Number(move.max)].forEach((there, i) => arrows[i].setAttribute("aria-disabled", String(!record || !there)));
  }
  draw();
  reachable();
  takeFiles(open, open);
  return {
    element: h("div", { class: "editor" }, canvas, h("div", { class: "row" },
      h("button", { type: "button", onclick: () => { history.mark(); stones = stones.map(() => 0); black = true; last = next = null; send(); } }, "clear"), history.buttons,
      opener(".sgf", open, "open SGF"), arrows), move, told),
    show: ({ about, answers }, again) => {
      record = again ? null : given;
      reachable();
      if (about.stones) {
        ({ stones, black, last, next } = about);
        if (record) { move.max = String(about.moves); move.value = String(about.move); }
        reachable();
        const chance = next === null ? "" : `; played ${nameOf(next)}, ${percent(answers[next] ?? 0)}`;
        told.textContent = record ? `after move ${number(about.move)} of ${number(about.moves)}${chance}` : `${black ? "Black" : "White"} to move; blue: where it would play`;
      }
      draw(about.stones ? answers : null);
    },
  };
}
