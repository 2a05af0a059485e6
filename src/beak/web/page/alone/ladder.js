// Ladders, read to their end on the board: the attacker keeps a chain in atari until it is taken.

import { chain, isLegal, NEIGHBOURS, played } from "./board.js";

const LIMIT = 500; // positions with the attacker to move, for each first move and chain

const UNDECIDED = new Error("a ladder that was not read to its end");
const ordered = (points) => [...points].sort((a, b) => a - b);

class Ladder {
  visits = 0;

  caught(position, stone) {
    const liberties = ordered(chain(position.colours, stone).liberties);
    if (liberties.length > 2) return false;
    if (++this.visits > LIMIT) throw UNDECIDED;
    if (liberties.length === 1) return isLegal(position, liberties[0]);
    return liberties.some((point) => this.caughtBy(position, point, stone));
  }

  caughtBy(position, point, stone) {
    if (!isLegal(position, point)) return false;
    const next = played(position, point);
    return !answers(next, stone).some((answer) => this.freedBy(next, answer, stone));
  }

  freedBy(position, point, stone) {
    if (!isLegal(position, point)) return false;
    const next = played(position, point);
    return chain(next.colours, stone).liberties.size > 2 || !this.caught(next, stone);
  }
}

// The defender's moves: its last liberty first, then captures beside it, in order.
function answers({ colours }, stone) {
  const { stones, liberties } = chain(colours, stone), takes = new Set();
  for (const beside of new Set([...stones].flatMap((one) => NEIGHBOURS[one]))) {
    if (colours[beside] !== -colours[stone]) continue;
    const last = chain(colours, beside).liberties;
    if (last.size === 1) for (const point of last) if (!liberties.has(point)) takes.add(point);
  }
  return [...liberties, ...ordered(takes)];
}

// The legal moves that catch a chain with two liberties, or (`own`) free an own chain in atari.
export function ladderMoves(position, legal, own) {
  const found = new Set(), seen = new Set(), wanted = own ? position.toPlay : -position.toPlay;
  position.colours.forEach((colour, stone) => {
    if (colour !== wanted || seen.has(stone)) return;
    const { stones, liberties } = chain(position.colours, stone);
    for (const one of stones) seen.add(one);
    if (liberties.size !== (own ? 1 : 2)) return;
    for (const point of own ? answers(position, stone) : ordered(liberties)) {
      if (!legal.has(point)) continue;
      const ladder = new Ladder();
      try {
        if (own ? ladder.freedBy(position, point, stone) : ladder.caughtBy(position, point, stone)) found.add(point);
      } catch (error) {
        if (error !== UNDECIDED) throw error; // past the limit it counts neither as one nor the other
      }
    }
  });
  return found;
}
