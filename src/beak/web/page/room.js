// How much room a layer's maps have in the picture of the whole network.

const PHONE = 720, HALL = 1700; // from the widths in the style sheets
const GAP = 14, FRAME = 30, SIDES = 48; // between layers, of a frame around some, left and right of all
const LEAST = 80, MOST = 190; // so much a layer's words need, and so much they may have

// {width, height} for the maps of one layer, each: for its words; all: whether every layer stands
// on the screen at once with that.
// On a phone, where layers stand one below the other, as wide as that is and low.
export function measured(section, { columns, frames }) {
  if (innerWidth <= PHONE) return { width: Math.min(innerWidth - 48, 480), height: 230, each: MOST, all: false };
  const hall = innerWidth >= HALL;
  const answers = hall ? 216 : 172;
  const each = Math.floor((section.clientWidth - SIDES - answers - GAP * columns - FRAME * frames) / columns);
  const height = Math.max(400, Math.min(600, innerHeight - 440)); // what is opened below is seen too
  const usual = hall ? 156 : 128;
  const all = each >= LEAST;
  return { width: all ? Math.min(each, usual) : usual, height, each: all ? Math.min(each, MOST) : MOST, all };
}
