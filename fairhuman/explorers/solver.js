// Weights of the objectives' gradients from their Gram matrix, as fairhuman.fairness finds them in Python.
// A Gram matrix K is an array of m rows of m numbers; weights are an array of m numbers.

const EPSILON = 2 ** -52;
const MOST_STEPS = 80;

export const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
export const times = (K, w) => K.map(row => dot(row, w));

/** Weights w > 0 with K w = w^(−1/α), and whether a combination of the gradients vanishes (weights all 0).

A damped Newton iteration on ½ wᵀKw − Σ wᵢ^(1−1/α) / (1−1/α); fairhuman/fairness/_newton.py derives its steps. */
export function alphaFair(K, alpha = 2) {
  const present = K.map((_, i) => i).filter(i => K[i][i] > 0);
  const weights = K.map(() => 0);
  if (!present.length) return { weights, stationary: false };
  const ray = alpha / (alpha + 1);
  const exponent = Math.ceil(Math.log2(Math.max(...present.map(i => K[i][i]))));
  const scaled = present.map(i => present.map(j => K[i][j] * 2 ** -exponent));
  let { w, stationary, steps } = newton(scaled, alpha);
  // For small α the weights grow too little to show that gradients cancel; at α = 1 they do.
  if (alpha < 1 && steps === MOST_STEPS) stationary ||= newton(scaled, 1).stationary;
  if (!stationary) present.forEach((i, k) => { weights[i] = w[k] * 2 ** (-ray * exponent); });
  return { weights, stationary };
}

function newton(K, alpha) {
  const m = K.length, ray = alpha / (alpha + 1), steep = alpha > 20, least = 1e-200;
  const norms = K.map((row, i) => Math.sqrt(row[i]));
  let w = norms.map(norm => norm ** (-2 * ray));
  let stationary = false, close = false, steps = 0;
  while (steps < MOST_STEPS) {
    steps += 1;
    const matrix = K.map((row, i) => row.map((value, j) => w[i] * value * w[j]));
    const y = matrix.map(row => row.reduce((sum, value) => sum + value, 0));
    let q = w.map(value => value ** (1 - 1 / alpha));
    const square = y.reduce((sum, value) => sum + value, 0), total = dot(norms, w) ** 2;
    stationary ||= square <= 2 * m * EPSILON * total;
    const along = Math.max(square, EPSILON ** 2 * total) / q.reduce((sum, value) => sum + value, 0);
    q = q.map(value => value * along);
    matrix.forEach((row, i) => { row[i] = (row[i] + q[i] / alpha) * (1 + 4 * m * EPSILON); });
    const p = solve(matrix, q.map((value, i) => value - y[i]));
    if (steep) p.forEach((value, i) => { if (w[i] <= least && value < 0) p[i] = 0; });
    const r = Math.max(-Math.min(...p), 1e-8);
    const shortest = (1 + r / alpha) ** -alpha, size = (1 - shortest) / r;
    w = w.map((value, i) => value * along ** -ray * Math.max(1 + p[i] * size, shortest));
    if (steep) w = w.map(value => Math.max(value, least));
    if (close) break;
    close = stationary || Math.max(...p.map(Math.abs)) <= 1e-5;
  }
  return { w, stationary, steps };
}

/** Eq. 10 as printed, generalised: K^(−α/(α+1)) 1. */
export function closedForm(K, alpha = 2) {
  const present = K.map((row, i) => row[i] > 0);
  const scale = Math.max(...K.map((row, i) => row[i])) || 1;
  const unit = K.map((row, i) => row.map((value, j) => value / scale + (i === j && !present[i] ? 1 : 0)));
  const { values, vectors } = eigen(unit);
  const floor = K.length * EPSILON * Math.max(...values), power = -alpha / (alpha + 1);
  const weights = K.map(() => 0);
  values.forEach((value, k) => {
    const column = vectors.map(row => row[k]);
    const share = Math.max(value, floor) ** power * dot(column, present.map(Number));
    column.forEach((entry, i) => { weights[i] += entry * share; });
  });
  return weights.map((value, i) => present[i] ? value * scale ** power : 0);
}

