// Where a network has slopes: its input; of sentences the words' vectors; of samples their spectrogram.

import { size } from "./windows.js";

export function surfaceOf(net) {
  const tables = net.nodes.filter((node) => node.kind === "Embedding");
  if (tables.length) return words(net, tables);
  return net.nodes[0].kind === "LogMel" ? behind(net, net.nodes[0]) : plain(net);
}

// A surface: the `shape` of a point, the point of an input, what the net is given for a point, whose
// slopes are wanted and how they make those of the point.
function plain(net) {
  return asked(net, { start: "input", shape: net.input, point: (values) => Float32Array.from(values),
    given: (point) => ({ input: point }), wanted: ["input"], slopes: (found) => found.get("input") });
}

function behind(net, { name, output }) {
  return asked(net, { start: name, shape: output, point: (values) => net.forward({ input: values }, name).values.get(name),
    given: (point) => ({ [name]: point }), wanted: [name], slopes: (found) => found.get(name) });
}

// Of several tables those of one place are stacked.
function words(net, tables) {
  const [length] = net.input;
  let depth = 0;
  const spans = tables.map(({ name, output: [dimensions, places], fields: { begin } }) => ({ name, from: (depth += dimensions) - dimensions, dimensions, places, begin }));
  const each = (span, visit) => {
    for (let d = 0; d < span.dimensions; d++) for (let p = 0; p < span.places; p++) visit((span.from + d) * length + span.begin + p, d * span.places + p);
  };
  const point = (values) => {
    const out = new Float32Array(depth * length), run = net.forward({ input: values }, tables.at(-1).name);
    spans.forEach((span) => {
      const vectors = run.values.get(span.name) ?? net.forward({ input: values }, span.name).values.get(span.name);
      each(span, (at, own) => { out[at] = vectors[own]; });
    });
    return out;
  };
  const given = (from) => Object.fromEntries(spans.map((span) => {
    const vectors = new Float32Array(span.dimensions * span.places);
    each(span, (at, own) => { vectors[own] = from[at]; });
    return [span.name, vectors];
  }));
  const slopes = (found) => {
    const out = new Float64Array(depth * length);
    spans.forEach((span) => each(span, (at, own) => { out[at] = found.get(span.name)[own]; }));
    return out;
  };
  return asked(net, { start: "words", shape: [depth, length], point, given, wanted: spans.map(({ name }) => name), slopes });
}

function asked(net, surface) {
  // The logits, or a node's numbers, at a point.
  const scores = (point, node = null) => {
    const run = net.forward(surface.given(point), node ?? net.last.name);
    return node === null ? net.logits(run) : run.values.get(node);
  };
  // The slope by the point of sum(scores x pull); `sums`: of a node's numbers before its activation.
  const gradient = (point, pull, node = null, sums = false) => {
    const run = net.forward(surface.given(point), node ?? net.last.name);
    return surface.slopes(net.backward(run, node, pull, surface.wanted, sums));
  };
  return { ...surface, count: size(surface.shape), scores, gradient };
}
