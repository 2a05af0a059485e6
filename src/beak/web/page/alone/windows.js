// Layers with windows: convolution and pooling, forward and back to what they read. One axis is
// taken as a map of height 1. Sums are in float64.

export const size = (shape) => shape.reduce((a, b) => a * b, 1);

// Kernel, stride, dilation, padding and outputs along height and width, and the input's sizes.
export function flat(node) {
  const { kernel, stride, dilation, padding, outputs } = node.geometry;
  const [channels, ...sizes] = node.shapes[0];
  const two = (values, filler) => (values.length === 1 ? [filler, values[0]] : values);
  const [kh, kw] = two(kernel, 1), [sh, sw] = two(stride, 1), [dh, dw] = two(dilation, 1);
  const [oh, ow] = two(outputs, 1), [h, w] = two(sizes, 1), [[pt, pb], [pl, pr]] = two(padding, [0, 0]);
  return { channels, h, w, kh, kw, sh, sw, dh, dw, oh, ow, pt, pl, ph: h + pt + pb, pw: w + pl + pr };
}

function padded(x, g) {
  const out = new Float64Array(g.channels * g.ph * g.pw);
  for (let c = 0; c < g.channels; c++) {
    for (let y = 0; y < g.h; y++) {
      const from = (c * g.h + y) * g.w;
      out.set(x.subarray(from, from + g.w), (c * g.ph + y + g.pt) * g.pw + g.pl);
    }
  }
  return out;
}

// The weights of four filters side by side, so that each number read is used four times.
function packed(weight, taps) {
  const filters = weight.length / taps, out = new Float64Array(weight.length), whole = filters - (filters % 4);
  for (let f = 0; f < filters; f++) {
    for (let t = 0; t < taps; t++) out[f < whole ? (f - (f % 4)) * taps + 4 * t + (f % 4) : f * taps + t] = weight[f * taps + t];
  }
  return out;
}

export function convolve(node, [x]) {
  const g = flat(node), { weight, bias } = node.parameters, [filters] = node.output, { groups } = node.fields;
  const depth = g.channels / groups, each = filters / groups, taps = depth * g.kh * g.kw;
  const from = padded(x, g), out = new Float32Array(size(node.output)), plane = g.oh * g.ow;
  node.packed ??= Array.from({ length: groups }, (_, k) => packed(weight.subarray(k * each * taps, (k + 1) * each * taps), taps));
  const sums = new Float64Array(8);
  for (let group = 0; group < groups; group++) {
    const w = node.packed[group], first = group * depth * g.ph * g.pw, whole = each - (each % 4);
    for (let f = 0; f < each; f += f < whole ? 4 : 1) {
      const many = f < whole ? 4 : 1, unit = group * each + f;
      for (let oy = 0; oy < g.oh; oy++) {
        for (let ox = 0, wide; ox < g.ow; ox += wide) {
          const begin = first + oy * g.sh * g.pw + ox * g.sw;
          wide = many === 4 && ox + 1 < g.ow ? 2 : 1;
          if (wide === 2) eight(from, begin, w, f * taps, depth, g, sums);
          else if (many === 4) four(from, begin, w, f * taps, depth, g, sums);
          else sums[0] = single(from, begin, w, f * taps, depth, g);
          for (let k = 0; k < many; k++) {
            const to = (unit + k) * plane + oy * g.ow + ox, start = bias ? bias[unit + k] : 0;
            out[to] = sums[k] + start;
            if (wide === 2) out[to + 1] = sums[k + 4] + start;
          }
        }
      }
    }
  }
  return out;
}

// The sums of four filters at two places beside each other: each number read is used at least twice.
function eight(x, begin, w, at, depth, g, sums) {
  const { kh, kw, dh, dw, pw, sw } = g, channel = g.ph * pw;
  let a = 0, b = 0, c = 0, d = 0, p = 0, q = 0, r = 0, s = 0, i = at;
  for (let z = 0; z < depth; z++) {
    for (let ky = 0; ky < kh; ky++) {
      let from = begin + z * channel + ky * dh * pw;
      for (let kx = 0; kx < kw; kx++, from += dw, i += 4) {
        const u = x[from], v = x[from + sw], e = w[i], f = w[i + 1], h = w[i + 2], j = w[i + 3];
        a += u * e; b += u * f; c += u * h; d += u * j;
        p += v * e; q += v * f; r += v * h; s += v * j;
      }
    }
  }
  sums[0] = a; sums[1] = b; sums[2] = c; sums[3] = d;
  sums[4] = p; sums[5] = q; sums[6] = r; sums[7] = s;
}

