// A Go board as it is drawn: its lines, its stones, the names of its points.

import { css, largestOf } from "./colour.js";
import { announce, h, number } from "./dom.js";

export const SIZE = 19;
const LETTERS = "ABCDEFGHJKLMNOPQRST";
const STARS = [3, 9, 15];
const CELL = 32; // pixels of the canvas between two lines
const EDGE = 26; // for the names of rows and columns
export const nameOf = (p) => (p === 361 ? "pass" : `${LETTERS[p % SIZE]}${SIZE - Math.floor(p / SIZE)}`);

export function grid(context, s, { wood, line }) {
  context.fillStyle = wood;
  context.fillRect(0, 0, s * SIZE, s * SIZE);
  lines(context, s, line);
}

function lines(context, s, line) {
  context.strokeStyle = line;
  context.lineWidth = 1;
  for (let i = 0; i < SIZE; i++) {
    const at = s * i + s / 2;
    context.beginPath();
    context.moveTo(at, s / 2); context.lineTo(at, s * SIZE - s / 2);
    context.moveTo(s / 2, at); context.lineTo(s * SIZE - s / 2, at);
    context.stroke();
  }
  const disc = discs(context, s);
  for (const y of STARS) for (const x of STARS) disc(y * SIZE + x, s / 8, line);
}

// A function that draws a disc on a point: filled, or a ring.
export const discs = (context, s) => (p, radius, fill, line) => {
  context.beginPath();
  context.arc(s * (p % SIZE) + s / 2, s * Math.floor(p / SIZE) + s / 2, radius, 0, 7);
  if (fill) { context.fillStyle = fill; context.fill(); }
  if (line) { context.strokeStyle = line; context.lineWidth = 3; context.stroke(); }
};

export function pointAt(canvas, event, edge = 0) {
  const box = canvas.getBoundingClientRect();
  const size = box.width - 2 * edge;
  const [x, y] = [event.clientX - box.left, event.clientY - box.top].map((d) => Math.floor(((d - edge) / size) * SIZE));
  return x >= 0 && y >= 0 && x < SIZE && y < SIZE ? y * SIZE + x : null;
}

// The position with what moved the answer on its points; ``answer``: the point that is asked about.
export function heatBoard(stones, values, answer) {
  const side = CELL * SIZE + 2 * EDGE;
  const canvas = h("canvas", { width: side, height: side, class: "heat-board", role: "img", "aria-label": spoken(values) });
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const [line, soft, mark] = ["--line", "--soft", "--mark"].map((name) => style.getPropertyValue(name).trim());
  const most = largestOf(values);
  context.font = "15px system-ui, sans-serif";
  context.fillStyle = soft;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let i = 0; i < SIZE; i++) {
    const at = EDGE + CELL * (i + 0.5);
    context.fillText(LETTERS[i], at, EDGE / 2);
    context.fillText(String(SIZE - i), EDGE / 2, at);
  }
  context.translate(EDGE, EDGE);
  context.fillStyle = css(0, most);
  context.fillRect(0, 0, CELL * SIZE, CELL * SIZE);
  values.forEach((value, p) => {
    context.fillStyle = css(value, most);
    context.fillRect(CELL * (p % SIZE), CELL * Math.floor(p / SIZE), CELL, CELL);
  });
  context.globalAlpha = 0.55;
  lines(context, CELL, soft || line);
  context.globalAlpha = 1;
  const disc = discs(context, CELL);
  stones.forEach((stone, p) => stone && disc(p, CELL * 0.29, stone > 0 ? "#111" : "#fff", stone > 0 ? "#fff" : "#111"));
  if (answer !== null && answer < 361) disc(answer, CELL * 0.42, null, mark);
  canvas.addEventListener("pointermove", (event) => {
    const p = pointAt(canvas, event, (EDGE * canvas.getBoundingClientRect().width) / side);
    announce(p === null ? "" : `${nameOf(p)} ${number(values[p])}`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", () => announce(""));
  return canvas;
}

function spoken(values) {
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]));
  return `The board; strongest: ${order.slice(0, 5).map((p) => `${nameOf(p)} ${number(values[p])}`).join(", ")}`;
}
