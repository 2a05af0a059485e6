// A network at work on one input, in plain arrays: every node's numbers, and slopes backwards.

import { applied, appliedBack } from "./functions.js";
import { LAYERS } from "./layers.js";
import { size } from "./windows.js";

export class Net {
  // `told`: {input, nodes: [{name, kind, inputs, shapes, output, fields, geometry, parameters}]},
  // where a parameter is {at, shape}: its first number in `weights`.
  constructor(told, weights) {
    this.input = told.input;
    this.nodes = told.nodes.map((node) => ({ ...node, parameters: Object.fromEntries(Object.entries(node.parameters).map(
      ([name, { at, shape }]) => [name, weights.subarray(at, at + size(shape))])), given: node.parameters, weightShape: node.parameters.weight?.shape }));
    this.byName = new Map(this.nodes.map((node) => [node.name, node]));
    this.last = this.nodes.at(-1);
    this.classifies = functionOf(this.last) === "softmax";
  }

  node(name) {
    const node = this.byName.get(name);
    if (!node) throw new Error(`no layer '${name}'`);
    return node;
  }

  shapeOf(name) {
    return name === "input" ? this.input : this.node(name).output;
  }

  // `given`: the input, and nodes whose numbers are known; up to the node `end`.
  // Returns {values, before}: what comes out of each node, and what came before its activation.
  forward(given, end = this.last.name) {
    const values = new Map(Object.entries(given)), before = new Map();
    const needed = this.leadingTo(end, values);
    for (const node of this.nodes) {
      if (!needed.has(node.name) || values.has(node.name)) continue;
      const sums = LAYERS[node.kind][0](node, node.inputs.map((name) => values.get(name)));
      const name = functionOf(node);
      before.set(node.name, sums);
      values.set(node.name, name ? applied(name, sums, node.output[0], node.fields.slope) : sums);
    }
    return { values, before };
  }

  leadingTo(end, known) {
    const needed = new Set([end]);
    for (const node of [...this.nodes].reverse()) {
      if (needed.has(node.name) && !known.has(node.name)) node.inputs.forEach((name) => needed.add(name));
    }
    return needed;
  }

  logits({ values, before }) {
    return this.classifies ? before.get(this.last.name) : values.get(this.last.name);
  }

  // The slopes of sum(outputs of `start` x gradient), null being the logits, by the outputs of the
  // nodes in `wanted`; nothing is computed that does not lead to one of them. `sums`: of what comes
  // before the activation of `start`.
  backward({ values, before }, start, gradient, wanted, sums = false) {
    const slopes = new Map([[start ?? this.last.name, Float64Array.from(gradient)]]), found = new Map();
    const leads = this.behind(wanted);
    for (const node of [...this.nodes].reverse()) {
      let slope = slopes.get(node.name);
      if (!slope) continue;
      slopes.delete(node.name);
      if (wanted.includes(node.name)) found.set(node.name, slope);
      if (!leads.has(node.name)) continue;
      const name = functionOf(node);
      const plain = (start === null && this.classifies && node === this.last) || (sums && node.name === start);
      if (name && !plain) slope = appliedBack(name, slope, before.get(node.name), node.output[0], node.fields.slope);
      const parts = LAYERS[node.kind][1](node, node.inputs.map((one) => values.get(one)), slope);
      node.inputs.forEach((one, k) => slopes.set(one, slopes.has(one) ? slopes.get(one).map((value, i) => value + parts[k][i]) : parts[k]));
    }
    if (wanted.includes("input")) found.set("input", slopes.get("input"));
    for (const name of wanted) if (!found.get(name)) found.set(name, new Float64Array(size(this.shapeOf(name))));
    return found;
  }

  // The nodes that read one of these, directly or through others.
  behind(names) {
    const known = new Set(names), found = new Set();
    for (const node of this.nodes) {
      if (node.inputs.some((name) => known.has(name))) { known.add(node.name); found.add(node.name); }
    }
    return found;
  }
}

export const functionOf = (node) => node.fields.activation ?? node.fields.function ?? null;
