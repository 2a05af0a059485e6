// What a filter, a unit or an answer looks for: the input that excites it most, by going uphill.

import { affordable, labelOf } from "./cost.js";
import { surfaceOf } from "./surface.js";
import { size } from "./windows.js";
import { general } from "./words.js";

const MOST_UNITS = 64, RATE = 0.1, START = 0.1;

// Normal numbers from a seed (mulberry32, Box and Muller): the same ones every time.
function noise(count, seed = 1) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Float32Array.from({ length: count }, () => START * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

export function looksFor(engine, { layer, units, steps = 60, l1 = 0, smooth = 0 }) {
  [steps, l1, smooth] = [steps, l1, smooth].map(Number);
  const { net } = engine, node = layer === undefined || layer === "answer" ? null : net.node(layer).name;
  const shape = node === null ? [size(net.last.output)] : net.shapeOf(node), places = size(shape.slice(1));
  const asked = units === undefined ? Array.from({ length: Math.min(shape[0], 16) }, (_, i) => i) : units.split(",").map(Number);
  if (!asked.length || asked.length > MOST_UNITS || asked.some((unit) => !(unit >= 0 && unit < shape[0]))) throw new Error(`units ${units}: up to ${MOST_UNITS} of 0 to ${shape[0] - 1}`);
  const many = Math.floor(affordable(engine, node) / (steps + 2)), chosen = asked.slice(0, Math.max(1, many));
  if (!many) throw new Error(`${steps} steps through this network take too long for a page; open it with beak look`);
  const found = chosen.map((unit) => climbed(engine, node, shape, unit, places, { steps, l1, smooth }));
  const surface = surfaceOf(net), used = [["L1", l1], ["smoothing", smooth]].filter(([, value]) => value).map(([name, value]) => `${name} ${general(value)}`);
  const whose = node === null ? `${chosen.length} answers` : `${chosen.length} of ${node}'s ${shape[0]} channels`;
  const fewer = chosen.length < asked.length ? ` More than ${chosen.length} take too long in a page.` : "";
  return { what: "looks-for", caption: `What ${whose} look for: the inputs that excite each most, found by ${steps} steps uphill from noise, ${used.length ? `with ${used.join(" and ")}` : "plain"}.${fewer}`,
    arrays: { input: { shape: [chosen.length, ...surface.shape], values: Float32Array.from(found.flatMap(({ point }) => Array.from(point))) },
      score: { shape: [chosen.length, 2], values: Float32Array.from(found.flatMap(({ score }) => score)) }, unit: { shape: [chosen.length], values: Int32Array.from(chosen) } },
    facts: { layer: node ?? "answer", labels: node === null ? chosen.map((unit) => labelOf(engine, unit)) : null, steps, rate: RATE, l1, smooth, where: surface.start } };
}

function climbed(engine, node, shape, unit, places, { steps, l1, smooth }) {
  const surface = surfaceOf(engine.net), { bounds } = engine.run.network, channel = size(surface.shape.slice(1));
  const bounded = bounds && surface.start === "input", low = (i) => (bounded ? bounds[0][Math.floor(i / channel)] : -Infinity), high = (i) => (bounded ? bounds[1][Math.floor(i / channel)] : Infinity);
  const clip = (value, i) => Math.min(Math.max(value, low(i)), high(i)), nothing = (i) => (bounded ? low(i) : 0);
  const pull = new Float64Array(size(shape)).fill(1 / places, unit * places, (unit + 1) * places);
  const score = (at) => surface.scores(at, node).reduce((sum, value, i) => sum + value * pull[i], 0);
  let point = noise(surface.count).map(clip);
  const first = score(point);
  for (let step = 0; step < steps; step++) {
    let slope = surface.gradient(point, pull, node);
    if (node !== null && !slope.some((value) => value !== 0)) slope = surface.gradient(point, pull, node, true); // closed everywhere: its sums show a way up
    const mean = Math.max(slope.reduce((sum, value) => sum + Math.abs(value), 0) / slope.length, 1e-12);
    point = point.map((value, i) => {
      const moved = value + (RATE * slope[i]) / mean, away = moved - nothing(i);
      return l1 ? nothing(i) + Math.sign(away) * Math.max(Math.abs(away) - RATE * l1, 0) : moved;
    });
    if (smooth) { const around = neighbours(point, surface.shape); point = point.map((value, i) => (1 - smooth) * value + smooth * around[i]); }
    point = point.map(clip);
  }
  return { point, score: [first, score(point)] };
}

// The mean of the places around each place; beyond an edge the edge itself counts.
function neighbours(point, shape) {
  if (shape.length < 2) return point;
  const sizes = shape.slice(1), out = new Float32Array(point.length);
  sizes.forEach((n, axis) => {
    const inner = size(sizes.slice(axis + 1));
    for (let i = 0; i < point.length; i++) {
      const at = Math.floor(i / inner) % n;
      out[i] += (point[at ? i - inner : i] + point[at < n - 1 ? i + inner : i]) / (2 * sizes.length);
    }
  });
  return out;
}
