// What all parts of the page know: the network, its layers by name, the input's maps.

import { grey, largestOf, signed } from "./colour.js";
import { geometry } from "./geometry.js";

export const world = { network: null, layers: new Map(), maps: null };

export function meet(network) {
  world.network = network;
  world.layers = new Map(network.layers.map((layer) => [layer.name, layer]));
}

// Whether another library computes some layers, which beak does not open.
export const hasBoxes = () => world.network.layers.some((layer) => layer.kind === "Opaque");

// How numbers of a shape lie: spectrograms and what is made of them with time to the right.
export const isTurned = (shape) => world.network.kind === "sounds" && shape.length === 3;
export const lying = (shape) => geometry(shape, isTurned(shape));

export const shapeOf = (name) => (name === "input" ? world.network.input : world.layers.get(name).output);

export const isColour = (name) =>
  name === "input" && world.network.kind === "pictures" && world.network.input[0] === 3;

// How a layer's numbers are coloured: pictures as they are, all else around zero.
export function colourOf(name, values) {
  const { bounds, kind } = world.network;
  if (name === "input" && kind === "pictures" && bounds) {
    const scales = bounds[0].map((least, k) => grey(least, bounds[1][k]));
    return isColour(name) ? (value, channel) => scales[channel](value) : scales[0];
  }
  return signed(largestOf(values));
}

export const valuesOf = (name) => world.maps?.layers.get(name)?.values;

// What a layer does, in a word that a newcomer knows.
const SAID = {
  Conv1D: "convolution", Conv2D: "convolution", MaxPool1D: "max pooling", MaxPool2D: "max pooling",
  AvgPool1D: "average pooling", AvgPool2D: "average pooling", Dense: "fully connected", Flatten: "in a row",
  Activation: "activation", BatchNorm: "batch norm", LayerNorm: "layer norm", Add: "sum", Concat: "side by side",
  Multiply: "product", Embedding: "word vectors", GlobalAvgPool: "mean of each map", GlobalMaxPool: "largest of each map",
  Pad: "edges added or cut", Upsample: "upsampling", Reshape: "another shape", Dropout: "dropout (off)", LogMel: "spectrogram", PositionBias: "bias for each place",
};
export function said(layer) {
  const fields = layer.fields || {};
  if (layer.kind === "Opaque") return `${fields.operator}, a box that ${fields.by ?? "ONNX"} computes`;
  const kernel = fields.kernel ?? fields.window;
  const size = kernel === undefined ? "" : ` ${[kernel].flat().length === 1 && layer.kind.endsWith("2D") ? `${kernel}×${kernel}` : [kernel].flat().join("×")}`;
  const then = fields.activation || (layer.kind === "Activation" ? fields.function : "");
  return `${SAID[layer.kind] || layer.kind}${size}${then ? `, ${then}` : ""}`;
}
