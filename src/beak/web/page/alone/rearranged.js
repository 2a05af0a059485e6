// Layers that move numbers without weights: padding and cutting, upsampling, reshaping.

import { size } from "./windows.js";

// Whence number i of a layer that moves numbers comes: [place, weight] for each, as beak.engine.moves has it.
export function sourcesOf(node, i) {
  const [shape] = node.shapes, { output, fields } = node;
  if (node.kind === "Reshape") return [[fields.last ? firstFrom(shape, lastFrom(output, i)) : i, 1]];
  const along = axesOf(node), place = [], area = size(shape.slice(1)), channel = Math.floor(i / size(output.slice(1)));
  for (let k = output.length - 1, rest = i; k > 0; k--) { place[k - 1] = rest % output[k]; rest = Math.floor(rest / output[k]); }
  let found = [[0, 1]];
  along.forEach((axis, k) => { found = found.flatMap(([at, weight]) => axis(place[k]).map(([j, w]) => [at * shape[k + 1] + j, weight * w])); });
  return found.map(([at, weight]) => [channel * area + at, weight]);
}

// The place of a number counted with the channels last, and of one counted with the channels first.
const lastFrom = (shape, i) => { const places = size(shape.slice(1)); return (i % places) * shape[0] + Math.floor(i / places); };
const firstFrom = (shape, i) => (i % shape[0]) * size(shape.slice(1)) + Math.floor(i / shape[0]);
const each = (value, k) => [value].flat()[Array.isArray(value) ? k : 0];

function axesOf({ kind, fields, shapes: [shape] }) {
  return shape.slice(1).map((length, k) => {
    if (kind === "Pad") { const before = each(fields.before, k); return (i) => (i >= before && i < before + length ? [[i - before, 1]] : []); }
    const factor = each(fields.factor, k);
    if (fields.how === "nearest") return (i) => [[Math.floor(i / factor), 1]];
    return (i) => {
      const middle = Math.min(length - 1, Math.max(0, (i + 0.5) / factor - 0.5)), low = Math.floor(middle), share = middle - low;
      return share ? [[low, 1 - share], [low + 1, share]] : [[low, 1]];
    };
  });
}

export function move(node, [x]) {
  const out = new Float32Array(size(node.output));
  for (let i = 0; i < out.length; i++) out[i] = sourcesOf(node, i).reduce((sum, [at, weight]) => sum + x[at] * weight, 0);
  return out;
}

export function moveBack(node, [x], gradient) {
  const out = new Float64Array(x.length);
  for (let i = 0; i < gradient.length; i++) for (const [at, weight] of sourcesOf(node, i)) out[at] += gradient[i] * weight;
  return [out];
}
