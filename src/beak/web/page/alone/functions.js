// The activations and their slopes; softmax goes over all channels of a place.

const LEAK = 0.01;
const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

// The chance that a standard normal number is below x: W. H. Press et al., Numerical Recipes, erfc
// by Chebyshev's coefficients; its relative error is below 1.2e-7 everywhere.
const ERFC = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
function erfc(x) {
  const z = Math.abs(x), t = 1 / (1 + 0.5 * z);
  const sum = ERFC.reduceRight((total, coefficient) => coefficient + t * total, 0);
  const upper = t * Math.exp(-z * z + sum);
  return x >= 0 ? upper : 2 - upper;
}
const below = (x) => 0.5 * erfc(-x / Math.SQRT2);

// One number in, one out: the function, and its slope.
export const FUNCTIONS = {
  relu: [(x) => (x > 0 || x !== x ? x : 0), (x) => (x <= 0 ? 0 : 1)],
  leaky_relu: [(x) => (x > 0 ? x : LEAK * x), (x) => (x > 0 ? 1 : LEAK)],
  gelu: [(x) => (x === -Infinity ? 0 : x * below(x)), (x) => below(x) + x * Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)],
  silu: [(x) => x * sigmoid(x), (x) => { const s = sigmoid(x); return s * (1 + x * (1 - s)); }],
  hard_swish: [(x) => x * Math.min(Math.max(x + 3, 0), 6) / 6, (x) => (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1)],
  tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
  sigmoid: [sigmoid, (x) => { const s = sigmoid(x); return s * (1 - s); }],
};

// The pair of a function; `leak` is the slope of a leaky ReLU that says its own.
export const pairOf = (name, leak) => (name === "leaky_relu" && leak != null
  ? [(x) => (x > 0 ? x : leak * x), (x) => (x > 0 ? 1 : leak)] : FUNCTIONS[name]);

function softmax(x, channels) {
  const places = x.length / channels, out = new Float32Array(x.length);
  for (let p = 0; p < places; p++) {
    let most = -Infinity, sum = 0;
    for (let c = 0; c < channels; c++) most = Math.max(most, x[c * places + p]);
    for (let c = 0; c < channels; c++) sum += Math.exp(x[c * places + p] - most);
    for (let c = 0; c < channels; c++) out[c * places + p] = Math.exp(x[c * places + p] - most) / sum;
  }
  return out;
}

export function applied(name, x, channels, leak) {
  if (name === "softmax") return softmax(x, channels);
  const [of] = pairOf(name, leak), out = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = of(x[i]);
  return out;
}

// The gradient by what came in, `x`, from the gradient by what came out.
export function appliedBack(name, gradient, x, channels, leak) {
  const out = new Float64Array(x.length);
  if (name !== "softmax") {
    const slope = pairOf(name, leak)[1];
    for (let i = 0; i < x.length; i++) out[i] = gradient[i] ? gradient[i] * slope(x[i]) : 0;
    return out;
  }
  const p = softmax(x, channels), places = x.length / channels;
  for (let place = 0; place < places; place++) {
    let sum = 0;
    for (let i = place; i < x.length; i += places) sum += p[i] * gradient[i];
    for (let i = place; i < x.length; i += places) out[i] = p[i] * (gradient[i] - sum);
  }
  return out;
}
