// One layer: its maps large, its filters, its strongest patches, what it looks for, its twin.

import { h, fill, sizes, whole } from "./dom.js";
import { packed } from "./geometry.js";
import { Mosaic } from "./mosaic.js";
import { closeButton, tabList } from "./parts.js";
import { go } from "./state.js";
import { TABS } from "./tabs.js";
import { colourOf, isColour, lying, said, shapeOf, valuesOf, world } from "./world.js";

let current = null;

export function showLayer(section, { layer: name, tab = "maps", map }) {
  const layer = world.layers.get(name);
  if (!layer && name !== "input") throw new Error(`the network has no layer “${name}”`);
  const body = h("div", { class: "tab-body", role: "tabpanel", "aria-label": tab });
  fill(section, heading(name, layer), layer ? tabs(name, layer, tab) : null, body);
  current = null;
  if (tab === "maps") maps(body, name, map === undefined ? null : Number(map));
  else TABS[tab].show(body, layer);
}

function heading(name, layer) {
  const facts = layer
    ? [`${sizes(layer.output)} numbers`, layer.kind === "Opaque" ? boxed(layer) : layer.parameters ? `${whole(layer.parameters)} weights` : "no weights of its own",
      layer.multiply_adds ? `${whole(layer.multiply_adds)} multiply-adds` : null,
      layer.receptive_field.length ? `each number sees ${layer.receptive_field.join(" × ")} of the input` : null,
      layer.dense_parameters > layer.parameters && layer.parameters
        ? `fully connected it would have ${whole(layer.dense_parameters)} weights` : null]
    : [`${sizes(world.network.input)} numbers`, world.network.preparation];
  return h("div", { class: "heading" },
    h("h2", {}, name, " ", h("small", {}, layer ? said(layer) : "what came in")),
    closeButton(),
    h("p", {}, facts.filter(Boolean).join(" · ")));
}

const boxed = (layer) => `${layer.fields.by ?? "ONNX"} computes it; beak has no layer ${layer.fields.operator} and does not open it: its values pass, no gradient does`;

function tabs(name, layer, tab) {
  const there = Object.entries(TABS).filter(([, one]) => one.fits(layer));
  const titles = Object.fromEntries([["maps", "maps"], ...there.map(([key, one]) => [key, one.title])]);
  return tabList(titles, tab, (key) => go({ layer: name, tab: key === "maps" ? undefined : key }), `What there is of ${name}`);
}

function maps(body, name, only) {
  const shape = shapeOf(name);
  const g = lying(shape);
  const rgb = isColour(name);
  const tiles = rgb || only !== null ? 1 : g.maps;
  const room = body.clientWidth || 900;
  const { columns, zoom } = packed(tiles, g.h, g.w, room, tiles === 1 ? 420 : 640, 14);
  const mosaic = new Mosaic(shape, {
    columns, zoom: Math.max(zoom, 0.75), name, colour: rgb && only === null ? "rgb" : "", only: only ?? undefined,
    label: `${name}, ${tiles === 1 ? "one map" : `${tiles} maps`}`,
    choose: ({ index }) => go(name === "input" ? { layer: name } : { layer: name, cell: index.join(",") }),
  });
  const pick = g.maps > 1 && !rgb ? chooser(name, g.maps, only) : null;
  fill(body, pick, mosaic.element, h("p", { class: "hint" }, name === "input"
    ? "These are the numbers that the network reads; point at one to see it."
    : "Point at a number to see it; click it to see which numbers made it."));
  current = () => {
    const values = valuesOf(name);
    if (values) mosaic.draw(values, rgb && only !== null ? (v) => colourOf(name, values)(v, only) : colourOf(name, values));
  };
  current();
}

function chooser(name, count, only) {
  const options = [h("option", { value: "" }, `all ${count} maps`)];
  const planes = name === "input" ? world.network.planes ?? [] : [];
  for (let i = 0; i < count; i++) options.push(h("option", { value: String(i) }, planes[i] ? `${i}: ${planes[i]}` : `map ${i}`));
  const select = h("select", { "aria-label": "Which map", onchange: () => go({ layer: name, map: select.value || undefined }) }, options);
  select.value = only === null ? "" : String(only);
  return h("p", {}, select);
}

export const refreshLayer = () => current?.();
