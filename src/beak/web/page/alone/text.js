// A text as word numbers, by the run's own vocabulary: the same numbers as beak's.

const LONGEST_WORD = 60, LONGEST = 65536;
const UNKNOWN = 1, FIRST = 2;
const SIGNS = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}`;

// As beak.data.words has it, line by line; \s there is Unicode's white space and four control signs.
const WORD = new RegExp([
  String.raw`[a-zA-Z]+(?!['’\p{L}\p{M}])`,
  String.raw`[${SIGNS}]\p{M}*`,
  String.raw`[\p{L}\p{M}]+?(?=[nN]['’][tT](?![\p{L}\p{M}]))`,
  String.raw`[nN]['’][tT](?![\p{L}\p{M}])`,
  String.raw`['’](?:[sSdDmM]|[rR][eE]|[vV][eE]|[lL][lL])(?![\p{L}\p{M}])`,
  String.raw`(?:(?![${SIGNS}])[\p{L}\p{M}])+`,
  String.raw`\p{N}+(?:[.,]\p{N}+)*`,
  String.raw`[^\p{White_Space}\u001c-\u001f\p{L}\p{M}\p{N}]`,
].join("|"), "gu");

export function wordsOf(text, lower) {
  const found = (lower ? text.toLowerCase() : text).match(WORD) ?? [];
  return found.map((word) => (word.length > LONGEST_WORD ? [...word].slice(0, LONGEST_WORD).join("") : word));
}

export function prepared({ text }, spec) {
  if (new TextEncoder().encode(text).length > LONGEST) throw new Error(`a text of ${text.length.toLocaleString("en")} letters; ${LONGEST.toLocaleString("en")} bytes are taken`);
  const length = spec.unit === "pairs" ? spec.shape[0] / 3 : spec.shape[0], row = new Int32Array(length);
  if (spec.unit === "bytes") {
    const bytes = new TextEncoder().encode(text).subarray(0, length);
    bytes.forEach((byte, i) => { row[i] = byte + 1; });
    return { values: row, places: Array.from(bytes, (byte) => (byte > 31 && byte < 127) || (byte > 160 && byte !== 173) ? String.fromCharCode(byte) : "·") };
  }
  const places = placesOf(spec), words = wordsOf(text, spec.lower).slice(0, length);
  words.forEach((word, i) => { row[i] = places.get(word) ?? UNKNOWN; });
  return { values: spec.unit === "pairs" ? withPairs(row, spec) : row, places: wordsOf(text, false).slice(0, length) };
}

const known = new WeakMap();
function placesOf(spec) {
  if (!known.has(spec)) known.set(spec, new Map(spec.words.map((word, i) => [word, i + FIRST])));
  return known.get(spec);
}

// Behind the words each word and each pair of neighbours once; pairs of known words by a hash.
function withPairs(row, spec) {
  const length = row.length, out = new Int32Array(3 * length), seen = new Set([0]);
  out.set(row);
  const bits = BigInt(64 - Math.max(1, 31 - Math.clz32(spec.buckets))), numbers = spec.words.length + FIRST;
  const once = (at, number) => { if (!seen.has(number)) { seen.add(number); out[at] = number; } };
  for (let i = 0; i < length; i++) once(length + i, row[i] >= FIRST ? row[i] - 1 : 0);
  for (let i = 0; i + 1 < length; i++) {
    if (row[i] >= FIRST && row[i + 1] >= FIRST) once(2 * length + i, Number(hash(BigInt(row[i]), BigInt(row[i + 1])) >> bits) + numbers - 1);
  }
  return out;
}

function hash(left, right) {
  const mixed = BigInt.asUintN(64, left * 2654435761n + right * 0x9e3779b97f4a7c15n);
  return BigInt.asUintN(64, (mixed ^ (mixed >> 29n)) * 0xbf58476d1ce4e5b9n);
}
