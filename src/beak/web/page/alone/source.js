// What stands in for the server in a file of its own: the same addresses, answered from the network
// in the page. Two workers compute, one for what follows the hand, one for what takes its time.

const KEPT = 24;
const SLOW = ["moved", "forgives", "looks-for"];
const BEFOREHAND = ["patches", "alike"]; // what goes through examples

export class Source {
  constructor(run) {
    this.run = run;
    this.seen = new Map();
    this.workers = new Map();
    this.count = 0;
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
    run.inputs.forEach((one, i) => this.keep({ ...one, mark: `example-${i}`,
      values: new (one.type === "i4" ? Int32Array : Float32Array)(bytes(one.values)), about: { ...one.about, example: i, name: one.name, label: one.label } }));
  }

  // As fetch: something with ok, json() and arrayBuffer().
  async ask(address, { body } = {}) {
    try {
      const [path, query] = address.split("?"), given = Object.fromEntries(new URLSearchParams(query ?? ""));
      const told = await this.told(path.replace(/^api\//, ""), given, body);
      return { ok: true, json: async () => told, arrayBuffer: async () => told };
    } catch (error) {
      return { ok: false, status: 400, json: async () => ({ error: error.message }) };
    }
  }

  async told(path, given, body) {
    if (path === "network") return this.run.network;
    if (path === "examples") return { names: this.run.inputs.map((one) => one.name), labels: this.run.inputs.map((one) => one.label || "?") };
    if (path === "look" && body !== undefined) return this.opened(body, given.move);
    if (path === "look") {
      const seen = this.known(given.input);
      if (given.hold) this.held = seen.mark;
      return this.maps(seen);
    }
    const kept = this.run.told[`${path}?${new URLSearchParams(Object.entries(given).sort())}`];
    if (kept) return kept;
    if (BEFOREHAND.includes(path)) throw new Error(this.run.reasons[path] ?? "this file was written without it; open the run with beak look");
    const seen = given.input === undefined ? undefined : this.known(given.input);
    return this.compute({ question: path, ...given, seen }, SLOW.includes(path));
  }

  async opened(body, move) {
    const raw = await READ[this.run.spec.kind](body, this.run, move);
    const { values, places = [], notes = [], about = {} } = await this.compute({ question: "prepare", raw });
    return this.maps(this.keep({ mark: `own-${++this.count}`, values, places, about: { ...about, notes: [...(raw.notes ?? []), ...notes] } }));
  }

  keep(seen) {
    this.seen.set(seen.mark, seen);
    const own = [...this.seen.keys()].filter((mark) => mark.startsWith("own-") && mark !== this.held);
    if (own.length > KEPT) this.seen.delete(own[0]);
    return seen;
  }

  known(mark = "nothing") {
    if (mark === "nothing" && !this.seen.has(mark)) {
      const size = this.run.input.reduce((a, b) => a * b, 1), words = this.run.spec.kind === "texts";
      this.keep({ mark, values: words ? new Int32Array(size) : new Float32Array(size), places: [], about: {} });
    }
    const seen = this.seen.get(mark);
    if (!seen) throw new Error("this input is not there any more; give it again");
    return seen;
  }

  // The bytes that the page reads: the length of the JSON, the JSON, the numbers.
  async maps(seen) {
    const { layers, ...head } = await this.compute({ question: "maps", seen });
    let at = 0;
    const told = layers.map(({ values, ...layer }) => ({ ...layer, at: (at += 4 * values.length) - 4 * values.length }));
    const text = new TextEncoder().encode(JSON.stringify({ ...head, input: seen.mark, about: seen.about, places: seen.places, layers: told }));
    const begin = 4 + text.length + ((4 - (text.length % 4)) % 4), bytes = new Uint8Array(begin + at).fill(32, 4, begin);
    new DataView(bytes.buffer).setUint32(0, begin - 4, true);
    bytes.set(text, 4);
    layers.forEach(({ values }, i) => bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), begin + told[i].at));
    return bytes.buffer;
  }

