// The steps that need no network: the 6 x 6 picture, its filters, their sums.

import { css, ink } from "./colour.js";
import { fill, h, number } from "./dom.js";
import { grid } from "./patterns.js";
import { convolved, DIAGONAL, matrix, PICTURE, pooled, sumAt, UPRIGHT, windowAt } from "./six.js";

const text = (value) => String(value).replace("-", "−");
const small = (rows, label, largest = 4) => {
  const table = grid(rows.length, rows[0].length, rows.flat(), { largest, label, text });
  table.classList.add("small");
  return table;
};
const named = (caption, ...content) => h("figure", {}, content, h("figcaption", {}, caption));

// A sign that stays with what it stands before.
const behind = (sign, element) => h("div", { class: "behind" }, h("span", { class: "sign" }, sign), element);

function lit(table, columns, y, x, high, wide) {
  [...table.querySelectorAll("td")].forEach((cell, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    cell.classList.toggle("lit", row >= y && row < y + high && column >= x && column < x + wide);
  });
}

// Four buttons that move a window over so many places a side; `show(row, column)` is told where it is.
function mover(side, show) {
  let [row, column] = [0, 0];
  const move = (y, x) => { row = (y + side) % side; column = (x + side) % side; show(row, column); };
  const go = (word, sign, dy, dx) => h("button", { type: "button", onclick: () => move(row + dy, column + dx), "aria-label": `Window ${word}` }, sign);
  show(0, 0);
  return { move, element: h("p", { class: "choices" }, go("left", "←", 0, -1), go("up", "↑", -1, 0), go("down", "↓", 1, 0), go("right", "→", 0, 1)) };
}

// A picture, a filter and its map; hovering or buttons move the window.
function explorer(place, { filter, stride = 1, name = "filter 1" }) {
  const map = convolved(PICTURE, filter, stride);
  const side = map.length;
  const picture = small(PICTURE, "the picture", 2);
  const answer = small(map, "the map");
  const line = h("p", { class: "result", "aria-live": "polite" });
  const { move, element } = mover(side, (row, column) => {
    lit(picture, 6, row * stride, column * stride, 3, 3);
    lit(answer, side, row, column, 1, 1);
    const window = windowAt(PICTURE, row * stride, column * stride).flat();
    const terms = filter.flat().map((w, i) => `${window[i]}×${w < 0 ? `(${text(w)})` : w}`);
    line.textContent = `${terms.join(" + ")} = ${text(sumAt(PICTURE, filter, row * stride, column * stride))}`;
  });
  [...answer.querySelectorAll("td")].forEach((cell, i) => cell.addEventListener("pointerenter", () => move(Math.floor(i / side), i % side)));
  [...picture.querySelectorAll("td")].forEach((cell, i) => cell.addEventListener("pointerenter", () =>
    move(Math.min(side - 1, Math.floor(Math.floor(i / 6) / stride)), Math.min(side - 1, Math.floor((i % 6) / stride)))));
  fill(place, h("div", { class: "flow" }, named("the picture, 6 × 6", picture), behind("∗", named(name, small(filter, name, 2))),
    behind("=", named(`its map, ${side} × ${side}`, answer))), element, line);
}

export const filterStep = (place) => explorer(place, { filter: DIAGONAL });

export function strideStep(place) {
  const body = h("div");
  const buttons = [1, 2].map((stride) => h("button", { type: "button", onclick: () => show(stride) }, `stride ${stride}`));
  const show = (stride) => {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i + 1 === stride)));
    explorer(body, { filter: DIAGONAL, stride });
  };
  fill(place, h("p", { class: "choices" }, buttons), body);
  show(2);
}

export function severalStep(place) {
  fill(place, [["filter 1", DIAGONAL], ["filter 2", UPRIGHT]].map(([name, filter]) => {
    const body = h("div");
    explorer(body, { filter, name });
    return body;
  }));
}

export function colourStep(place) {
  const parts = [["red", PICTURE, DIAGONAL], ["green", PICTURE.map((r) => [...r].reverse()), UPRIGHT], ["blue", PICTURE.map((r) => r.map((v) => 1 - v)), UPRIGHT.map((r) => r.map((w) => -w))]];
  const sums = parts.map(([, picture, filter]) => sumAt(picture, filter, 0, 0));
  fill(place, parts.map(([name, picture, filter], i) => {
    const shown = small(picture, name, 2);
    lit(shown, 6, 0, 0, 3, 3);
    return h("div", { class: "flow" }, named(name, shown), behind("∗", named(`the filter, ${name}`, small(filter, name, 2))), h("span", { class: "total" }, `adds ${text(sums[i])}`));
  }), h("p", { class: "result" }, `${sums.map((s) => (s < 0 ? `(${text(s)})` : s)).join(" + ")} = ${text(sums.reduce((a, b) => a + b))}: one number of one map`));
}

export function twinStep(place) {
  const edges = matrix();
  const said = h("p", { class: "result", "aria-live": "polite" });
  const weights = DIAGONAL.flat();
  const cells = edges.map((row, y) => h("tr", { onpointerenter: () => tell(y) }, row.map((weight) => {
    const shade = weight === null ? 0 : (weight + 1) * (weight % 2 ? -1 : 1);
    return h("td", weight === null ? {} : { title: `weight ${weight + 1}: ${text(weights[weight])}`, style: { background: css(shade, 9), color: ink(shade, 9) } }, weight === null ? "" : String(weight + 1));
  })));
  const tell = (y) => {
    const inputs = edges[y].flatMap((weight, i) => (weight === null ? [] : [i + 1]));
    said.textContent = `output ${y + 1} looks at inputs ${inputs.join(", ")}`;
    cells.forEach((row, i) => row.classList.toggle("lit-row", i === y));
  };
  const which = h("input", { type: "range", min: "1", max: "16", value: "1", "aria-label": "Output", oninput: () => tell(Number(which.value) - 1) });
  fill(place, h("table", { class: "plain" }, h("tbody", {}, [["fully connected", 36 * 16], ["edges kept", edges.flat().filter((w) => w !== null).length], ["weights to learn", weights.length]].map(([line, count]) =>
    h("tr", {}, h("th", { scope: "row" }, line), h("td", {}, number(count)))))),
  h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "16 outputs by 36 inputs" }, h("table", { class: "numbers edges", "aria-label": "The matrix" }, h("tbody", {}, cells))), which, said);
  tell(0);
}

export function poolStep(place) {
  fill(place, [["filter 1", DIAGONAL], ["filter 2", UPRIGHT]].map(([name, filter]) => {
    const map = convolved(PICTURE, filter);
    const kept = pooled(map);
    const from = small(map, `${name}'s map`), to = small(kept, "pooled");
    const line = h("p", { class: "result", "aria-live": "polite" });
    const show = (y, x) => {
      lit(from, 4, 2 * y, 2 * x, 2, 2);
      lit(to, 2, y, x, 1, 1);
      line.textContent = `the largest of ${windowAt(map, 2 * y, 2 * x, 2).flat().map(text).join(", ")} is ${text(kept[y][x])}`;
    };
    const steps = mover(2, show);
    [...to.querySelectorAll("td")].forEach((cell, i) => cell.addEventListener("pointerenter", () => steps.move(Math.floor(i / 2), i % 2)));
    [...from.querySelectorAll("td")].forEach((cell, i) => cell.addEventListener("pointerenter", () => steps.move(Math.floor(i / 8), Math.floor((i % 4) / 2))));
    return [h("div", { class: "flow" }, named(`${name}'s map`, from), behind("→", named("the largest of each 2 × 2", to))), steps.element, line];
  }));
}