/** Nash bargaining: α = 1, cut to length 1. */
export function nash(K) {
  const { weights, stationary } = alphaFair(K, 1);
  const length = Math.sqrt(dot(weights, times(K, weights)));
  return { weights: length > 1 ? weights.map(value => value / length) : weights, stationary };
}

/** Max-min fairness, which is MGDA: the shortest convex combination of the gradients. Exact: of the subsets of
objectives that could share the least rate, the one whose optimum holds for all. */
export function maxMin(K) {
  const m = K.length;
  let best = { weights: K.map(() => 0), square: Infinity };
  for (let set = 1; set < 2 ** m; set += 1) {
    const members = K.map((_, i) => i).filter(i => set >> i & 1);
    const weights = K.map(() => 0);
    // Enlarged by rounding's share, or gradients that cancel could make a pivot vanish.
    const part = solve(members.map(i => members.map(j => K[i][j] * (i === j ? 1 + 4 * m * EPSILON : 1))),
      members.map(() => 1));
    const sum = part.reduce((total, value) => total + value, 0);
    members.forEach((i, k) => { weights[i] = part[k] / sum; });
    const square = dot(weights, times(K, weights));
    if (weights.every(value => value >= 0) && square < best.square) best = { weights, square };
  }
  return best.weights;
}

/** Cost of rates of descent: Eq. 5, Σ 1/(gᵢᵀd), at α = 2; infinite where an objective does not descend. */
export function potentialDelay(rates, alpha = 2) {
  if (rates.some(rate => !(alpha >= 1 ? rate > 0 : rate >= 0))) return Infinity;
  if (alpha === 1) return -rates.reduce((sum, rate) => sum + Math.log(rate), 0);
  return rates.reduce((sum, rate) => sum + rate ** (1 - alpha), 0) / (alpha - 1);
}

/** gᵢᵀd / ‖d‖ for d = Σ wᵢ gᵢ. */
export function ratesOfDescent(K, w) {
  const rates = times(K, w), length = Math.sqrt(Math.max(dot(w, rates), 0));
  return rates.map(rate => rate / length);
}

/** x with A x = b for a symmetric positive definite A. Without pivots, which would round away rows of small weights. */
function solve(A, b) {
  const m = b.length, rows = A.map((row, i) => [...row, b[i]]);
  for (let k = 0; k < m; k += 1) {
    rows[k] = rows[k].map(value => value / rows[k][k]);
    for (let i = 0; i < m; i += 1) {
      const factor = i === k ? 0 : rows[i][k];
      if (factor) rows[i] = rows[i].map((value, j) => value - factor * rows[k][j]);
    }
  }
  return rows.map(row => row[m]);
}

/** Eigenvalues and vectors (as columns) of a symmetric matrix, by Jacobi's rotations. */
function eigen(matrix) {
  const m = matrix.length, A = matrix.map(row => [...row]);
  const vectors = A.map((_, i) => A.map((_, j) => Number(i === j)));
  for (let sweep = 0; sweep < 60; sweep += 1) {
    let largest = 0;
    for (let i = 0; i < m; i += 1) for (let j = i + 1; j < m; j += 1) {
      if (A[i][j] === 0) continue;
      largest = Math.max(largest, Math.abs(A[i][j]) / Math.sqrt(Math.abs(A[i][i] * A[j][j]) || 1e-300));
      const theta = (A[j][j] - A[i][i]) / (2 * A[i][j]);
      const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
      const c = 1 / Math.hypot(t, 1), s = t * c;
      for (let k = 0; k < m; k += 1) {
        [A[k][i], A[k][j]] = [c * A[k][i] - s * A[k][j], s * A[k][i] + c * A[k][j]];
      }
      for (let k = 0; k < m; k += 1) {
        [A[i][k], A[j][k]] = [c * A[i][k] - s * A[j][k], s * A[i][k] + c * A[j][k]];
        [vectors[k][i], vectors[k][j]] = [c * vectors[k][i] - s * vectors[k][j], s * vectors[k][i] + c * vectors[k][j]];
      }
    }
    if (largest < EPSILON) break;
  }
  return { values: A.map((row, i) => row[i]), vectors };
}
