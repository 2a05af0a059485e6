// What one number of a layer is made of: its terms, as beak.lens.rules has them; a row a kind.

import { moments } from "./layers.js";
import { spectrumAt, fourier, tables } from "./mel.js";
import { sourcesOf } from "./rearranged.js";
import { size } from "./windows.js";

export const flatAt = (shape, index) => index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
export function placeAt(shape, flat) {
  const index = new Array(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) { index[axis] = flat % shape[axis]; flat = Math.floor(flat / shape[axis]); }
  return index;
}
const range = (begin, end) => Array.from({ length: end - begin }, (_, i) => begin + i);

// `at` is {node, inputs}; `index` lists a place for each term in input `source`, `weight` its weight.
function read(at, index, weight, rest = {}, source = 0) {
  const shape = at.node.shapes[source], values = at.inputs[source];
  const inside = index.map((place) => place.every((i, axis) => i >= 0 && i < shape[axis]));
  return { index, inside, source: index.map(() => source), how: "sum", constants: [], facts: {}, function: null,
    input: index.map((place, t) => (inside[t] ? values[flatAt(shape, place)] : 0)), weight: index.map((_, t) => (typeof weight === "number" ? weight : weight[t])), ...rest };
}
const one = (at, index, weight = 1, rest = {}, source = 0) => read(at, [index], weight, rest, source);

function bias({ node }, index, name = "bias") {
  const values = node.parameters[name];
  if (!values) return [];
  const shape = name === "bias" && node.kind === "PositionBias" ? node.shapes[0].slice(1) : [values.length];
  return [{ name, value: values[flatAt(shape.length ? shape : [values.length], index)], parameter: `${node.name}.${name}`, index }];
}
const constant = (name, value) => ({ name, value, parameter: null, index: [] });

// Every place of the window that an output sees, in these channels.
export function windowPlaces(node, index, channels) {
  const { kernel, stride, padding, dilation } = node.geometry;
  const along = kernel.map((taps, axis) => range(0, taps).map((t) => index[axis + 1] * stride[axis] - padding[axis][0] + dilation[axis] * t));
  const spots = along.reduce((made, axis) => made.flatMap((place) => axis.map((i) => [...place, i])), [[]]);
  return channels.flatMap((channel) => spots.map((spot) => [channel, ...spot]));
}

function convolution(at, index) {
  const { node } = at, [filter] = index, { weight } = node.parameters, each = node.weightShape.slice(1), count = size(each);
  const first = Math.floor(filter / (node.output[0] / node.fields.groups)) * each[0];
  const places = windowPlaces(node, index, range(first, first + each[0]));
  return read(at, places, weight.subarray(filter * count, (filter + 1) * count), { constants: bias(at, [filter]), facts: { filter, window: each, channels: [first, first + each[0]] } });
}

function dense(at, index) {
  const [inputs] = at.node.shapes[0], { weight } = at.node.parameters;
  const own = weight.subarray(index[0] * inputs, (index[0] + 1) * inputs);
  return read(at, range(0, inputs).map((i) => [i]), own, { constants: bias(at, index), facts: { unit: index[0] } });
}

const windowOf = ({ geometry, shapes }) => [1, ...(geometry ? geometry.kernel : shapes[0].slice(1))];

function largest(at, places) {
  const terms = read(at, places, 0);
  const last = terms.input.findLastIndex((value, i) => terms.inside[i] && Number.isNaN(value));
  const most = terms.input.reduce((best, value, i) => (terms.inside[i] && value > best ? value : best), -Infinity);
  const ties = last >= 0 ? [last] : range(0, places.length).filter((i) => terms.inside[i] && terms.input[i] === most);
  terms.weight[ties[0]] = 1;
  return { ...terms, facts: { winner: ties[0], ties, window: windowOf(at.node) } };
}

function mean(at, places) {
  const { inside } = read(at, places, 0), counted = inside.filter(Boolean).length;
  return read(at, places, inside.map((is) => (is ? 1 / counted : 0)), { facts: { counted, window: windowOf(at.node) } });
}

const window = (at, index) => windowPlaces(at.node, index, [index[0]]);
function map(at, [channel]) {
  const sizes = at.node.shapes[0].slice(1);
  return range(0, size(sizes)).map((i) => [channel, ...placeAt(sizes, i)]);
}

function batchNorm(at, index) {
  const { parameters: p, fields } = at.node, [c] = index, deviation = Math.sqrt(p.running_var[c] + fields.epsilon);
  const scale = p.weight[c] / deviation, own = bias(at, [c]), shift = constant("- mean x scale", -p.running_mean[c] * scale);
  return one(at, index, scale, { constants: [shift, ...own], facts: { mean: p.running_mean[c], variance: p.running_var[c], epsilon: fields.epsilon,
    deviation, weight: p.weight[c], folded: { scale, shift: own[0].value + shift.value } } });
}

