// Two inputs, two runs or two epochs side by side: layer by layer, in one colour scale, with the
// difference; pointing at a number shows it in all three.

import * as api from "./api.js";
import { largestOf, signed } from "./colour.js";
import { announce, breaking, fill, h, number, percent, sizes } from "./dom.js";
import { flatOf, packed } from "./geometry.js";
import { Mosaic } from "./mosaic.js";
import { closeButton } from "./parts.js";
import { go, place } from "./state.js";
import { colourOf, isColour, lying, shapeOf, valuesOf, world } from "./world.js";

const MOST_MAPS = 64;
const networks = new Map();
let shown = null; // what is on the screen: {key, other, update}
let whole = false; // every layer of a large network, not the last of each block alone
let asked = 0;

export const besideOf = (where) => {
  const [what, ...name] = (where.beside ?? "").split(":");
  return { what, name: name.join(":") };
};

export async function showBeside(section, where) {
  const mine = ++asked;
  const { what, name } = besideOf(where);
  const network = what === "run" ? await networkOf(name) : world.network;
  const maps = await mapsOf(what, name);
  if (mine !== asked) return;
  const key = `${where.beside} ${whole}`;
  if (shown?.key !== key || !section.firstChild) shown = built(section, key, { what, name, network });
  shown.update(maps);
}

export function hideBeside(section) {
  asked++;
  shown = null;
  fill(section);
}

async function networkOf(name) {
  if (!networks.has(name)) networks.set(name, await api.network(name));
  return networks.get(name);
}

let held = { mark: "", maps: null };
async function mapsOf(what, name) {
  if (what === "run") return api.lookAgain(world.maps.input, { beside: name });
  if (name === world.maps.input) held = { mark: name, maps: world.maps };
  if (held.mark !== name) held = { mark: name, maps: await api.lookAgain(name, { hold: true }) };
  return held.maps;
}

const called = (name) => world.network.others[name] ?? world.network.name;
const rest = () => Object.keys(world.network.others).filter((one) => one !== world.network.run);

function built(section, key, other) {
  const now = other.what === "run" ? called(world.network.run) : "this input";
  const then = other.what === "run" ? called(other.name) : "the held input";
  const answers = h("div", { class: "two-answers" });
  const rows = names().map((name) => row(name, other)).filter(Boolean);
  const hint = h("p", { class: "hint" });
  fill(section, heading(other), h("div", { class: "pair-head", "aria-hidden": "true" }, h("span"), h("b", {}, now), h("b", {}, then), h("b", {}, "difference")),
    rows.map((one) => one.element),
    h("div", { class: "pair" }, h("h3", {}, "answer"), answers), hint);
  const update = (maps) => {
    for (const one of rows) one.update(maps);
    fill(answers, answerRows(maps, other.network));
    hint.textContent = said(other, maps);
  };
  return { key, update };
}

function said(other, maps) {
  if (other.what === "input" && maps.input === world.maps.input) return "Both are the same input yet: draw, type or choose another one.";
  const missing = other.network.layers.filter((layer) => !world.layers.has(layer.name)).map((layer) => layer.name);
  const more = missing.length ? ` ${called(other.name)} also has ${missing.slice(0, 8).join(", ")}${missing.length > 8 ? " …" : ""}.` : "";
  return `All three of a row have one colour scale; orange in the difference is more on the left, blue more on the right.${more}`;
}

// Every layer of a small network; of a large one what each block ends in.
function names() {
  const blocks = world.network.blocks;
  return ["input", ...(whole ? world.network.layers.map((layer) => layer.name) : blocks.map((block) => block.layers.at(-1)))];
}

function heading({ what, name }) {
  const others = rest();
  const choose = (beside) => go({ beside });
  const select = h("select", { id: "with", onchange: () => choose(select.value) },
    h("option", { value: `input:${what === "input" ? name : world.maps.input}` }, "another input"),
    others.map((one) => h("option", { value: `run:${one}` }, called(one))));
  select.value = `${what}:${name}`;
  const folded = world.network.blocks.some((block) => block.layers.length > 1);
  return h("div", { class: "heading" }, h("h2", {}, "Side by side"),
    closeButton(),
    h("div", { class: "row wide" }, h("label", { for: "with" }, "with"), select, what === "run" ? epochs(name, others) : null,
      what === "input" ? h("button", { type: "button", onclick: () => choose(`input:${world.maps.input}`) }, "hold this one instead") : null,
      h("button", { type: "button", onclick: () => go(what === "run" ? { run: name, beside: `run:${world.network.run}` } : { input: name, beside: `input:${world.maps.input}` }) }, "swap"),
      folded ? h("label", {}, h("input", { type: "checkbox", checked: whole, onchange: (event) => { whole = event.target.checked; showBeside(document.getElementById("beside"), place()); } }), " every layer") : null));
}

