// Patterns as small pictures with a caption each: filters, patches, inputs found uphill.

import { css, ink, largestOf, signed } from "./colour.js";
import { h, number } from "./dom.js";
import { Mosaic } from "./mosaic.js";
import { lying } from "./world.js";

// One pattern of any shape; `values` are its own numbers.
export function pattern(shape, values, { size = 84, colour, label, rgb = false }) {
  const plain = shape.length === 3 ? shape : shape.length === 2 ? [1, ...shape] : shape.length ? [1, 1, shape[0]] : [1, 1, 1];
  const maps = rgb ? 1 : plain[0];
  const g = lying(plain);
  const columns = Math.ceil(Math.sqrt(maps));
  const zoom = Math.min(size / (columns * (g.w + 1)), size / (Math.ceil(maps / columns) * (g.h + 1)), 28);
  const mosaic = new Mosaic(plain, { columns, zoom, label, name: label, colour: rgb ? "rgb" : "" });
  mosaic.draw(values, colour ?? signed(largestOf(values)));
  mosaic.canvas.title = values.length <= 36 ? Array.from(values, number).join(", ") : label;
  return mosaic.element;
}

export function figures(list) {
  return h("div", { class: "figures" }, list.map(({ picture, caption }) =>
    h("figure", {}, picture, caption ? h("figcaption", {}, caption) : null)));
}

// Numbers in a grid, each on its colour: (rows, columns), marked cells open something.
export function grid(rows, columns, values, { largest, open, label, text = number }) {
  const most = largest ?? largestOf(values);
  const cells = Array.from(values, (value, i) => {
    const style = { background: css(value, most), color: ink(value, most) };
    if (!open?.[i]) return h("td", { style }, text(value, i));
    return h("td", { style }, h("a", { href: open[i].href, title: open[i].title, style: { color: "inherit" } }, text(value, i)));
  });
  const lines = Array.from({ length: rows }, (_, y) => h("tr", {}, cells.slice(y * columns, (y + 1) * columns)));
  return h("table", { class: "numbers", "aria-label": label }, h("tbody", {}, lines));
}
