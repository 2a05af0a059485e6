// A convolution as a matrix: a pixel an edge, a colour a shared weight.

import { css } from "./colour.js";
import { h } from "./dom.js";

export function drawTwin({ facts, arrays }) {
  const [top, bottom] = facts.rows, [left, right] = facts.columns;
  const high = bottom - top, wide = right - left;
  const canvas = h("canvas", { width: wide, height: high, role: "img", class: "twin",
    "aria-label": `The matrix: ${high} outputs by ${wide} inputs` });
  const context = canvas.getContext("2d");
  const { row, column, value } = arrays;
  let most = 0;
  for (const v of value.values) most = Math.max(most, Math.abs(v));
  for (let i = 0; i < row.values.length; i++) {
    context.fillStyle = css(value.values[i], most);
    context.fillRect(column.values[i] - left, row.values[i] - top, 1, 1);
  }
  canvas.style.width = `${Math.max(wide, Math.min(wide * 4, 900))}px`;
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "The twin's matrix" }, canvas);
}
