// What moved an answer: each place of the input, for or against.

import { explain } from "./api.js";
import { css, ink, largestOf, signed } from "./colour.js";
import { h, fill, number, percent } from "./dom.js";
import { packed } from "./geometry.js";
import { Mosaic } from "./mosaic.js";
import { closeButton, tabList } from "./parts.js";
import { go } from "./state.js";
import { heatBoard } from "./stones.js";
import { wanted } from "./tabs.js";
import { colourOf, hasBoxes, isColour, lying, valuesOf, world } from "./world.js";

const METHODS = { integrated: "parts that add up", gradient: "gradient", cam: "where it looked (Grad-CAM)", occlusion: "what it misses when covered" };

// No gradient passes a box: of the ways to tell, covering the input is left.
const ways = () => (hasBoxes() ? { occlusion: METHODS.occlusion } : METHODS);

export async function showMoved(section, { answer, method = Object.keys(ways())[0] }) {
  const result = h("div", { class: "flow" });
  const share = world.maps.answers[world.network.labels.indexOf(answer)];
  const looks = h("div");
  fill(section, h("div", { class: "heading" },
    h("h2", {}, `What moved “${answer}”?`, " ", h("small", {}, share === undefined ? "" : percent(share))),
    closeButton()),
  tabList(ways(), method, (key) => go({ answer, method: key }), "How it is found out"),
  result, looks);
  fill(result, h("p", { class: "hint" }, "asking …"));
  const input = world.maps.input;
  const told = await explain("moved", { input, answer, method });
  if (input !== world.maps.input || !result.isConnected) return;
  fill(result, heat(told, answer), h("p", { class: "sum" }, told.caption));
  if (world.network.kind === "pictures" && world.network.labels.length <= 64 && !hasBoxes()) {
    const climb = h("button", { type: "button", onclick: async () => {
      fill(looks, h("p", { class: "hint" }, "climbing uphill …"));
      const unit = world.network.labels.indexOf(answer);
      const made = [await wanted("answer", { units: unit }), await wanted("answer", { units: unit, l1: 0.5, smooth: 0.1 })];
      fill(looks, made);
    } }, `What would “${answer}” look like to it?`);
    fill(looks, climb);
  }
}

function heat({ arrays }, answer) {
  const { shape, values } = arrays.heat;
  const stones = world.maps.about.stones;
  if (stones && values.length === stones.length) {
    const point = world.network.labels.indexOf(answer);
    return h("figure", {}, heatBoard(stones, Float32Array.from(values), point), h("figcaption", {}, "orange speaks for it, blue against; ",
      point < 361 ? `the ring is ${answer}; ` : null, `the strongest is ${number(largestOf(values))}`));
  }
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
