// What moved an answer: gradients, integrated gradients, Grad-CAM, occlusion; a row a method.

import { afford, labelOf } from "./cost.js";
import { surfaceOf } from "./surface.js";
import { size } from "./windows.js";
import { general, shapeText } from "./words.js";

const FIRST_STEPS = 32, MOST_STEPS = 512, GOOD_ENOUGH = 0.005;
const f32 = (shape, values) => ({ shape, values: Float32Array.from(values) });

export function moved(engine, { seen, method = "integrated", answer }) {
  const { net, run } = engine, look = engine.look(seen), logits = net.logits(look), surface = surfaceOf(net);
  const chosen = answerOf(run.network.labels, answer, logits), make = METHODS[method];
  if (!make) throw new Error(`no method '${method}'; known: ${Object.keys(METHODS).join(", ")}`);
  const pull = new Float64Array(logits.length);
  pull[chosen] = 1;
  const padding = surface.start === "words" ? net.nodes.find((node) => node.kind === "Embedding").fields.padding_index ?? -1 : null;
  const question = { engine, net, surface, pull, padding, seen, point: surface.point(seen.values), logit: (point) => surface.scores(point)[chosen] };
  const { arrays, facts, told } = make(question), label = labelOf(engine, chosen);
  if (padding !== null) arrays.real = { shape: [seen.values.length], values: Uint8Array.from(seen.values, (word) => word !== padding) };
  if (padding !== null && seen.places.length) arrays.heat = byName(run.spec, arrays.heat, seen.places.length);
  return { what: "moved", caption: `What moved '${label}': ${told}.`, arrays, facts: { method, answer: label, answer_number: chosen, logit: logits[chosen],
    value: look.values.get(net.last.name)[chosen], where: surface.start, signed: method === "integrated" || method === "occlusion", ...facts } };
}

function answerOf(labels, wanted, logits) {
  if (wanted === undefined) return logits.reduce((best, value, i) => (value > logits[best] ? i : best), 0);
  const found = labels.includes(wanted) ? labels.indexOf(wanted) : /^\d+$/.test(wanted) ? Number(wanted) : -1;
  if (found < 0 || found >= logits.length) throw new Error(`no label '${wanted}'`);
  return found;
}

// Of pairs: each word's own number, that of its vote, and half of its pairs'.
function byName({ unit }, { shape: [places], values }, count) {
  if (unit !== "pairs") return f32([count], values.subarray(0, count));
  const length = places / 3, found = values.slice(0, length);
  for (let i = 0; i < length; i++) {
    found[i] += values[length + i];
    if (i + 1 < length) { found[i] += values[2 * length + i] / 2; found[i + 1] += values[2 * length + i] / 2; }
  }
  return f32([count], found.subarray(0, count));
}

// (C, …) to (…): channels added up; a plain row of numbers stays as it is.
function byPlace(shape, values) {
  if (shape.length === 1) return f32(shape, values);
  const places = size(shape.slice(1)), out = new Float64Array(places);
  values.forEach((value, i) => { out[i % places] += value; });
  return f32(shape.slice(1), out);
}

function gradient({ engine, surface, point, pull }) {
  afford(engine, 3);
  const slope = surface.gradient(point, pull);
  return { arrays: { heat: byPlace(surface.shape, slope.map(Math.abs)), attribution: f32(surface.shape, slope) }, facts: {},
    told: "how steeply its logit changes with each place (gradient, without sign)" };
}

// The way from nothing to the input, slope by slope; steps are doubled until the parts add up.
function integrated({ engine, surface, point, pull, logit }) {
  const change = logit(point) - logit(new Float32Array(point.length));
  for (let steps = FIRST_STEPS; ; steps *= 2) {
    if (steps === FIRST_STEPS) afford(engine, 3 * steps);
    const total = new Float64Array(point.length);
    for (let step = 0; step < steps; step++) {
      const share = (step + 0.5) / steps, slope = surface.gradient(point.map((value) => share * value), pull);
      for (let i = 0; i < total.length; i++) total[i] += (slope[i] / steps) * point[i];
    }
    const sum = total.reduce((a, b) => a + b, 0), gap = sum - change;
    if (Math.abs(gap) > GOOD_ENOUGH * Math.abs(change) && steps < MOST_STEPS && afford(engine, 6 * steps, false)) continue;
    const told = `parts that add up to ${general(sum, 4)}; from nothing to this input the logit changes by ${general(change, 4)} (integrated gradients, ${steps} steps)`;
    return { arrays: { heat: byPlace(surface.shape, total), attribution: f32(surface.shape, total) }, facts: { steps, change, sum, gap }, told };
  }
}

