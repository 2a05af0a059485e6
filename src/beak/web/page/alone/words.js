// Numbers as Python's format writes them in captions.

export const plural = (count) => (count === 1 ? "" : "s");
export const grouped = (value) => Math.round(value).toLocaleString("en-US");
export const shapeText = (shape) => shape.join("x");

// As "%.6g".
export function general(value, digits = 6) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [mantissa, power] = value.toExponential(digits - 1).split("e"), exponent = Number(power);
  const short = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= digits) return `${short(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  return short(value.toFixed(Math.max(0, digits - 1 - exponent)));
}
