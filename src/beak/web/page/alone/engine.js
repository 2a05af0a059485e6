// What computes: in a worker, or in the page itself where there can be none. It knows nothing of the
// page: a question comes in, plain data goes out.

import { arithmetic } from "./arithmetic.js";
import { forgives } from "./forgives.js";
import { looksFor } from "./looks.js";
import { moved } from "./moved.js";
import { Net } from "./net.js";
import { prepared as preparedGo } from "./go.js";
import { prepared as preparedPicture } from "./picture.js";
import { prepared as preparedSound } from "./sound.js";
import { prepared as preparedText } from "./text.js";
import { filters, twin } from "./weights.js";

const PREPARE = { go: preparedGo, pictures: preparedPicture, sounds: preparedSound, texts: preparedText };

const unpacked = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;

// One raw input as the network reads it: {values, places, notes, about}.
export function prepare(raw, spec) {
  if (!PREPARE[spec.kind]) throw new Error(`inputs of ${spec.kind} cannot be given here`);
  return PREPARE[spec.kind](raw, spec);
}

export class Engine {
  constructor(run) {
    this.run = run;
    this.net = new Net(run, new Float32Array(unpacked(run.weights)));
    this.looks = new Map();
  }

  // {question, …} to its answer; errors are for people.
  answer({ question, ...given }) {
    return QUESTIONS[question](this, given);
  }

  // One input's way through the network; the last few are kept by their mark.
  look(seen) {
    if (!this.looks.has(seen.mark)) {
      this.looks.set(seen.mark, this.net.forward({ input: seen.values }));
      if (this.looks.size > 3) this.looks.delete(this.looks.keys().next().value);
    }
    return this.looks.get(seen.mark);
  }
}

// Everything the page draws of an input: as the server packs it, but that the numbers stand apart.
function maps(engine, { seen }) {
  const look = engine.look(seen), { net } = engine, answers = Array.from(look.values.get(net.last.name));
  const layers = [["input", seen.values], ...net.nodes.map((node) => [node.name, look.values.get(node.name)])].map(([name, values]) => {
    let least = Infinity, greatest = -Infinity;
    for (const value of values) { if (value < least) least = value; if (value > greatest) greatest = value; }
    return { name, shape: net.shapeOf(name), least, greatest, finite: Number.isFinite(least + greatest), type: "f4", values: Float32Array.from(values) };
  });
  return { answers, logits: Array.from(net.logits(look)), best: answers.reduce((best, value, i) => (value > answers[best] ? i : best), 0), layers };
}

export const QUESTIONS = {
  prepare: ({ run }, { raw }) => prepare(raw, run.spec),
  maps, cell: arithmetic, filters, twin, moved, forgives, "looks-for": looksFor,
};

// In a worker: the run comes first, then questions, each answered under its number.
export function work(scope) {
  let engine = null;
  scope.onmessage = ({ data: { number, run, ...question } }) => {
    try {
      if (run) engine = new Engine(run);
      else scope.postMessage({ number, answer: engine.answer(question) });
    } catch (error) {
      scope.postMessage({ number, error: error.message });
    }
  };
}