function cam({ engine, net, surface, point, pull }) {
  const { layers, error } = engine.run.cam;
  if (error) throw new Error(error);
  afford(engine, 3);
  const run = net.forward(surface.given(point)), slopes = net.backward(run, null, pull, layers), arrays = {};
  let heat = null;
  for (const name of layers) {
    const [channels, ...sizes] = net.shapeOf(name), places = size(sizes), values = run.values.get(name), small = new Float64Array(places);
    for (let c = 0; c < channels; c++) {
      let weight = 0;
      for (let p = 0; p < places; p++) weight += slopes.get(name)[c * places + p] / places;
      for (let p = 0; p < places; p++) small[p] += weight * values[c * places + p];
    }
    const map = small.map((value) => Math.max(value, 0)), large = onInput({ shape: sizes, values: map }, engine.run.fields[name], engine.run.fields.input);
    arrays[`map_${name}`] = f32(sizes, map);
    heat = heat ? { ...large, values: large.values.map((value, i) => value + heat.values[i]) } : large;
  }
  return { arrays: { heat: f32(heat.shape, heat.values), ...arrays }, facts: { layers }, told: `where the last convolution saw what speaks for it (Grad-CAM at ${layers.join(", ")})` };
}

// A map on the input's places: each cell in the middle of what it sees, lines between. A field is
// [size, jump, start, places].
function onInput(map, fields, whole) {
  return fields.reduce((now, [length, jump, start], axis) => {
    const [, , , places] = whole[axis], many = now.shape[axis], inner = size(now.shape.slice(axis + 1)), outer = size(now.shape.slice(0, axis));
    const shape = now.shape.with(axis, places), values = new Float64Array(size(shape));
    for (let place = 0; place < places; place++) {
      const at = jump ? Math.max(0, Math.min(many - 1, (place - start - (length - 1) / 2) / jump)) : 0, low = Math.min(Math.floor(at), Math.max(0, many - 2)), high = Math.min(low + 1, many - 1);
      for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) {
        const value = (k) => now.values[(o * many + k) * inner + i];
        values[(o * places + place) * inner + i] = value(low) * (1 - (at - low)) + value(high) * (at - low);
      }
    }
    return { shape, values };
  }, map);
}

// How much the logit falls when a patch is blotted out.
function occlusion({ engine, surface, seen, padding, point, logit }) {
  const [, ...after] = surface.shape, sizes = after.length ? after : surface.shape, places = size(sizes), words = padding !== null;
  const patch = sizes.map((n) => (words ? 1 : Math.min(usualPatch(n), n)));
  let boxes = sizes.map((n, axis) => spans(n, patch[axis])).reduce((made, axis) => made.flatMap((box) => axis.map((begin) => [...box, begin])), [[]]);
  if (words) boxes = boxes.filter(([place]) => seen.values[place] !== padding);
  afford(engine, boxes.length);
  const whole = logit(point), heat = new Float64Array(places), covered = new Float64Array(places);
  for (const box of boxes) {
    const spots = box.map((begin, axis) => Array.from({ length: patch[axis] }, (_, i) => begin + i))
      .reduce((made, axis, k) => made.flatMap((flat) => axis.map((i) => flat * sizes[k] + i)), [0]);
    const blotted = point.slice();
    for (const spot of spots) for (let i = spot; i < point.length; i += places) blotted[i] = 0;
    const fall = whole - logit(blotted);
    for (const spot of spots) { heat[spot] += fall; covered[spot] += 1; }
  }
  const what = words ? "word" : `patch of ${shapeText(patch)}`;
  return { arrays: { heat: f32(sizes, heat.map((value, i) => value / Math.max(covered[i], 1))) }, facts: { patch, patches: boxes.length },
    told: `how far its logit falls without each ${what} (${boxes.length} tried)` };
}

const usualPatch = (n) => (n <= 20 ? 1 : n <= 512 ? Math.floor(n / 7) : Math.floor(n / 40));
function spans(n, patch) {
  const starts = new Set([n - patch]);
  for (let at = 0; at <= n - patch; at += Math.max(1, Math.floor(patch / 2))) starts.add(at);
  return [...starts].sort((a, b) => a - b);
}

const METHODS = { integrated, gradient, cam, occlusion };