  compute(question, slow = false) {
    const name = slow ? "slow" : "quick";
    if (!this.workers.has(name)) this.workers.set(name, started(this.run));
    return this.workers.get(name)(question);
  }
}

// A function that asks a worker; where none can be made, the page computes itself.
function started(run) {
  const { inputs: _, told: __, ...needed } = run;
  const text = document.getElementById("engine").textContent;
  const waiting = new Map();
  let worker = null, number = 0, own = null;
  const here = (question) => { own ??= new globalThis.beakEngine.Engine(needed); return own.answer(question); };
  try {
    worker = new Worker(URL.createObjectURL(new Blob([text, "\nbeakEngine.work(globalThis);"], { type: "text/javascript" })));
  } catch {
    return async (question) => here(question);
  }
  worker.onmessage = ({ data }) => {
    const { done, failed } = waiting.get(data.number);
    waiting.delete(data.number);
    if (data.error) failed(new Error(data.error));
    else done(data.answer);
  };
  worker.onerror = (event) => { // it never began: the page goes on alone
    event.preventDefault();
    worker = null;
    for (const { question, done, failed } of waiting.values()) Promise.resolve(question).then(here).then(done, failed);
    waiting.clear();
  };
  worker.postMessage({ run: needed });
  return (question) => (worker ? new Promise((done, failed) => {
    waiting.set(++number, { question, done, failed });
    worker.postMessage({ number, ...question });
  }) : Promise.resolve(question).then(here));
}

const textOf = async (body) => (typeof body === "string" ? body : body.text());

// From what the page hands over to plain data, where that needs the browser.
export const READ = {
  texts: async (body) => ({ text: await textOf(body) }),
  go: async (body, _, move) => ({ text: await textOf(body), move }),
  numbers: async () => { throw new Error("rows of numbers cannot be given here"); },
  async sounds(body, { spec }) {
    const bytes = await body.arrayBuffer(), plain = wavSamples(bytes);
    if (plain && plain.rate === spec.rate) return plain;
    try {
      const sound = await new OfflineAudioContext(1, 1, spec.rate).decodeAudioData(bytes);
      const channels = Array.from({ length: sound.numberOfChannels }, (_, c) => sound.getChannelData(c));
      return { samples: mean(channels), notes: channels.length > 1 ? [`${channels.length} channels: their mean is used`] : [] };
    } catch {
      throw new Error("this is not a sound that can be read");
    }
  },
  async pictures(body) {
    let picture;
    try {
      picture = await createImageBitmap(body, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    } catch {
      throw new Error("this is not a picture that can be read");
    }
    const { width, height } = picture, canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return { data: context.getImageData(0, 0, width, height).data, width, height };
  },
};

const mean = (channels) => channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);

// The samples of a wav file of whole numbers of 16 bits, as they are; null for any other file.
export function wavSamples(bytes) {
  const view = new DataView(bytes), word = (at) => String.fromCharCode(...new Uint8Array(bytes, at, 4));
  if (bytes.byteLength < 44 || word(0) !== "RIFF" || word(8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= bytes.byteLength;) {
    const length = view.getUint32(at + 4, true), from = at + 8;
    if (word(at) === "fmt ") format = { kind: view.getUint16(from, true), many: view.getUint16(from + 2, true), rate: view.getUint32(from + 4, true), bits: view.getUint16(from + 14, true) };
    if (word(at) === "data") {
      if (!format || format.kind !== 1 || format.bits !== 16 || !format.many) return null;
      const count = Math.floor(Math.min(length, bytes.byteLength - from) / 2 / format.many);
      const channels = Array.from({ length: format.many }, (_, c) => Float32Array.from({ length: count }, (__, i) => view.getInt16(from + 2 * (i * format.many + c), true) / 32768));
      return { samples: mean(channels), rate: format.rate, notes: format.many > 1 ? [`${format.many} channels: their mean is used`] : [] };
    }
    at = from + length + (length % 2);
  }
  return null;
}
