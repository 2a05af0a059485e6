// What the server tells: JSON, explanations with their arrays, an input's maps in bytes.

const cache = new Map();
let ask = (path, options) => fetch(path, options);

// Where there is no server: what answers in its place, as fetch does.
export function through(other) {
  ask = other;
}
let run; // which of the runs that can be set beside each other; none: the one that was opened

export const choose = (name) => { run = name || undefined; };

async function asked(path, options) {
  let answer;
  try {
    answer = await ask(path, options);
  } catch {
    throw new Error("beak does not answer; is it still running?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error || `the server said ${answer.status}`);
}

const query = (given) => {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && value !== null) words.set(name, value);
  }
  return words.size ? `?${words}` : "";
};

export const network = async (name = run) => (await asked(`api/network${query({ run: name || undefined })}`)).json();
export const examples = async () => (await asked(`api/examples${query({ run })}`)).json();

export async function explain(what, given) {
  const path = `api/${what}${query({ ...given, run })}`;
  if (!cache.has(path)) {
    const waiting = asked(path).then((answer) => answer.json()).then(unpacked);
    cache.set(path, waiting);
    waiting.catch(() => cache.delete(path));
    if (cache.size > 200) cache.delete(cache.keys().next().value);
  }
  return cache.get(path);
}

export async function lookAt(body, move) {
  return maps(await (await asked(`api/look${query({ move, run })}`, { method: "POST", body })).arrayBuffer());
}

// An input that came before; `beside`: as another run sees it; `hold`: keep it for longer.
export async function lookAgain(input, { beside, hold } = {}) {
  return maps(await (await asked(`api/look${query({ input, beside, hold, run })}`)).arrayBuffer());
}

function maps(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const begin = 4 + length;
  const layers = new Map();
  for (const layer of head.layers) {
    const size = layer.shape.reduce((a, b) => a * b, 1);
    const values = layer.type === "f4"
      ? new Float32Array(buffer, begin + layer.at, size)
      : widened(new Uint8Array(buffer, begin + layer.at, size), layer);
    layers.set(layer.name, { ...layer, values, exact: layer.type === "f4" });
  }
  return { ...head, layers };
}

function widened(bytes, { least, step }) {
  const values = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) values[i] = least + bytes[i] * step;
  return values;
}

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array,
  int64: BigInt64Array, bool: Uint8Array, int16: Int16Array,
};

function unpacked(told) {
  const arrays = {};
  for (const [name, array] of Object.entries(told.arrays)) {
    const text = array.base64 ?? array.packed ?? array.values;
    let values = text;
    if (typeof text === "string") {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const made = new (ARRAYS[array.type] || Float32Array)(bytes.buffer);
      values = made instanceof BigInt64Array ? Array.from(made, Number) : made;
    }
    arrays[name] = { shape: array.shape, values };
  }
  return { ...told, arrays };
}
