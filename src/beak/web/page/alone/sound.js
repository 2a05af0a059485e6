// A recording as the network hears it: its length, its loudness, its spectrogram.

import { spectrogram } from "./mel.js";

const FULL = 32768, QUIET = 1e-4, LOUDNESS = 0.1;

// {samples: Float32Array at the network's rate} to {values, notes}.
export function prepared({ samples }, spec) {
  if (!samples.length) throw new Error(`it is too short for ${spec.rate} samples a second`);
  const notes = samples.length > 1.05 * spec.samples
    ? [`${(samples.length / spec.rate).toFixed(1)} s long: the loudest ${(spec.samples / spec.rate).toFixed(1)} s are heard`] : [];
  const heard = even(stored(fitted(samples, spec)), spec);
  if (spec.features === "samples") return { values: heard.map((value) => Math.fround(value - spec.mean[0]) / spec.std[0]), notes };
  const values = spectrogram(heard, spec);
  return { values: values.map((value, i) => (value - spec.mean[i % spec.bands]) / spec.std[i % spec.bands]), notes };
}

// Shorter ones stand in the middle of silence, of longer ones the loudest stretch is taken.
function fitted(samples, { samples: wanted, hop }) {
  const out = new Float32Array(wanted);
  if (samples.length <= wanted) { out.set(samples, Math.floor((wanted - samples.length) / 2)); return out; }
  const sums = new Float64Array(samples.length + 1);
  samples.forEach((value, i) => { sums[i + 1] = sums[i] + value * value; });
  let best = 0;
  for (let at = 0; at + wanted <= samples.length; at += hop) if (sums[at + wanted] - sums[at] > sums[best + wanted] - sums[best]) best = at;
  out.set(samples.subarray(best, best + wanted));
  return out;
}

// As whole numbers of 16 bits, halves to the even one, and back.
function stored(samples) {
  const rounded = (value) => { const low = Math.floor(value), over = value - low; return over > 0.5 || (over === 0.5 && low % 2) ? low + 1 : low; };
  return samples.map((value) => Math.min(Math.max(rounded(value * FULL), -FULL), FULL - 1) / FULL);
}

function even(values, { level, hop }) {
  if (level !== "even") return values;
  const powers = [];
  for (let at = 0; at + hop <= values.length; at += hop) powers.push(values.subarray(at, at + hop).reduce((sum, value) => sum + value * value, 0) / hop);
  const tenth = powers.sort((a, b) => b - a).slice(0, Math.max(1, Math.floor(powers.length / 10)));
  const loud = Math.sqrt(tenth.reduce((a, b) => a + b, 0) / tenth.length);
  return loud > QUIET ? values.map((value) => value * Math.fround(LOUDNESS / loud)) : values;
}