// A slider over the epochs that were kept: how the network came to be.
function epochs(name, others) {
  const kept = others.filter((one) => /^epoch \d+$/.test(one)).sort((a, b) => a.slice(6) - b.slice(6));
  if (kept.length < 2 || !kept.includes(name)) return null;
  const slider = h("input", { type: "range", min: "0", max: String(kept.length - 1), value: String(kept.indexOf(name)), "aria-label": "Epoch", "aria-valuetext": name,
    oninput: () => go({ beside: `run:${kept[slider.value]}` }) });
  return slider;
}

function row(name, other) {
  const layer = name === "input" ? null : other.network.layers.find((one) => one.name === name);
  const mine = shapeOf(name);
  const its = name === "input" ? other.network.input : layer?.output;
  const title = h("h3", {}, h("button", { type: "button", class: "plain-link", onclick: () => go({ layer: name, beside: place().beside }) }, breaking(name)), " ", h("small", {}, sizes(mine)));
  const share = h("p", { class: "hint" });
  const words = name === "input" && world.network.kind === "texts";
  if (words) return wordRow(title, share);
  const same = its && its.join() === mine.join();
  const tiles = [tile(name, mine, "this"), its ? tile(name, its, "beside") : null, same ? tile(name, mine, "difference") : null];
  const none = (line) => h("p", { class: "hint" }, line);
  link(name, tiles.filter(Boolean), same);
  const cells = [tiles[0].element, tiles[1]?.element ?? none(`${called(other.name)} has no ${name}`), tiles[2]?.element ?? none("not of one shape")];
  const element = h("div", { class: "pair", "data-pair": name }, h("div", {}, title, share), cells.map((cell) => h("div", { class: "one" }, cell)));
  return { element, update: (maps) => draw(name, tiles, maps, share) };
}

function tile(name, shape, which) {
  const g = lying(shape);
  const rgb = isColour(name) && which !== "difference";
  const count = rgb ? 1 : Math.min(g.maps, MOST_MAPS);
  const wide = document.getElementById("beside").clientWidth;
  const room = Math.max(90, Math.min(300, wide < 620 ? wide / 3 - 20 : wide / 3.9));
  const { columns, zoom } = packed(count, g.h, g.w, room, 260);
  return new Mosaic(shape, { columns, zoom, maps: count, name, colour: rgb ? "rgb" : "", label: `${name}, ${which}`,
    choose: ({ index }) => go({ layer: name, cell: name === "input" ? undefined : index.join(","), beside: place().beside }) });
}

// Pointing at one of the three points at all of them, and says both numbers.
function link(name, tiles, same) {
  if (!same) return;
  for (const one of tiles) {
    one.pointed = (found, box) => {
      for (const tile of tiles) tile.point(found);
      if (!found) return announce("");
      const [a, b] = tiles.slice(0, 2).map((tile) => tile.values[flatOf(tile.g.shape, found.index)]);
      announce(`${name}[${found.index.join(", ")}]: ${number(a)} and ${number(b)}, difference ${number(a - b)}`, box.x, box.y);
    };
  }
}

function draw(name, [mine, its, apart], maps, share) {
  const a = valuesOf(name), b = maps.layers.get(name)?.values;
  const most = Math.max(largestOf(a), b ? largestOf(b) : 0);
  const pictures = name === "input" && world.network.kind === "pictures";
  mine.draw(a, pictures ? colourOf(name, a) : signed(most));
  if (its) its.draw(b, pictures ? colourOf(name, b) : signed(most));
  if (!apart) return;
  const difference = a.map((value, i) => value - b[i]);
  apart.draw(difference, signed(most));
  const length = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  const size = length(a);
  share.textContent = size ? `differs by ${percent(length(difference) / size)} of its size` : "";
}

function wordRow(title, share) {
  const lists = [h("p", { class: "words small" }), h("p", { class: "words small" })];
  const element = h("div", { class: "pair", "data-pair": "input" }, h("div", {}, title, share), lists.map((list) => h("div", { class: "one" }, list)), h("div", { class: "one" }));
  const update = (maps) => [world.maps, maps].forEach((one, i) => { lists[i].textContent = one.places.join(" "); });
  return { element, update };
}

function answerRows(maps, network) {
  const labels = [...new Set([...best(world.maps.answers, world.network.labels), ...best(maps.answers, network.labels)])];
  const of = (answers, names, label) => answers[names.indexOf(label)] ?? 0;
  return h("table", { class: "plain two" }, h("tbody", {}, labels.map((label) => {
    const a = of(world.maps.answers, world.network.labels, label), b = of(maps.answers, network.labels, label);
    return h("tr", {}, h("th", { scope: "row" }, label), [a, b].map((share) => h("td", {}, h("span", { class: "rail" }, h("span", { class: "filled", style: { width: `${100 * Math.max(0, Math.min(1, share))}%` } })), percent(share))));
  })));
}

function best(answers, labels) {
  const order = answers.map((_, i) => i);
  if (labels.length > 10) order.sort((a, b) => answers[b] - answers[a]);
  return order.slice(0, labels.length > 10 ? 6 : 10).map((i) => labels[i]);
}
