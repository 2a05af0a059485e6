// What pooling forgives: the input shifted by a step, and how far each layer's output moves.

import { afford, labelOf } from "./cost.js";
import { size } from "./windows.js";
import { grouped } from "./words.js";

export function forgives(engine, { seen, shift = 1 }) {
  shift = Number(shift);
  const { net } = engine, shape = net.input, words = engine.run.spec.kind === "texts", own = engine.look(seen).values;
  if (shape.length === 1 && !words && net.nodes[0].kind !== "LogMel") throw new Error("this network reads a row of numbers without places; nothing to shift");
  const axes = shape.length === 1 ? [0] : shape.slice(1).map((_, i) => i + 1);
  if (shift < 1 || axes.some((axis) => shift >= shape[axis])) throw new Error(`a shift of ${shift} leaves nothing of an input of ${shape.join("x")}`);
  const ways = axes.flatMap((axis) => [[axis, -shift], [axis, shift]]);
  afford(engine, ways.length);
  const found = ways.map(([axis, by]) => net.forward({ input: shifted(seen.values, shape, axis, by) }).values);
  const names = ["input", ...net.nodes.map((node) => node.name)].filter((name) => name !== "input" || !words);
  const each = (of) => names.map((name) => found.map((values) => of(own.get(name), values.get(name))));
  const change = each(away), likeness = each(alike), answers = [own, ...found].map((values) => values.get(net.last.name));
  const best = answers.map((values) => values.reduce((most, value, i) => (value > values[most] ? i : most), 0));
  const same = best.slice(1).filter((answer) => answer === best[0]).length, mean = (row) => row.reduce((a, b) => a + b, 0) / row.length;
  const table = (rows) => ({ shape: [rows.length, rows[0].length], values: Float32Array.from(rows.flatMap((row) => Array.from(row))) });
  const kindOf = (name) => (name === "input" ? "input" : net.node(name).kind), label = labelOf(engine, best[0]);
  return { what: "forgives", caption: `Shifted by ${shift}, the ${names[0]} changes by ${grouped(100 * mean(change[0]))} % of its size and the answer by ${(100 * mean(change.at(-1))).toFixed(1)} %; ${same} of ${ways.length} ways keep it '${label}'.`,
    arrays: { change: table(change), likeness: table(likeness), answers: table(answers) },
    facts: { shift, ways: ways.map(([axis, by]) => wayOf(shape, axis, by)), layers: names.map((name, i) => ({ name, kind: kindOf(name), change: mean(change[i]) })), answer: label, same_answer: same } };
}

// Moved along an axis; the edge that comes in is a copy of the edge.
function shifted(values, shape, axis, by) {
  const n = shape[axis], inner = size(shape.slice(axis + 1));
  return values.map((_, i) => {
    const at = Math.floor(i / inner) % n;
    return values[i + (Math.min(Math.max(at - by, 0), n - 1) - at) * inner];
  });
}

const length = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
function away(before, after) {
  const moved = Math.sqrt(before.reduce((sum, value, i) => sum + (after[i] - value) ** 2, 0)), own = length(before);
  return own ? moved / own : moved > 0 ? Infinity : 0;
}
const alike = (before, after) => before.reduce((sum, value, i) => sum + value * after[i], 0) / (length(before) * length(after) || 1);
const wayOf = (shape, axis, by) => (shape.length === 3 ? { 1: ["up", "down"], 2: ["left", "right"] }[axis] : ["back", "on"])[by < 0 ? 0 : 1];
