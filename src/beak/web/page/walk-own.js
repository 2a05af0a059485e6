// The steps that go through the reader's own network.

import { explain } from "./api.js";
import { largestOf, signed } from "./colour.js";
import { fill, h, sizes, whole } from "./dom.js";
import { figures, pattern } from "./patterns.js";
import { link } from "./state.js";
import { wanted } from "./tabs.js";
import { said, world } from "./world.js";

const CONVOLUTIONS = ["Conv1D", "Conv2D"];
const first = () => world.network.layers.find((layer) => CONVOLUTIONS.includes(layer.kind));

export function wholeStep(place) {
  const { network } = world;
  const rows = network.layers.slice(0, 40).map((layer) => h("tr", {},
    h("th", { scope: "row" }, h("a", { href: link({ layer: layer.name }) }, layer.name), ` ${said(layer)}`),
    h("td", {}, sizes(layer.output)), h("td", {}, layer.parameters ? whole(layer.parameters) : "–")));
  const head = h("thead", {}, h("tr", {}, ["layer", "numbers", "weights"].map((word) => h("th", { scope: "col" }, word))));
  const more = network.layers.length > 40 ? h("p", { class: "hint" }, `and ${network.layers.length - 40} more layers`) : null;
  const convolution = first();
  const line = convolution && convolution.dense_parameters > convolution.parameters
    ? h("p", { class: "lead" }, `${convolution.name} has ${whole(convolution.parameters)} weights; fully connected the same map would need ${whole(convolution.dense_parameters)}.`) : null;
  fill(place, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Layers" }, h("table", { class: "plain" }, head, h("tbody", {}, rows))), more, line);
}

export async function learnedStep(place) {
  const layer = first();
  if (!layer) return fill(place, h("p", { class: "lead" }, "This network has no convolution."));
  fill(place, h("p", { class: "hint" }, "climbing uphill …"));
  try {
    const told = await explain("filters", { layer: layer.name });
    const { shape, values } = told.arrays.weight;
    const size = values.length / shape[0];
    const most = largestOf(values);
    const count = Math.min(shape[0], 12);
    const shown = Array.from({ length: count }, (_, i) => ({ caption: String(i), picture: pattern(shape.slice(1), values.slice(i * size, (i + 1) * size), { colour: signed(most), size: 72, label: `filter ${i}` }) }));
    const later = world.network.layers.filter((one) => CONVOLUTIONS.includes(one.kind)).at(-1);
    const units = Array.from({ length: Math.max(1, Math.min(8, later.output[0], Math.floor(6e10 / (180 * world.network.multiply_adds)))) }, (_, i) => i).join(",");
    const seek = world.network.kind === "texts" ? null : await wanted(later.name, { units, smooth: 0.1 });
    if (!place.isConnected) return;
    fill(place, h("h3", {}, `The first ${count} filters of ${layer.name}`), figures(shown), seek ? [h("h3", {}, `What ${later.name} looks for`), seek] : null);
  } catch (error) {
    fill(place, h("p", { class: "hint" }, error.message));
  }
}

const pools = () => world.network.layers.filter((layer) => layer.kind.includes("Pool"));

function yours(kind, there, line) {
  return h("p", { class: "lead" }, world.network.kind === kind ? there : line);
}

export function goStep(place) {
  const count = pools().length;
  const command = h("pre", {}, h("code", {}, "beak train games/ --out runs/go\nbeak look runs/go"));
  fill(place, yours("go", `Your network reads ${world.network.input[0]} planes of 19 × 19 and has ${count} pooling layers; set stones and see where it would play.`,
    `Yours is for ${world.network.kind} and has ${count} pooling ${count === 1 ? "layer" : "layers"}. With game records (SGF) you can train one for Go:`), world.network.kind === "go" ? null : command);
}

export function otherStep(place) {
  const { kind, input } = world.network;
  const commands = h("pre", {}, h("code", {}, "beak train recordings/ --out runs/sounds\nbeak train reviews.csv --out runs/texts"));
  const told = { sounds: `Your network listens: ${world.network.preparation}.`, texts: `Your network reads: ${world.network.preparation}.` }[kind]
    ?? `Yours reads ${kind}, ${sizes(input)}. For sounds and sentences:`;
  fill(place, h("p", { class: "lead" }, told), ["sounds", "texts"].includes(kind) ? null : commands, h("p", { class: "lead" }, "That is all there is to a CNN. Now go on with your own network and your own inputs."));
}