function layerNorm(at, index) {
  const { parameters: p, fields, shapes: [shape] } = at.node, [c, ...place] = index, [channels] = shape, places = size(shape.slice(1));
  const { mean: middle, variance } = moments(at.inputs[0], flatAt(shape.slice(1), place), channels, places, fields.epsilon);
  const deviation = Math.sqrt(variance + fields.epsilon), scale = p.weight[c] / deviation;
  return read(at, range(0, channels).map((k) => [k, ...place]), range(0, channels).map((k) => ((k === c) - 1 / channels) * scale),
    { constants: bias(at, [c]), facts: { mean: middle, variance, epsilon: fields.epsilon, deviation, weight: p.weight[c], scale } });
}

function embedding(at, [dimension, at_]) {
  const place = at_ + at.node.fields.begin, word = at.inputs[0][place];
  const terms = one(at, [place], at.node.parameters.weight[word * at.node.output[0] + dimension], { facts: { word, dimension } });
  return { ...terms, input: [1] };
}

function logMel(at, [, frame, band]) {
  const made = tables(at.node.fields), share = made.bands[band], begin = frame * made.hop, heard = range(0, made.bins).filter((bin) => share[bin]);
  const [re, im] = spectrumAt(at.inputs[0], begin, made), r = new Float64Array(made.size), i = new Float64Array(made.size);
  for (const bin of heard) { r[bin] = share[bin] * re[bin]; i[bin] = -share[bin] * im[bin]; }
  const [weight] = fourier(r, i), lead = at.node.shapes[0].slice(1).map(() => 0);
  return read(at, range(0, made.size).map((n) => [...lead, begin + n]), Array.from(weight, (value, n) => value * made.hann[n]),
    { constants: [constant("floor", 1e-6)], function: "ln", facts: { frame, band, hertz: heard.map((bin) => (bin * at.node.fields.rate) / made.size),
      power: heard.map((bin) => re[bin] ** 2 + im[bin] ** 2), share: heard.map((bin) => share[bin]) } });
}

// Terms of several inputs behind each other; places of shorter shapes end in zeros.
function together(parts, how) {
  const axes = Math.max(...parts.map((part) => part.index[0].length));
  const joined = Object.fromEntries(["index", "inside", "source", "input", "weight"].map((name) => [name, parts.flatMap((part) => part[name])]));
  return { ...parts[0], ...joined, how, index: joined.index.map((place) => [...place, ...new Array(axes - place.length).fill(0)]) };
}

function concat(at, [channel, ...place]) {
  const source = at.node.shapes.findIndex(([channels]) => { if (channel < channels) return true; channel -= channels; return false; });
  return one(at, [channel, ...place], 1, {}, source);
}

// What moves numbers: each comes from a place or several; from none it is padding.
function moved(at, index) {
  const { node } = at, [shape] = node.shapes, found = sourcesOf(node, flatAt(node.output, index));
  if (!found.length) return one(at, [index[0], ...shape.slice(1).map(() => -1)]);
  return read(at, found.map(([place]) => placeAt(shape, place)), found.map(([, weight]) => weight));
}

const same = (at, index) => one(at, index);
export const TERMS = {
  Conv1D: convolution, Conv2D: convolution, Dense: dense, BatchNorm: batchNorm, LayerNorm: layerNorm, Embedding: embedding, LogMel: logMel,
  MaxPool1D: (at, index) => largest(at, window(at, index)), MaxPool2D: (at, index) => largest(at, window(at, index)), GlobalMaxPool: (at, index) => largest(at, map(at, index)),
  AvgPool1D: (at, index) => mean(at, window(at, index)), AvgPool2D: (at, index) => mean(at, window(at, index)), GlobalAvgPool: (at, index) => mean(at, map(at, index)),
  Flatten: (at, index) => one(at, placeAt(at.node.shapes[0], index[0])), Dropout: same, Activation: same, Concat: concat,
  Pad: moved, Upsample: moved, Reshape: moved,
  PositionBias: (at, index) => one(at, index, 1, { constants: bias(at, index.length > 1 ? index.slice(1) : index) }),
  Add: (at, index) => together(at.inputs.map((_, k) => one(at, index, 1, {}, k)), "sum"),
  Multiply: (at, index) => together(at.inputs.map((_, k) => one(at, index.slice(0, at.node.shapes[k].length), 1, {}, k)), "product"),
};

// A weight of 0 on infinity is nothing, as in a maximum.
export const products = ({ input, weight }) => input.map((value, i) => (weight[i] === 0 ? 0 : value * weight[i]));
const sum = (values) => values.reduce((a, b) => a + b, 0);
export function totalOf(terms) {
  if (terms.how === "product") return terms.input.reduce((a, b) => a * b, 1);
  return sum(products(terms)) + sum(terms.constants.map(({ value }) => value));
}
export function scaleOf(terms) {
  if (terms.how === "product") return Math.abs(totalOf(terms));
  return sum(products(terms).map(Math.abs)) + sum(terms.constants.map(({ value }) => Math.abs(value)));
}
