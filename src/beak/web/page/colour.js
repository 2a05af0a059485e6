// Colour for numbers: orange above zero, blue below, the paper's own colour at zero. The two hues
// stay apart for every kind of colour blindness, and differ in nothing else at equal size.

const PAPER = { light: [250, 249, 246], dark: [23, 26, 31] };
const ABOVE = { light: [[246, 190, 120], [214, 102, 10], [110, 44, 0]], dark: [[122, 66, 16], [232, 133, 36], [255, 226, 178]] };
const BELOW = { light: [[150, 196, 232], [28, 105, 178], [6, 42, 92]], dark: [[26, 66, 112], [66, 150, 226], [196, 230, 255]] };
const STEPS = 255;

export const theme = () => document.documentElement.dataset.theme
  || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

function between(stops, t) {
  const place = t * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(place));
  return stops[i].map((from, k) => Math.round(from + (place - i) * (stops[i + 1][k] - from)));
}

const tables = {};
function table(mode) {
  if (tables[mode]) return tables[mode];
  const made = new Uint32Array(2 * STEPS + 1);
  for (let i = -STEPS; i <= STEPS; i++) {
    const side = i < 0 ? BELOW[mode] : ABOVE[mode];
    const [r, g, b] = between([PAPER[mode], ...side], Math.abs(i) / STEPS);
    made[i + STEPS] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return (tables[mode] = made);
}

export function signed(largest) {
  const colours = table(theme());
  const scale = largest > 0 ? STEPS / largest : 0;
  return (value) => colours[STEPS + Math.max(-STEPS, Math.min(STEPS, Math.round(value * scale)))];
}

// The colour of the page behind the pictures.
export function paper() {
  const [r, g, b] = PAPER[theme()];
  return (255 << 24) | (b << 16) | (g << 8) | r;
}

export function css(value, largest) {
  const word = signed(largest)(value);
  return `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;
}

// Black or white, whichever reads better on the colour of a number.
export function ink(value, largest) {
  const word = signed(largest)(value);
  const linear = (byte) => ((byte / 255 + 0.055) / 1.055) ** 2.4;
  const light = 0.2126 * linear(word & 255) + 0.7152 * linear((word >> 8) & 255) + 0.0722 * linear((word >> 16) & 255);
  return light > 0.179 ? "#000" : "#fff"; // there both have the same contrast, 4.6 to 1
}

export function grey(least, most) {
  const scale = most > least ? 255 / (most - least) : 0;
  return (value) => {
    const v = Math.max(0, Math.min(255, Math.round((value - least) * scale)));
    return (255 << 24) | (v << 16) | (v << 8) | v;
  };
}

export function largestOf(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > most) most = size;
  }
  return most;
}
