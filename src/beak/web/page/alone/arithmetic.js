// The arithmetic of a cell: which inputs times which weights make this number, term by term.

import { pairOf } from "./functions.js";
import { functionOf } from "./net.js";
import { flatAt, placeAt, products, scaleOf, TERMS, totalOf } from "./terms.js";
import { general, grouped, plural } from "./words.js";

const FORMULAS = {
  Conv1D: "sum of inputs x weights + bias", Conv2D: "sum of inputs x weights + bias", Dense: "sum of inputs x weights + bias",
  MaxPool1D: "the largest input of the window", MaxPool2D: "the largest input of the window", GlobalMaxPool: "the largest input of the map",
  AvgPool1D: "mean of the window's inputs", AvgPool2D: "mean of the window's inputs", GlobalAvgPool: "mean of the map's inputs",
  Pad: "the input, at another place, or 0", Upsample: "the input nearest, or a mean of those about it", Reshape: "the input, at another place",
  Flatten: "the input, at another place", BatchNorm: "(input - mean) x weight / sqrt(variance + epsilon) + bias",
  LayerNorm: "(input - mean of channels) x weight / sqrt(variance + epsilon) + bias", Dropout: "the input (dropout does nothing in prediction)",
  Activation: "a function of the input", Embedding: "the word's number in the table", LogMel: "ln of the band's energy, to which each sample of the frame adds",
  PositionBias: "input + this place's bias", Add: "sum of the inputs", Concat: "the input, behind the channels of others", Multiply: "product of the inputs",
};
const POOLS = ["MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D"];

export function arithmetic(engine, { layer, cell, seen }) {
  const { net } = engine, { values } = engine.look(seen), node = net.node(layer ?? net.last.name);
  const index = chosen(node, cell, values.get(node.name));
  const terms = termsOf(net, values, node, index), total = totalOf(terms), before = terms.function === "ln" ? Math.log(total) : total;
  const step = activation(net, values, node, index, before), value = step ? step.value : before, own = values.get(node.name)[flatAt(node.output, index)];
  const facts = { node: node.name, kind: node.kind, index, shape: node.output, formula: FORMULAS[node.kind], how: terms.how,
    sources: node.inputs.map((name, k) => ({ name, shape: node.shapes[k] })), constants: terms.constants, sum: total, function: terms.function, before,
    activation: step, value, scale: Math.max(scaleOf(terms), Math.abs(value)), engine: own, difference: value - own, ...terms.facts,
    pooled: pooled(net, values, node, index) };
  const arrays = arraysOf(terms);
  if (node.kind === "BatchNorm") facts.folded = { ...terms.facts.folded, ...fold(net, values, node, index, arrays, terms.facts.folded) };
  return { what: "arithmetic", caption: caption(facts, terms), facts, arrays };
}

function chosen(node, cell, values) {
  const index = cell === undefined ? placeAt(node.output, values.reduce((best, value, i) => (value > values[best] ? i : best), 0)) : cell.split(",").map(Number);
  if (index.length === node.output.length && index.every((i, axis) => Number.isInteger(i) && i >= 0 && i < node.output[axis])) return index;
  throw new Error(`no cell [${index.join(", ")}] in ${node.name}, which is ${node.output.join("x")}; ${node.output.map(() => 0)} to ${node.output.map((n) => n - 1)} are there`);
}

const termsOf = (net, values, node, index) => TERMS[node.kind]({ node, inputs: node.inputs.map((name) => values.get(name)) }, index);

function arraysOf(terms, prefix = "") {
  const flat = (values, Kind) => ({ shape: [values.length], values: Kind.from(values) });
  const all = { index: { shape: [terms.index.length, terms.index[0].length], values: Int32Array.from(terms.index.flat()) }, inside: flat(terms.inside, Uint8Array),
    source: flat(terms.source, Int32Array), input: flat(terms.input, Float64Array), weight: flat(terms.weight, Float64Array), product: flat(products(terms), Float64Array) };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !prefix || name !== "source").map(([name, array]) => [prefix + name, array]));
}

// What the layer's activation makes of the sum; softmax looks at all channels of the place.
function activation(net, values, node, index, before) {
  const name = functionOf(node);
  if (!name) return null;
  if (name !== "softmax") return { function: name, before, value: pairOf(name, node.fields.slope)[0](before) };
  const all = Array.from({ length: node.output[0] }, (_, channel) => totalOf(termsOf(net, values, node, [channel, ...index.slice(1)])));
  const largest = all.reduce((a, b) => Math.max(a, b)), powers = all.map((sum) => Math.exp(sum - largest)), together = powers.reduce((a, b) => a + b);
  return { function: name, before, value: powers[index[0]] / together, largest, all_before: all, powers, sum_of_powers: together };
}

// The same number with the norm folded into the convolution before it, as predicting may do.
function fold(net, values, norm, index, arrays, { scale, shift }) {
  const [before] = norm.inputs, readers = net.nodes.filter((node) => node.inputs.includes(before));
  const node = before === "input" ? null : net.node(before);
  if (!node || readers.length !== 1 || !["Conv1D", "Conv2D"].includes(node.kind) || functionOf(node)) return { into: null };
  const terms = termsOf(net, values, node, index), folded = { ...terms, weight: terms.weight.map((weight) => weight * scale) };
  const bias = scale * terms.constants.reduce((sum, { value }) => sum + value, 0) + shift;
  Object.assign(arrays, arraysOf(folded, "folded_"));
  return { into: before, bias, value: products(folded).reduce((a, b) => a + b, bias) };
}

// The cells of a pooling layer behind that have this number under their window.
function pooled(net, values, node, index) {
  return net.nodes.filter((after) => after.inputs.includes(node.name) && POOLS.includes(after.kind)).flatMap((after) => {
    const { kernel, stride, padding, outputs } = after.geometry;
    const along = kernel.map((taps, axis) => Array.from({ length: outputs[axis] }, (_, o) => o).filter((o) => {
      const begin = o * stride[axis] - padding[axis][0];
      return begin <= index[axis + 1] && index[axis + 1] < begin + taps;
    }));
    return along.reduce((made, axis) => made.flatMap((place) => axis.map((o) => [...place, o])), [[]]).map((place) => {
      const cell = [index[0], ...place], terms = termsOf(net, values, after, cell);
      const mine = terms.index.findIndex((spot) => spot.every((i, axis) => i === index[axis]));
      return { node: after.name, index: cell, value: totalOf(terms), weight: terms.weight[mine] };
    });
  });
}

function caption({ node, index, activation: step, value, formula }, { inside }) {
  const real = inside.filter(Boolean).length, padding = inside.length - real;
  const counted = `${grouped(real)} number${plural(real)}${padding ? ` (${padding} more are padding)` : ""}`;
  return `${node}[${index.join(", ")}] = ${general(value, 6)}: ${formula}, from ${counted}${step ? `, then ${step.function}` : ""}.`;
}
