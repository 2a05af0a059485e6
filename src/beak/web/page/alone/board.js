// The rules of Go as they are meant: every move makes a new position. 1 Black, -1 White, 0 nobody.

export const SIZE = 19;
export const POINTS = SIZE * SIZE;
export const PASS = POINTS;

export const NEIGHBOURS = Array.from({ length: POINTS }, (_, p) => [
  ...(p >= SIZE ? [p - SIZE] : []), ...(p % SIZE ? [p - 1] : []), ...(p % SIZE < SIZE - 1 ? [p + 1] : []), ...(p < POINTS - SIZE ? [p + SIZE] : [])]);

export const begun = () => ({ colours: new Int8Array(POINTS), placed: new Int16Array(POINTS), toPlay: 1, ko: null, moves: 0 });

// The stones connected with the one at a point, and their liberties.
export function chain(colours, point) {
  const stones = new Set([point]), liberties = new Set(), waiting = [point];
  while (waiting.length) {
    for (const beside of NEIGHBOURS[waiting.pop()]) {
      if (colours[beside] === 0) liberties.add(beside);
      else if (colours[beside] === colours[point] && !stones.has(beside)) { stones.add(beside); waiting.push(beside); }
    }
  }
  return { stones, liberties };
}

// The stones after a move on an empty point, and those of them that it removes.
export function after(before, point, colour) {
  const colours = before.slice(), taken = new Set();
  colours[point] = colour;
  for (const beside of NEIGHBOURS[point]) {
    if (colours[beside] !== -colour || taken.has(beside)) continue;
    const { stones, liberties } = chain(colours, beside);
    if (!liberties.size) for (const stone of stones) taken.add(stone);
  }
  for (const stone of taken) colours[stone] = 0;
  const own = chain(colours, point);
  if (own.liberties.size) return { colours, taken };
  for (const stone of own.stones) colours[stone] = 0;
  return { colours, taken: own.stones };
}

// Why a move is refused; "" where it is not.
export function refusal(position, point, colour = position.toPlay, suicide = false) {
  if (point === PASS) return "";
  if (position.colours[point]) return "the point is occupied";
  if (point === position.ko && colour === position.toPlay) return "ko: the stone was just taken here";
  return !suicide && after(position.colours, point, colour).taken.has(point) ? "suicide" : "";
}

export const isLegal = (position, point, colour) => refusal(position, point, colour) === "";

export function played(position, point, colour = position.toPlay) {
  const next = { ...position, toPlay: -colour, ko: null, moves: position.moves + 1 };
  if (point === PASS) return next;
  const { colours, taken } = after(position.colours, point, colour), placed = position.placed.slice();
  placed[point] = next.moves;
  for (const stone of taken) placed[stone] = 0;
  if (taken.size === 1 && !taken.has(point)) {
    const own = chain(colours, point), [gone] = taken;
    if (own.stones.size === 1 && own.liberties.size === 1 && own.liberties.has(gone)) next.ko = gone;
  }
  return { ...next, colours, placed };
}
