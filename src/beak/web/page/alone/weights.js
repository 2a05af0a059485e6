// What a network is, whatever comes in: a layer's weights as patterns, and a convolution as a matrix.

import { flatAt, placeAt, windowPlaces } from "./terms.js";
import { size } from "./windows.js";
import { grouped, shapeText } from "./words.js";

const KINDS = ["Conv1D", "Conv2D", "Dense"];
const SHOWN = [128, 256];
const MOST_EDGES = 4_000_000;

const having = (net) => net.nodes.filter((node) => Object.keys(node.parameters).length);

export function filters({ net }, { layer }) {
  const node = layer === undefined ? having(net)[0] : net.node(layer);
  if (!node) throw new Error("the network has no weights to show");
  const own = node.parameters, names = Object.keys(own);
  if (!names.length) throw new Error(`'${node.name}' has no weights; these have: ${having(net).slice(0, 12).map((one) => one.name).join(", ")}`);
  const [first] = names, one = own.weight ?? own[first], { shape, what } = arranged(net, node), each = shape.slice(1), count = size(each);
  const parts = Array.from({ length: shape[0] }, (_, i) => one.subarray(i * count, (i + 1) * count));
  const arrays = Object.fromEntries(names.map((name) => [name, { shape: name === "weight" ? shape : node.given[name].shape, values: own[name] }]));
  if (!own.weight) arrays.pattern = { shape, values: one };
  return { what: "filters", caption: `${node.name}: ${shape[0]} ${what}.`, arrays, facts: { layer: node.name, kind: node.kind, each, numbers_each: count,
    lengths: parts.map((part) => Math.sqrt(part.reduce((sum, value) => sum + value * value, 0))), largest: one.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    parameters: Object.fromEntries(names.map((name) => [name, own[name].length])) } };
}

function arranged(net, node) {
  const shape = node.weightShape;
  if (node.kind === "Dense") {
    const from = flattenedFrom(net, node.inputs[0]);
    return { shape: [shape[0], ...from], what: `units of ${shape[1]} weights each${from.length > 1 ? ` on maps of ${shapeText(from)}` : ""}` };
  }
  if (node.kind === "Embedding") return { shape, what: `words with a vector of ${shape[1]} numbers each` };
  if (node.kind.startsWith("Conv")) return { shape, what: `filters of ${shapeText(shape.slice(1))} numbers (channels first)` };
  if (shape) return { shape, what: "channels, each with a scale and a shift" };
  const places = node.shapes[0].length > 1 ? node.shapes[0].slice(1) : node.shapes[0];
  return { shape: [1, ...places], what: `bias for each of ${size(places)} places` };
}

// The shape of the maps that a row of numbers lay in before Flatten (and Dropout).
function flattenedFrom(net, name) {
  while (name !== "input") {
    const node = net.node(name);
    if (node.kind === "Flatten") return node.shapes[0];
    if (!["Dropout", "Activation"].includes(node.kind)) return node.output;
    [name] = node.inputs;
  }
  return net.input;
}

export function twin({ net }, { layer, rows, columns }) {
  const node = layer === undefined ? net.nodes.find((one) => one.kind.startsWith("Conv")) : net.node(layer);
  if (!node) throw new Error("the network has no convolution; the twin is one of a convolution");
  if (!KINDS.includes(node.kind)) throw new Error(`'${node.name}' is a ${node.kind}; the twin is for ${net.nodes.filter((one) => KINDS.includes(one.kind)).slice(0, 12).map((one) => one.name).join(", ")}`);
  const [shape] = node.shapes, span = checked("rows", rows, size(node.output), SHOWN[0]), across = checked("columns", columns, size(shape), SHOWN[1]);
  const taps = size(node.weightShape.slice(1)), each = size(node.output.slice(1)), { weight, bias } = node.parameters;
  if ((span[1] - span[0]) * taps > MOST_EDGES) throw new Error(`${grouped(span[1] - span[0])} rows of ${grouped(taps)} weights are too many at once; ask for at most ${grouped(Math.max(1, Math.floor(MOST_EDGES / taps)))} rows`);
  const found = { row: [], column: [], shared: [] };
  for (let row = span[0]; row < span[1]; row++) {
    for (const { column, tap } of edgesOf(node, row, taps)) {
      if (column < across[0] || column >= across[1]) continue;
      found.row.push(row); found.column.push(column); found.shared.push(tap);
    }
  }
  const flat = (values, Kind = Int32Array) => ({ shape: [values.length], values: Kind.from(values) });
  const arrays = { row: flat(found.row), column: flat(found.column), shared: flat(found.shared), value: flat(found.shared.map((i) => weight[i]), Float32Array) };
  const which = Array.from({ length: span[1] - span[0] }, (_, i) => Math.floor((span[0] + i) / each));
  if (bias) Object.assign(arrays, { bias: flat(which.map((i) => bias[i]), Float32Array), bias_shared: flat(which) });
  const edges = edgeCounts(node);
  return { what: "twin", caption: caption(node, edges), arrays, facts: { layer: node.name, kind: node.kind, input_shape: shape, output_shape: node.output,
    rows: span, columns: across, all_rows: size(node.output), all_columns: size(shape), edges } };
}

// The inputs that an output reads, and which weight each has.
function edgesOf(node, row, taps) {
  const [shape] = node.shapes, place = placeAt(node.output, row);
  if (node.kind === "Dense") return Array.from({ length: shape[0] }, (_, column) => ({ column, tap: row * taps + column }));
  const depth = node.weightShape[1], first = Math.floor(place[0] / (node.output[0] / node.fields.groups)) * depth;
  const places = windowPlaces(node, place, Array.from({ length: depth }, (_, c) => first + c));
  return places.flatMap((at, t) => (at.every((i, axis) => i >= 0 && i < shape[axis]) ? [{ column: flatAt(shape, at), tap: place[0] * taps + t }] : []));
}

function edgeCounts(node) {
  const [shape] = node.shapes, all = size(shape) * size(node.output), shared = size(node.weightShape), { bias } = node.parameters;
  let kept = shared;
  if (node.kind !== "Dense") {
    const { kernel, stride, padding, dilation, outputs } = node.geometry;
    kept = node.weightShape[0] * node.weightShape[1];
    kernel.forEach((taps, axis) => {
      let inside = 0;
      for (let o = 0; o < outputs[axis]; o++) for (let t = 0; t < taps; t++) { const at = o * stride[axis] - padding[axis][0] + dilation[axis] * t; inside += at >= 0 && at < shape[axis + 1]; }
      kept *= inside;
    });
  }
  return { all, kept, shared, all_biases: bias ? size(node.output) : 0, shared_biases: bias ? bias.length : 0 };
}

function checked(what, words, length, shown) {
  const [begin, end] = words === undefined ? [0, Math.min(length, shown)] : words.split(",").map(Number);
  if (!(begin >= 0 && begin < end && end <= length)) throw new Error(`${what} ${begin} to ${end}: 0 to ${grouped(length)} are there`);
  return [begin, end];
}

function caption(node, { all, kept, shared }) {
  const [shape] = node.shapes, sizes = `${grouped(size(shape))} inputs (${shapeText(shape)}) to ${grouped(size(node.output))} outputs`;
  if (node.kind === "Dense") return `${node.name}, ${sizes}: fully connected, all ${grouped(all)} weights its own.`;
  return `${node.name}, ${sizes}: fully connected ${grouped(all)} weights; the convolution keeps ${grouped(kept)} edges and shares ${grouped(shared)} weights among them, ${grouped(all / shared)} times fewer.`;
}
