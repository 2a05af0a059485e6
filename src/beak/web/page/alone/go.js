// A position of Go as the network reads it: a record (SGF) played on the board, then AlphaGo's planes.

import { after, begun, chain, isLegal, NEIGHBOURS, PASS, played, POINTS, refusal, SIZE } from "./board.js";
import { ladderMoves } from "./ladder.js";

// The first plane of each feature.
const FIRST = { own: 0, opponent: 1, empty: 2, ones: 3, turns: 4, liberties: 12, capture: 20, atari: 28, after: 36, ladderCapture: 44, ladderEscape: 45, sensible: 46, black: 48 };
const BUCKETS = 8;

export function prepared({ text, move }, { planes, shape }) {
  const game = parsed(text);
  if (!game) throw new Error("no game record: it holds no game of 19x19 that can be read");
  let position = begun();
  for (const [point, colour] of game.setup) position.colours[point] = colour;
  for (const [point] of game.setup) if (!chain(position.colours, point).liberties.size) throw new Error("a setup stone leaves a chain without liberties");
  const last = game.moves.length, now = move === undefined ? last : Number(move);
  if (!(now >= 0 && now <= last)) throw new Error(`no move ${now + 1}; the game has ${last} moves`);
  let seen = position;
  game.moves.forEach(([point, colour], i) => {
    const why = refusal(position, point, colour, true);
    if (why) throw new Error(`move ${i + 1}: ${why}`);
    position = played(position, point, colour);
    if (i + 1 === now) seen = position;
  });
  const toPlay = now < last ? game.moves[now][1] : last ? -game.moves[last - 1][1] : game.setup.length || game.handicap > 1 ? -1 : 1;
  const own = toPlay === seen.toPlay ? seen : { ...seen, toPlay, ko: null };
  return { values: planes === "board" ? Float32Array.from(own.colours) : planesOf(own, shape[0]), notes: [],
    about: { stones: Array.from(seen.colours), move: now, moves: last, black: toPlay > 0, last: now ? game.moves[now - 1][0] : null, next: now < last ? game.moves[now][0] : null } };
}

export function planesOf(position, kept) {
  const out = new Float32Array(Math.max(kept, 49) * POINTS), { colours, toPlay } = position;
  const set = (plane, point) => { out[plane * POINTS + point] = 1; };
  const count = (first, least, number, point) => set(first + Math.min(number - least, BUCKETS - 1), point);
  out.fill(1, FIRST.ones * POINTS, (FIRST.ones + 1) * POINTS);
  if (toPlay > 0) out.fill(1, FIRST.black * POINTS, (FIRST.black + 1) * POINTS);
  colours.forEach((colour, point) => {
    if (!colour) return set(FIRST.empty, point);
    set(colour === toPlay ? FIRST.own : FIRST.opponent, point);
    const turn = position.placed[point];
    count(FIRST.turns, 1, turn ? position.moves - turn + 1 : BUCKETS, point);
    count(FIRST.liberties, 1, chain(colours, point).liberties.size, point);
  });
  if (kept > FIRST.capture) movePlanes(position, set, count);
  return out.subarray(0, kept * POINTS);
}

function movePlanes(position, set, count) {
  const { colours, toPlay } = position, legal = new Set();
  for (let point = 0; point < POINTS; point++) if (isLegal(position, point)) legal.add(point);
  for (const point of legal) {
    const next = after(colours, point, toPlay), { stones, liberties } = chain(next.colours, point);
    count(FIRST.capture, 0, next.taken.size, point);
    if (liberties.size <= 1) count(FIRST.atari, 1, stones.size, point);
    if (liberties.size) count(FIRST.after, 1, liberties.size, point);
    if (!isOwnEye(position, point)) set(FIRST.sensible, point);
  }
  for (const point of ladderMoves(position, legal, false)) set(FIRST.ladderCapture, point);
  for (const point of ladderMoves(position, legal, true)) set(FIRST.ladderEscape, point);
}

// All neighbours are own stones; of the diagonals the opponent holds at most one, none at the edge.
function isOwnEye({ colours, toPlay }, point) {
  if (NEIGHBOURS[point].some((beside) => colours[beside] !== toPlay)) return false;
  const row = Math.floor(point / SIZE), column = point % SIZE, corners = [];
  for (const r of [row - 1, row + 1]) for (const c of [column - 1, column + 1]) if (r >= 0 && c >= 0 && r < SIZE && c < SIZE) corners.push(r * SIZE + c);
  return corners.filter((corner) => colours[corner] === -toPlay).length <= (corners.length === 4 ? 1 : 0);
}

const TOKEN = /([();])|([A-Za-z]+)|\[([^\]\\]*(?:\\[^][^\]\\]*)*)\]|(\[)/g;

// The first main line of a record that can be used: {setup, moves: [[point, colour]], handicap}.
export function parsed(text) {
  const begin = text.search(/\(\s*;/);
  let depth = 0, main = true, nodes = [], values = [];
  for (const [, sign, name, value, open] of begin < 0 ? [] : text.slice(begin).matchAll(TOKEN)) {
    if (value !== undefined) { if (main) values.push(value); }
    else if (name) { if (main && nodes.length) nodes.at(-1).push([name, (values = [])]); }
    else if (open) return null;
    else if (sign === ";") { if (main) nodes.push([]); }
    else if (sign === "(") { if (!depth++) { nodes = []; main = true; } }
    else if (depth) {
      main = false;
      if (!--depth) { const game = gameOf(nodes); if (game) return game; }
    }
  }
  return null;
}

function gameOf(nodes) {
  if (!nodes.length) return null;
  const told = Object.fromEntries(nodes[0].map(([name, values]) => [name, values[0] ?? ""]));
  if (!["1", undefined].includes(told.GM?.trim()) || !["19", "19:19", undefined].includes(told.SZ?.trim())) return null;
  const setup = new Map(), moves = [];
  for (const [name, values] of nodes.flat()) {
    const short = name === name.toUpperCase() ? name : name.replace(/[^A-Z]/g, "");
    const colour = { B: 1, W: -1, AB: 1, AW: -1, AE: 0 }[short];
    if (colour === undefined) continue;
    if (short.length === 1) {
      const place = values[0]?.trim() ?? "", point = pointOf(place);
      if (point === null && place !== "" && place !== "tt") throw new Error(`move ${moves.length + 1}: '${place}' is no point of 19x19`);
      moves.push([point ?? PASS, colour]);
      continue;
    }
    if (moves.length) throw new Error(`stones are set up after move ${moves.length}`);
    for (const point of values.flatMap(rectangle)) { if (colour) setup.set(point, colour); else setup.delete(point); }
  }
  const handicap = /^\d{1,2}$/.test(told.HA?.trim() ?? "") ? Number(told.HA) : 0;
  return { setup: [...setup].sort(([a], [b]) => a - b), moves, handicap };
}

function pointOf(place) {
  if (!/^[a-s]{2}$/.test(place)) return null;
  return (place.charCodeAt(1) - 97) * SIZE + place.charCodeAt(0) - 97;
}

// "pd" or "aa:cc".
function rectangle(value) {
  const corners = value.split(":").map((corner) => pointOf(corner.trim()));
  if (corners.length > 2 || corners.includes(null)) throw new Error(`a setup stone: '${value.slice(0, 20)}' is no point of 19x19`);
  const rows = corners.map((p) => Math.floor(p / SIZE)), columns = corners.map((p) => p % SIZE), points = [];
  for (let row = Math.min(...rows); row <= Math.max(...rows); row++) for (let column = Math.min(...columns); column <= Math.max(...columns); column++) points.push(row * SIZE + column);
  return points;
}
