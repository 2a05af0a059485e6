// All maps of a layer on one canvas, a pixel a number; hover, click and arrow keys find numbers.

import { paper } from "./colour.js";
import { announce, h, number } from "./dom.js";
import { flatOf, indexAt, steps } from "./geometry.js";
import { lying, world } from "./world.js";

export class Mosaic {
  constructor(shape, { columns, maps, zoom, colour, label, choose, name, only }) {
    this.g = lying(shape);
    this.first = only ?? 0;
    this.maps = colour === "rgb" ? 1 : Math.min(maps ?? this.g.maps, this.g.maps);
    if (only !== undefined) this.maps = 1;
    this.columns = Math.max(1, Math.min(columns ?? this.maps, this.maps));
    this.rgb = colour === "rgb";
    this.rows = Math.ceil(this.maps / this.columns);
    this.width = this.columns * (this.g.w + 1) - 1;
    this.height = this.rows * (this.g.h + 1) - 1;
    this.name = name;
    this.canvas = h("canvas", { width: this.width, height: this.height, role: "img", "aria-label": label });
    this.element = h("div", { class: "mosaic" }, this.canvas);
    this.element.style.width = `${Math.max(this.width * zoom, 6)}px`;
    this.element.style.aspectRatio = `${this.width} / ${this.height}`;
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(this.width, this.height);
    this.words = new Uint32Array(this.image.data.buffer);
    this.cursor = null;
    if (choose) this.listen(choose, label);
  }

  draw(values, colour) {
    const { h: high, w: wide } = this.g;
    const words = this.words;
    this.values = values;
    const plane = high * wide;
    const [corner, right, down] = steps(this.g);
    if (this.maps > 1) this.blank();
    for (let m = 0; m < this.maps; m++) {
      const left = (m % this.columns) * (wide + 1);
      const top = Math.floor(m / this.columns) * (high + 1);
      const begin = (m + this.first) * plane + corner;
      for (let y = 0; y < high; y++) {
        let to = (top + y) * this.width + left;
        for (let x = 0, from = begin + y * down; x < wide; x++, from += right, to++) {
          if (from >= values.length) continue;
          words[to] = this.rgb
            ? mixed(colour(values[from], 0), colour(values[from + plane], 1), colour(values[from + 2 * plane], 2))
            : colour(values[from]);
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  // Places of the last row that no map has are as the paper; between maps the canvas shows through.
  blank() {
    const none = paper();
    const used = this.maps - (this.rows - 1) * this.columns;
    for (let y = (this.rows - 1) * (this.g.h + 1); y < this.height; y++) {
      for (let x = used * (this.g.w + 1) - 1; x < this.width; x++) this.words[y * this.width + x] = none;
    }
  }

  // The number under the pointer: {index, value, map, y, x}, or null on a gap.
  pick(event) {
    const box = this.canvas.getBoundingClientRect();
    const px = Math.floor(((event.clientX - box.left) / box.width) * this.width);
    const py = Math.floor(((event.clientY - box.top) / box.height) * this.height);
    return this.cell(px, py);
  }

  cell(px, py) {
    const { h: high, w: wide } = this.g;
    const column = Math.floor(px / (wide + 1)), row = Math.floor(py / (high + 1));
    const x = px - column * (wide + 1), y = py - row * (high + 1);
    const map = row * this.columns + column;
    if (x >= wide || y >= high || map >= this.maps || map < 0 || px < 0 || py < 0) return null;
    const index = indexAt(this.g, map + this.first, y, x);
    return index && { index, map: map + this.first, y, x };
  }

  // What pointing at a number (or at none) does: another may take its place.
  pointed(found, box) {
    if (!found) return announce("");
    if (!this.values) return;
    const { index } = found;
    const value = this.values[flatOf(this.g.shape, index)];
    const plane = this.name === "input" ? world.network.planes?.[index[0]] : "";
    announce(`${this.name}[${index.join(", ")}] = ${number(value)}${plane ? ` (${plane})` : ""}`, box.x, box.y);
  }

  // A frame around one number, in place of the last one; null takes it away.
  point(found) {
    this.frame?.remove();
    this.frame = found && this.mark(found.map, found.y, found.x, found.y + 1, found.x + 1, "cursor");
    return this.frame;
  }

  // A frame around numbers y0..y1, x0..x1 of a map.
  mark(map, y0, x0, y1, x1, kind = "") {
    const at = map - this.first;
    const left = (at % this.columns) * (this.g.w + 1) + x0;
    const top = Math.floor(at / this.columns) * (this.g.h + 1) + y0;
    const share = (part, all) => `${(100 * part) / all}%`;
    const frame = h("span", { class: `frame ${kind}`, style: {
      left: share(left, this.width), top: share(top, this.height),
      width: share(x1 - x0, this.width), height: share(y1 - y0, this.height) } });
    this.element.append(frame);
    return frame;
  }

  listen(choose, label) {
    const canvas = this.canvas;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${label}: arrow keys move, Enter opens the number`);
    canvas.classList.add("live");
    canvas.addEventListener("pointermove", (event) => {
      const found = this.pick(event);
      this.pointed(found, { x: event.clientX, y: event.clientY });
    });
    canvas.addEventListener("pointerleave", () => this.pointed(null));
    canvas.addEventListener("click", (event) => {
      const found = this.pick(event);
      if (found) choose(found);
    });
    canvas.addEventListener("keydown", (event) => this.key(event, choose));
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && this.point(this.cursor));
    canvas.addEventListener("blur", () => { this.point(null); this.pointed(null); });
  }

  key(event, choose) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    this.cursor ??= this.cell(0, 0);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(this.cursor);
    } else if (step) {
      event.preventDefault();
      const px = ((this.cursor.map - this.first) % this.columns) * (this.g.w + 1) + this.cursor.x;
      const py = Math.floor((this.cursor.map - this.first) / this.columns) * (this.g.h + 1) + this.cursor.y;
      this.cursor = this.cell(px + step[0], py + step[1])
        || this.cell(px + 2 * step[0], py + 2 * step[1]) || this.cursor;
      const box = this.point(this.cursor).getBoundingClientRect();
      this.pointed(this.cursor, { x: box.right, y: box.bottom });
    }
  }
}

const mixed = (r, g, b) => (255 << 24) | ((b & 255) << 16) | ((g & 255) << 8) | (r & 255);