function four(x, begin, w, at, depth, g, sums) {
  const { kh, kw, dh, dw, pw } = g, channel = g.ph * pw;
  let a = 0, b = 0, c = 0, d = 0, i = at;
  for (let z = 0; z < depth; z++) {
    for (let ky = 0; ky < kh; ky++) {
      let from = begin + z * channel + ky * dh * pw;
      for (let kx = 0; kx < kw; kx++, from += dw, i += 4) {
        const v = x[from];
        a += v * w[i]; b += v * w[i + 1]; c += v * w[i + 2]; d += v * w[i + 3];
      }
    }
  }
  sums[0] = a; sums[1] = b; sums[2] = c; sums[3] = d;
}

function single(x, begin, w, at, depth, g) {
  const { kh, kw, dh, dw, pw } = g, channel = g.ph * pw;
  let sum = 0, i = at;
  for (let z = 0; z < depth; z++) {
    for (let ky = 0; ky < kh; ky++) {
      let from = begin + z * channel + ky * dh * pw;
      for (let kx = 0; kx < kw; kx++, from += dw, i++) sum += x[from] * w[i];
    }
  }
  return sum;
}

// The gradient by what was read, channels innermost while it adds up: most of `gradient` is 0.
export function convolveBack(node, _, gradient) {
  const g = flat(node), { weight } = node.parameters, { groups } = node.fields, [filters] = node.output;
  const depth = g.channels / groups, each = filters / groups, k = g.kh * g.kw, plane = g.oh * g.ow;
  node.turned ??= turned(weight, filters, depth, k);
  const out = new Float64Array(g.ph * g.pw * g.channels);
  for (let f = 0; f < filters; f++) {
    const first = Math.floor(f / each) * depth;
    for (let oy = 0; oy < g.oh; oy++) {
      for (let ox = 0; ox < g.ow; ox++) {
        const slope = gradient[f * plane + oy * g.ow + ox];
        if (slope === 0) continue;
        for (let t = 0; t < k; t++) {
          const y = oy * g.sh + Math.floor(t / g.kw) * g.dh, x = ox * g.sw + (t % g.kw) * g.dw;
          const to = (y * g.pw + x) * g.channels + first, from = (f * k + t) * depth;
          for (let c = 0; c < depth; c++) out[to + c] += slope * node.turned[from + c];
        }
      }
    }
  }
  const by = new Float64Array(g.channels * g.h * g.w);
  for (let c = 0, i = 0; c < g.channels; c++) {
    for (let y = 0; y < g.h; y++) for (let x = 0; x < g.w; x++, i++) by[i] = out[((y + g.pt) * g.pw + x + g.pl) * g.channels + c];
  }
  return [by];
}

function turned(weight, filters, depth, k) {
  const out = new Float64Array(weight.length);
  for (let f = 0; f < filters; f++) {
    for (let c = 0; c < depth; c++) for (let t = 0; t < k; t++) out[(f * k + t) * depth + c] = weight[(f * depth + c) * k + t];
  }
  return out;
}

// Calls `each(output, channel's first number, top, bottom, left, right)` for the part of every
// window that lies on the map.
function pools(node, each) {
  const g = flat(node);
  let o = 0;
  for (let c = 0; c < g.channels; c++) {
    for (let oy = 0; oy < g.oh; oy++) {
      const y = oy * g.sh - g.pt, top = Math.max(0, y), bottom = Math.min(g.h, y + g.kh);
      for (let ox = 0; ox < g.ow; ox++, o++) {
        const x = ox * g.sw - g.pl;
        each(o, c * g.h * g.w, top, bottom, Math.max(0, x), Math.min(g.w, x + g.kw), g.w);
      }
    }
  }
}

// Only if strictly larger: on a tie the first wins; NaN wins over all, the last one.
const wins = (value, best) => value > best || value !== value;

function winner(x, first, top, bottom, left, right, wide) {
  let at = first + top * wide + left;
  for (let y = top; y < bottom; y++) for (let i = first + y * wide + left, end = i + right - left; i < end; i++) if (wins(x[i], x[at])) at = i;
  return at;
}

export function maxPool(node, [x]) {
  const out = new Float32Array(size(node.output));
  pools(node, (o, ...box) => { out[o] = x[winner(x, ...box)]; });
  return out;
}

export function maxPoolBack(node, [x], gradient) {
  const out = new Float64Array(x.length);
  pools(node, (o, ...box) => { out[winner(x, ...box)] += gradient[o]; });
  return [out];
}

export function avgPool(node, [x]) {
  const out = new Float32Array(size(node.output));
  pools(node, (o, first, top, bottom, left, right, wide) => {
    let sum = 0;
    for (let y = top; y < bottom; y++) for (let i = left; i < right; i++) sum += x[first + y * wide + i];
    out[o] = sum / ((bottom - top) * (right - left));
  });
  return out;
}

export function avgPoolBack(node, [x], gradient) {
  const out = new Float64Array(x.length);
  pools(node, (o, first, top, bottom, left, right, wide) => {
    const share = gradient[o] / ((bottom - top) * (right - left));
    for (let y = top; y < bottom; y++) for (let i = left; i < right; i++) out[first + y * wide + i] += share;
  });
  return [out];
}
