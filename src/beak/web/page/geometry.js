// How a layer's numbers lie on the screen: maps of rows and columns, whatever the shape.

// `turned`: the first of two axes is time, which runs to the right; the second rises upward.
export function geometry(shape, turned = false) {
  if (shape.length === 3 && turned) return { maps: shape[0], h: shape[2], w: shape[1], axes: 3, shape, turned };
  if (shape.length === 3) return { maps: shape[0], h: shape[1], w: shape[2], axes: 3, shape };
  if (shape.length === 2) return { maps: 1, h: shape[0], w: shape[1], axes: 2, shape };
  const n = shape[0];
  const w = n <= 16 ? 1 : n > 2000 ? Math.ceil(Math.sqrt(n * 2)) : Math.ceil(Math.sqrt(n));
  return { maps: 1, h: Math.ceil(n / w), w, axes: 1, n, shape };
}

export function indexAt({ axes, h, w, n, turned }, map, y, x) {
  if (turned) return [map, x, h - 1 - y];
  if (axes === 3) return [map, y, x];
  if (axes === 2) return [y, x];
  return y * w + x < n ? [y * w + x] : null;
}

export function placeOf({ axes, h, w, turned }, index) {
  if (turned) return { map: index[0], y: h - 1 - index[2], x: index[1] };
  if (axes === 3) return { map: index[0], y: index[1], x: index[2] };
  if (axes === 2) return { map: 0, y: index[0], x: index[1] };
  return { map: 0, y: Math.floor(index[0] / w), x: index[0] % w };
}

// Where a map's upper left number stands in it, and how far its right and its lower neighbour are.
export const steps = ({ h, w, turned }) => (turned ? [h - 1, h, -1] : [0, 1, w]);

export function flatOf(shape, index) {
  return index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
}

// Columns and zoom that make so many tiles fill a box best.
export function packed(tiles, h, w, width, height, most = 12) {
  let best = { columns: 1, zoom: 0 };
  for (let columns = 1; columns <= tiles; columns++) {
    const rows = Math.ceil(tiles / columns);
    const zoom = Math.min(width / (columns * (w + 1)), height / (rows * (h + 1)), most);
    if (zoom > best.zoom) best = { columns, zoom };
  }
  return best;
}
