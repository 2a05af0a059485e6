// What is too much for a page, and what answers are called.

const PER_QUESTION = 60e9; // multiply-adds: about a minute of plain JavaScript

export const labelOf = ({ run }, answer) => run.network.labels[answer] ?? String(answer);

// So many passes through the network; an error where that would take too long, or false where none is wanted.
export function afford(engine, passes, refuse = true) {
  const { multiply_adds: each, name } = engine.run.network;
  if (passes * each <= PER_QUESTION) return true;
  if (refuse) throw new Error(`this goes ${passes} times through a network of ${(each / 1e6).toFixed(0)} million multiply-adds, too long for a page; open it with beak look (${name})`);
  return false;
}

// How many times one can go through the network up to a node.
export function affordable({ net, run }, end) {
  const needed = net.leadingTo(end ?? net.last.name, new Map());
  const each = run.network.layers.reduce((sum, layer) => sum + (needed.has(layer.name) ? layer.multiply_adds : 0), 0);
  return Math.floor(PER_QUESTION / 3 / Math.max(each, 1000));
}
