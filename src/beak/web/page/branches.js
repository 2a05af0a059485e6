// Which layers stand beside each other: a list of layers in order, as a list of single layers and
// of groups {branches} that begin at one place and end in one join. A branch may be empty: what
// goes straight on.

export function arranged(names, layers) {
  const readers = new Map();
  for (const layer of layers.values()) {
    for (const name of new Set(layer.inputs)) readers.set(name, (readers.get(name) ?? 0) + 1);
  }
  const place = new Map(names.map((name, i) => [name, i]));
  const groups = new Map(); // where a group begins: its branches and where it ends
  let free = 0; // the first place that no group has
  names.forEach((name, i) => {
    const ends = layers.get(name).inputs;
    if (ends.length < 2) return;
    const branches = ends.map((end) => chain(end, layers, place, readers, free));
    const inside = branches.flatMap((branch) => branch.names).map((one) => place.get(one));
    const forks = new Set(branches.map((branch) => branch.from));
    if (forks.size > 1 || !inside.length || inside.length !== i - Math.min(...inside)) return;
    groups.set(Math.min(...inside), { branches: branches.map((branch) => branch.names), end: i });
    free = i;
  });
  const found = [];
  for (let i = 0; i < names.length;) {
    const group = groups.get(i);
    found.push(group ? { branches: group.branches } : names[i]);
    i = group ? group.end : i + 1;
  }
  return found;
}

// From the end of a branch back to where it forks off, as far as the layers are in the list.
function chain(end, layers, place, readers, free) {
  const names = [];
  let from = end;
  while ((place.get(from) ?? -1) >= free && readers.get(from) === 1 && layers.get(from).inputs.length === 1) {
    names.unshift(from);
    [from] = layers.get(from).inputs;
  }
  return { names, from };
}
