// The picture of 6 x 6 and its two filters, and the sums that the walk shows with them.

export const PICTURE = ["100001", "010010", "001100", "100010", "010010", "001010"].map((row) => [...row].map(Number));
export const DIAGONAL = [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]];
export const UPRIGHT = [[-1, 1, -1], [-1, 1, -1], [-1, 1, -1]];

export function windowAt(picture, y, x, size = 3) {
  return picture.slice(y, y + size).map((row) => row.slice(x, x + size));
}

export function sumAt(picture, filter, y, x) {
  return filter.reduce((sum, row, i) => sum + row.reduce((s, w, k) => s + w * picture[y + i][x + k], 0), 0);
}

export function convolved(picture, filter, stride = 1) {
  const places = Math.floor((picture.length - filter.length) / stride) + 1;
  return Array.from({ length: places }, (_, y) => Array.from({ length: places }, (_, x) => sumAt(picture, filter, y * stride, x * stride)));
}

export function pooled(map, size = 2) {
  const places = Math.floor(map.length / size);
  return Array.from({ length: places }, (_, y) => Array.from({ length: places }, (_, x) =>
    Math.max(...windowAt(map, y * size, x * size, size).flat())));
}

// The 16 x 36 matrix that computes the same map: which weight (0 to 8) an edge has, or null.
export function matrix(side = 6, size = 3) {
  const places = side - size + 1;
  return Array.from({ length: places * places }, (_, row) => Array.from({ length: side * side }, (_, column) => {
    const y = Math.floor(column / side) - Math.floor(row / places);
    const x = (column % side) - (row % places);
    return y >= 0 && y < size && x >= 0 && x < size ? y * size + x : null;
  }));
}
