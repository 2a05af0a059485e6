// A picture as the network reads it: fitted, resized by beak's own definition, scaled. The same
// bytes as beak's own, from the same pixels.

const UNIT = 4096, BETWEEN = 16;

// First pixel and weights, in 4096ths, of every new position: triangles as wide as they must be.
export function weights(length, wanted) {
  const scale = length / wanted, spread = Math.max(scale, 1);
  return Array.from({ length: wanted }, (_, position) => {
    const centre = (position + 0.5) * scale;
    const first = Math.max(Math.floor(centre - spread + 0.5), 0), last = Math.min(Math.floor(centre + spread + 0.5), length);
    const running = [];
    for (let at = first, sum = 0; at < last; at++) running.push((sum += Math.max(1 - Math.abs((at + 0.5 - centre) / spread), 0)));
    const steps = running.map((sum) => Math.floor((sum / running.at(-1)) * UNIT + 0.5));
    return { first, shares: steps.map((step, i) => (step - (i ? steps[i - 1] : 0)) / UNIT) };
  });
}

// {data (H, W, C), height, width, channels} at another size.
export function resized({ data, height, width, channels }, high, wide) {
  const between = new Float64Array(high * width * channels), out = new Uint8Array(high * wide * channels);
  weights(height, high).forEach(({ first, shares }, y) => {
    for (let i = 0; i < width * channels; i++) {
      let sum = 0;
      for (let t = 0; t < shares.length; t++) sum += data[(first + t) * width * channels + i] * shares[t];
      between[y * width * channels + i] = Math.floor(sum * BETWEEN + 0.5) / BETWEEN;
    }
  });
  weights(width, wide).forEach(({ first, shares }, x) => {
    for (let y = 0; y < high; y++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let t = 0; t < shares.length; t++) sum += between[(y * width + first + t) * channels + c] * shares[t];
        out[(y * wide + x) * channels + c] = Math.floor(sum + 0.5);
      }
    }
  });
  return { data: out, height: high, width: wide, channels };
}

function mapped(picture, channels, of) {
  const count = picture.height * picture.width, data = new Uint8Array(count * channels);
  for (let i = 0; i < count; i++) of(picture.data, i * picture.channels, data, i * channels);
  return { ...picture, data, channels };
}

// What is stored of a picture: colour without alpha where it is opaque, one channel where it is grey.
function stored(picture) {
  const { data } = picture;
  let opaque = true, grey = true;
  for (let i = 0; i < data.length; i += 4) {
    opaque &&= data[i + 3] === 255;
    grey &&= data[i] === data[i + 1] && data[i] === data[i + 2];
  }
  if (!opaque) return picture;
  return mapped(picture, grey ? 1 : 3, (from, i, to, k) => { for (let c = 0; c < (grey ? 1 : 3); c++) to[k + c] = from[i + c]; });
}

// The largest size of the same proportions that fits in a frame.
function inside([height, width], [high, wide]) {
  if (high * width <= wide * height) return [high, Math.max(1, Math.min(wide, Math.floor((2 * width * high + height) / (2 * height))))];
  return [Math.max(1, Math.min(high, Math.floor((2 * height * wide + width) / (2 * width)))), wide];
}

function cut({ data, height, width, channels }, top, left, high, wide) {
  const out = new Uint8Array(high * wide * channels);
  for (let y = 0; y < high; y++) {
    const from = ((top + y) * width + left) * channels;
    out.set(data.subarray(from, from + wide * channels), y * wide * channels);
  }
  return { data: out, height: high, width: wide, channels };
}

const sized = (picture, high, wide) => (picture.height === high && picture.width === wide ? picture : resized(picture, high, wide));

// {data: RGBA bytes, height, width} to {values (C, H, W), notes}.
export function prepared(picture, spec) {
  const [channels, high, wide] = spec.shape, notes = [];
  let now = stored({ ...picture, channels: 4 });
  if (now.channels === 4) {
    now = mapped(now, 3, (from, i, to, k) => {
      const alpha = from[i + 3];
      for (let c = 0; c < 3; c++) to[k + c] = Math.floor((2 * (from[i + c] * alpha + spec.background * (255 - alpha)) + 255) / 510);
    });
    notes.push(`its see-through places are filled with ${spec.background}`);
  }
  if (now.channels === 3 && channels === 1) {
    now = mapped(now, 1, (from, i, to, k) => { to[k] = Math.floor((299 * from[i] + 587 * from[i + 1] + 114 * from[i + 2] + 500) / 1000); });
    notes.push("a colour picture for a grey network: its brightness is used");
  } else if (now.channels === 1 && channels === 3) {
    notes.push("a grey picture for a colour network: its channel is used three times");
  }
  if (spec.fit === "crop") {
    const [h, w] = inside([high, wide], [now.height, now.width]);
    now = cut(now, Math.floor((now.height - h) / 2), Math.floor((now.width - w) / 2), h, w);
  }
  const [h, w] = spec.fit === "pad" ? inside([now.height, now.width], [high, wide]) : [high, wide];
  const small = sized(now, h, w), top = Math.floor((high - h) / 2), left = Math.floor((wide - w) / 2);
  const values = new Float32Array(channels * high * wide);
  for (let c = 0, i = 0; c < channels; c++) {
    const at = (y, x) => (y < 0 || x < 0 || y >= h || x >= w ? spec.background : small.data[(y * w + x) * small.channels + (small.channels === 1 ? 0 : c)]);
    const gain = 1 / (spec.std[c] * 255), offset = -spec.mean[c] / spec.std[c];
    for (let y = 0; y < high; y++) for (let x = 0; x < wide; x++, i++) values[i] = at(y - top, x - left) * gain + offset;
  }
  return { values, notes };
}
