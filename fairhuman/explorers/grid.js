// Masks on the latent grid, as fairhuman.regions makes them in Python. A mask is { values, width, height }, the
// values row by row in [0, 1].

/** One mask that covers all the boxes [x0, y0, x1, y1] in whole pixels, the upper bounds exclusive. */
export function boxMask(boxes, width, height) {
  const values = new Float64Array(width * height);
  for (const [x0, y0, x1, y1] of boxes) {
    for (let y = Math.max(y0, 0); y < Math.min(y1, height); y += 1) {
      values.fill(1, y * width + Math.max(x0, 0), y * width + Math.max(Math.min(x1, width), x0, 0));
    }
  }
  return { values, width, height };
}

/** The mask moved to the right; what leaves the picture is lost. */
export function moved({ values, width, height }, shift) {
  const made = new Float64Array(width * height);
  for (let y = 0; y < height; y += 1) {
    made.set(values.subarray(y * width, (y + 1) * width - shift), y * width + shift);
  }
  return { values: made, width, height };
}

/** The mask on a grid of cells with `side` pixels each: their mean, or "nearest", the first pixel of each cell and a
threshold at one half. */
export function onGrid({ values, width, height }, side, way) {
  const columns = Math.floor(width / side), rows = Math.floor(height / side);
  const cells = new Float64Array(columns * rows);
  for (let row = 0; row < rows; row += 1) for (let column = 0; column < columns; column += 1) {
    let sum = 0;
    if (way === "nearest") sum = Number(values[row * side * width + column * side] > 0.5);
    else {
      for (let y = 0; y < side; y += 1) for (let x = 0; x < side; x += 1) {
        sum += values[(row * side + y) * width + column * side + x];
      }
      sum /= side * side;
    }
    cells[row * columns + column] = sum;
  }
  return { values: cells, width: columns, height: rows };
}

/** Share of the picture that a mask covers, in [0, 1]. */
export const area = ({ values }) => values.reduce((sum, value) => sum + value, 0) / values.length;
