// Log-mel spectrograms: power by Fourier transform, gathered into mel bands, logarithm.

const FLOOR = 1e-6;
const STEP = 200 / 3, KNEE = 1000, PER_OCTAVE = 27 / Math.log(6.4); // Slaney's scale
const known = new Map();

function toMel(hertz, scale) {
  if (scale === "htk") return 2595 * Math.log10(1 + hertz / 700);
  return hertz < KNEE ? hertz / STEP : KNEE / STEP + Math.log(hertz / KNEE) * PER_OCTAVE;
}

function toHertz(mel, scale) {
  if (scale === "htk") return 700 * (10 ** (mel / 2595) - 1);
  return mel < KNEE / STEP ? mel * STEP : KNEE * Math.exp((mel - KNEE / STEP) / PER_OCTAVE);
}

// The window, and of each band its first bin and what the bins from there on count.
export function tables(fields) {
  const key = JSON.stringify(fields);
  if (known.has(key)) return known.get(key);
  const size = fields.fft ?? fields.window, bins = size / 2 + 1, highest = fields.fmax ?? fields.rate / 2;
  const hann = new Float64Array(size), before = Math.floor((size - fields.window) / 2);
  for (let i = 0; i < fields.window; i++) hann[before + i] = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / fields.window);
  const low = toMel(fields.fmin, fields.scale), high = toMel(highest, fields.scale);
  const corner = (i) => toHertz(low + ((high - low) * i) / (fields.bands + 1), fields.scale);
  const bands = Array.from({ length: fields.bands }, (_, band) => {
    const [left, middle, right] = [corner(band), corner(band + 1), corner(band + 2)];
    const share = new Float64Array(bins);
    for (let bin = 0; bin < bins; bin++) {
      const hertz = (bin * fields.rate) / 2 / (bins - 1);
      share[bin] = Math.max(0, Math.min((hertz - left) / (middle - left), (right - hertz) / (right - middle))) * (2 / (right - left));
    }
    return share;
  });
  const made = { size, bins, hann, bands, hop: fields.hop };
  known.set(key, made);
  return made;
}

// The transform of complex numbers whose count has no prime factor above 5.
export function fourier(re, im) {
  const n = re.length;
  if (n === 1) return [re, im];
  const p = [2, 3, 5].find((factor) => n % factor === 0) ?? n, m = n / p;
  const parts = Array.from({ length: p }, (_, k) => {
    const [r, i] = [new Float64Array(m), new Float64Array(m)];
    for (let j = 0; j < m; j++) { r[j] = re[j * p + k]; i[j] = im[j * p + k]; }
    return m === 1 ? [r, i] : fourier(r, i);
  });
  const outRe = new Float64Array(n), outIm = new Float64Array(n), [cos, sin] = circle(n);
  for (let f = 0; f < n; f++) {
    for (let k = 0; k < p; k++) {
      const [r, i] = parts[k], at = f % m, turn = (k * f) % n;
      outRe[f] += r[at] * cos[turn] + i[at] * sin[turn];
      outIm[f] += i[at] * cos[turn] - r[at] * sin[turn];
    }
  }
  return [outRe, outIm];
}

const circles = new Map();
function circle(n) {
  if (!circles.has(n)) {
    const angle = (i) => (2 * Math.PI * i) / n;
    circles.set(n, [Float64Array.from({ length: n }, (_, i) => Math.cos(angle(i))), Float64Array.from({ length: n }, (_, i) => Math.sin(angle(i)))]);
  }
  return circles.get(n);
}

export function spectrumAt(samples, begin, { size, hann }) {
  const re = new Float64Array(size);
  for (let i = 0; i < size; i++) re[i] = samples[begin + i] * hann[i];
  return fourier(re, new Float64Array(size));
}

const dot = (share, power) => { let sum = 0; for (let i = 0; i < share.length; i++) sum += share[i] * power[i]; return sum; };
const powerOf = ([re, im], bins) => Float64Array.from({ length: bins }, (_, i) => re[i] * re[i] + im[i] * im[i]);

// Samples to (frames, bands).
export function spectrogram(samples, fields) {
  const made = tables(fields), frames = Math.floor((samples.length - made.size) / made.hop) + 1;
  const out = new Float32Array(frames * fields.bands);
  for (let frame = 0; frame < frames; frame++) {
    const power = powerOf(spectrumAt(samples, frame * made.hop, made), made.bins);
    made.bands.forEach((share, band) => { out[frame * fields.bands + band] = Math.log(dot(share, power) + FLOOR); });
  }
  return out;
}

export const logMel = (node, [x]) => spectrogram(x, node.fields);

export function logMelBack(node, [x], gradient) {
  const made = tables(node.fields), { bands } = node.fields, out = new Float64Array(x.length);
  for (let frame = 0; frame * bands < gradient.length; frame++) {
    const begin = frame * made.hop, [re, im] = spectrumAt(x, begin, made), power = powerOf([re, im], made.bins);
    const by = new Float64Array(made.bins);
    made.bands.forEach((share, band) => {
      const slope = gradient[frame * bands + band] / (dot(share, power) + FLOOR);
      for (let i = 0; i < by.length; i++) by[i] += slope * share[i];
    });
    const r = new Float64Array(made.size), i = new Float64Array(made.size);
    for (let bin = 0; bin < made.bins; bin++) { r[bin] = 2 * by[bin] * re[bin]; i[bin] = -2 * by[bin] * im[bin]; }
    const [back] = fourier(r, i); // the real part of the inverse transform, by way of the conjugate
    for (let n = 0; n < made.size; n++) out[begin + n] += back[n] * made.hann[n];
  }
  return [out];
}
