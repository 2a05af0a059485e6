// What moved an answer: each place of the input, for or against.

import { explain } from "./api.js";
import { css, ink, largestOf, signed } from "./colour.js";
import { h, fill, number, percent } from "./dom.js";
import { packed } from "./geometry.js";
import { Mosaic } from "./mosaic.js";
import { go } from "./state.js";
import { wanted } from "./tabs.js";
import { colourOf, isColour, lying, valuesOf, world } from "./world.js";

const METHODS = { integrated: "parts that add up", gradient: "gradient", cam: "where it looked (Grad-CAM)", occlusion: "what it misses when covered" };

export async function showMoved(section, { answer, method = "integrated" }) {
  const result = h("div", { class: "flow" });
  const share = world.maps.answers[world.network.labels.indexOf(answer)];
  const looks = h("div");
  fill(section, h("div", { class: "heading" },
    h("h2", {}, `What moved “${answer}”?`, " ", h("small", {}, share === undefined ? "" : percent(share))),
    h("button", { type: "button", class: "close", onclick: () => go({}), "aria-label": "Close" }, "×")),
  h("div", { class: "tabs", role: "tablist" }, Object.entries(METHODS).map(([key, title]) =>
    h("button", { type: "button", role: "tab", "aria-selected": String(key === method), onclick: () => go({ answer, method: key }) }, title))),
  result, looks);
  fill(result, h("p", { class: "hint" }, "asking …"));
  const input = world.maps.input;
  const told = await explain("moved", { input, answer, method });
  if (input !== world.maps.input || !result.isConnected) return;
  fill(result, heat(told), h("p", { class: "sum" }, told.caption));
  if (world.network.kind === "pictures" && world.network.labels.length <= 64) {
    const climb = h("button", { type: "button", onclick: async () => {
      fill(looks, h("p", { class: "hint" }, "climbing uphill …"));
      const unit = world.network.labels.indexOf(answer);
      const made = [await wanted("answer", { units: unit }), await wanted("answer", { units: unit, l1: 0.5, smooth: 0.1 })];
      fill(looks, made);
    } }, `What would “${answer}” look like to it?`);
    fill(looks, climb);
  }
}

function heat({ arrays }) {
  const { shape, values } = arrays.heat;
  const places = world.maps.places;
  if (world.network.kind === "texts" && places.length) return words(places, values);
  const picture = world.network.input;
  const plane = shape.length === 2 ? [1, ...shape] : shape;
  const g = lying(plane);
  const { zoom } = packed(1, g.h, g.w, 320, 320, 20);
  const mosaic = new Mosaic(plane, { zoom, name: "moved", label: "for: orange, against: blue", choose: () => {} });
  mosaic.draw(values, signed(largestOf(values)));
  const beside = picture.length === 3 && picture[1] === shape[0] && ["pictures", "sounds"].includes(world.network.kind) ? input(zoom) : null;
  return [beside, h("figure", {}, mosaic.element, h("figcaption", {}, `orange speaks for it, blue against; the strongest is ${number(largestOf(values))}`))];
}

function input(zoom) {
  const rgb = isColour("input");
  const mosaic = new Mosaic(world.network.input, { zoom, maps: 1, name: "input", colour: rgb ? "rgb" : "", label: "the input" });
  mosaic.draw(valuesOf("input"), colourOf("input", valuesOf("input")));
  return h("figure", {}, mosaic.element, h("figcaption", {}, "the input"));
}

function words(places, values) {
  const most = largestOf(values);
  return h("p", { class: "words" }, places.map((word, i) =>
    h("span", { title: number(values[i]), style: { background: css(values[i], most), color: ink(values[i], most) } }, word)));
}
