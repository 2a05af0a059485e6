// Each kind of layer, forward and back to what it reads: a row a kind. Activations are the net's.

import { logMel, logMelBack } from "./mel.js";
import { move, moveBack } from "./rearranged.js";
import { avgPool, avgPoolBack, convolve, convolveBack, maxPool, maxPoolBack, size } from "./windows.js";

// (C, …) as channels and places.
const split = ([channels, ...rest]) => [channels, size(rest)];

function dense(node, [x]) {
  const { weight, bias } = node.parameters, [units] = node.output, out = new Float32Array(units);
  for (let u = 0; u < units; u++) {
    let sum = bias ? bias[u] : 0;
    for (let i = 0, w = u * x.length; i < x.length; i++, w++) sum += x[i] * weight[w];
    out[u] = sum;
  }
  return out;
}

function denseBack(node, [x], gradient) {
  const { weight } = node.parameters, out = new Float64Array(x.length);
  for (let u = 0; u < gradient.length; u++) {
    if (!gradient[u]) continue;
    for (let i = 0, w = u * x.length; i < x.length; i++, w++) out[i] += gradient[u] * weight[w];
  }
  return [out];
}

const scaleOf = ({ parameters: { weight, running_var: variance }, fields }, c) => weight[c] / Math.sqrt(variance[c] + fields.epsilon);

function batchNorm(node, [x]) {
  const { bias, running_mean: mean } = node.parameters, [channels, places] = split(node.output), out = new Float32Array(x.length);
  for (let c = 0, i = 0; c < channels; c++) {
    const scale = scaleOf(node, c);
    for (let p = 0; p < places; p++, i++) out[i] = (x[i] - mean[c]) * scale + bias[c];
  }
  return out;
}

function batchNormBack(node, _, gradient) {
  const [channels, places] = split(node.output), out = new Float64Array(gradient.length);
  for (let c = 0, i = 0; c < channels; c++) {
    const scale = scaleOf(node, c);
    for (let p = 0; p < places; p++, i++) out[i] = gradient[i] * scale;
  }
  return [out];
}

// The mean of a place's channels, and one over their deviation.
export function moments(x, place, channels, places, epsilon) {
  let mean = 0, variance = 0;
  for (let c = 0; c < channels; c++) mean += x[c * places + place] / channels;
  for (let c = 0; c < channels; c++) variance += (x[c * places + place] - mean) ** 2 / channels;
  return { mean, variance, inverse: 1 / Math.sqrt(variance + epsilon) };
}

function layerNorm(node, [x]) {
  const { weight, bias } = node.parameters, [channels, places] = split(node.output), out = new Float32Array(x.length);
  for (let p = 0; p < places; p++) {
    const { mean, inverse } = moments(x, p, channels, places, node.fields.epsilon);
    for (let c = 0; c < channels; c++) out[c * places + p] = (x[c * places + p] - mean) * inverse * weight[c] + bias[c];
  }
  return out;
}

function layerNormBack(node, [x], gradient) {
  const { weight } = node.parameters, [channels, places] = split(node.output), out = new Float64Array(x.length);
  for (let p = 0; p < places; p++) {
    const { mean, inverse } = moments(x, p, channels, places, node.fields.epsilon);
    let sum = 0, along = 0;
    for (let c = 0; c < channels; c++) {
      const slope = gradient[c * places + p] * weight[c];
      sum += slope / channels;
      along += slope * (x[c * places + p] - mean) * inverse / channels;
    }
    for (let c = 0; c < channels; c++) {
      const i = c * places + p;
      out[i] = inverse * (gradient[i] * weight[c] - sum - (x[i] - mean) * inverse * along);
    }
  }
  return [out];
}

// Pooling over a whole map is pooling with one window.
const whole = (node) => ({ ...node, geometry: { kernel: [size(node.shapes[0].slice(1))], stride: [1], dilation: [1], padding: [[0, 0]], outputs: [1] },
  shapes: [split(node.shapes[0])] });
const globally = (pool) => (node, ...rest) => pool(whole(node), ...rest);

function embedding(node, [words]) {
  const { weight } = node.parameters, [dimensions, places] = node.output, out = new Float32Array(dimensions * places);
  for (let p = 0; p < places; p++) {
    const row = words[node.fields.begin + p] * dimensions;
    for (let d = 0; d < dimensions; d++) out[d * places + p] = weight[row + d];
  }
  return out;
}

// One bias a place, the same for all channels; a row of numbers has one for each.
function positionBias(node, [x]) {
  const { bias } = node.parameters, out = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = x[i] + bias[i % bias.length];
  return out;
}

function add(node, inputs) {
  const out = new Float32Array(inputs[0].length);
  for (let i = 0; i < out.length; i++) out[i] = inputs.reduce((sum, x) => sum + x[i], 0);
  return out;
}

function concat(node, inputs) {
  const out = new Float32Array(size(node.output));
  inputs.reduce((at, x) => { out.set(x, at); return at + x.length; }, 0);
  return out;
}

function concatBack(node, inputs, gradient) {
  let at = 0;
  return inputs.map((x) => gradient.slice(at, (at += x.length)));
}

// Where a factor's number for output i stands: (C,) beside (C, …) counts for its whole channel.
const factorAt = (node, k, i) => (node.shapes[k].length === node.output.length ? i : Math.floor(i / size(node.output.slice(1))));

function multiply(node, inputs) {
  const out = new Float32Array(size(node.output));
  for (let i = 0; i < out.length; i++) out[i] = inputs.reduce((product, x, k) => product * x[factorAt(node, k, i)], 1);
  return out;
}

function multiplyBack(node, inputs, gradient) {
  return inputs.map((own, k) => {
    const out = new Float64Array(own.length);
    for (let i = 0; i < gradient.length; i++) {
      out[factorAt(node, k, i)] += inputs.reduce((product, x, other) => (other === k ? product : product * x[factorAt(node, other, i)]), gradient[i]);
    }
    return out;
  });
}

const through = [(node, [x]) => Float32Array.from(x), (node, _, gradient) => [gradient]];
const convolution = [convolve, convolveBack], maxima = [maxPool, maxPoolBack], means = [avgPool, avgPoolBack];

export const LAYERS = {
  Conv1D: convolution, Conv2D: convolution, MaxPool1D: maxima, MaxPool2D: maxima, AvgPool1D: means, AvgPool2D: means,
  GlobalMaxPool: maxima.map(globally), GlobalAvgPool: means.map(globally),
  Flatten: through, Dropout: through, Activation: through, PositionBias: [positionBias, through[1]],
  Pad: [move, moveBack], Upsample: [move, moveBack], Reshape: [move, moveBack],
  Dense: [dense, denseBack], BatchNorm: [batchNorm, batchNormBack], LayerNorm: [layerNorm, layerNormBack],
  Embedding: [embedding, (node, [words]) => [new Float64Array(words.length)]], LogMel: [logMel, logMelBack],
  Add: [add, (node, inputs, gradient) => inputs.map(() => gradient)], Concat: [concat, concatBack], Multiply: [multiply, multiplyBack],
};
