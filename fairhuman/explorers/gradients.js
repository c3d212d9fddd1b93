// Three gradients to drag, and the directions that each rule makes of them.
import { alphaFair, closedForm, dot, maxMin, nash, potentialDelay, ratesOfDescent } from "./solver.js";
import { SVG, digits, follow, make, prepare, put, slider } from "./marks.js";

const OBJECTIVES = ["global", "face", "hand"];
const LEAST = 1e-3, MOST = 1, RADIUS = 128, WIDTH = 240, HEIGHT = 156;
const STATE = ["norms", "angles", "alpha", "shared", "size"];
const METHODS = [
  { name: "mpd", label: "exact", shape: "M0-6L6 0 0 6-6 0Z", weights: (K, alpha) => alphaFair(K, alpha).weights },
  { name: "closed_form", label: "Eq. 10", shape: "M-5-5H5V5H-5Z", weights: closedForm },
  { name: "ls", label: "plain sum", shape: "M0-6 6 5H-6Z", weights: K => K.map(() => 1) },
  { name: "max_min", label: "max-min", shape: "M-6-5H6L0 6Z", weights: maxMin },
  { name: "nash", label: "Nash", shape: "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z", weights: K => nash(K).weights },
  { name: "least_squares", label: "least squares", shape: "M-5 0A5 5 0 1 0 5 0 5 5 0 1 0-5 0Z", weights: fromPython },
];
const PRESETS = {
  "section 1": { norms: [0.1, 0.01, 0.01], angles: [0, 45, -45], shared: 0.3 * Math.SQRT2, alpha: 2, size: 0 },
  "fine-tuning": { norms: [1, 0.12, 0.05], angles: [0, 75, -100], shared: 0.6, alpha: 2, size: 0 },
  conflict: { norms: [0.3, 0.1, 0.1], angles: [0, 140, -140], shared: 0.8, alpha: 2, size: 0 },
  cancelling: { norms: [0.3, 0.1, 0.1], angles: [0, 120, -120], shared: 1, alpha: 2, size: 0 },
};

/** Inner products: `shared` of each squared length lies in the plane, the rest is its own and orthogonal to all. */
function gramian({ norms, angles, shared, size }) {
  return norms.map((a, i) => norms.map((b, j) =>
    10 ** (2 * size) * a * b * (i === j ? 1 : shared * Math.cos((angles[i] - angles[j]) * Math.PI / 180))));
}

/** SciPy's weights, which only Python finds: those that it sent, if they belong to the gradients shown. */
function fromPython(K, alpha, now, sent) {
  const shown = STATE.flatMap(name => now[name]);
  return sent?.at?.length && sent.at.every((value, i) => value === shown[i]) ? sent.weights : null;
}

const radius = norm => RADIUS * (0.12 + 0.88 * Math.log10(norm / LEAST) / Math.log10(MOST / LEAST));
const normAt = length => LEAST * (MOST / LEAST) ** ((length / RADIUS - 0.12) / 0.88);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const turn = angle => ((angle + 180) % 360 + 360) % 360 - 180;
const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const at = (length, angle) => [length * Math.cos(angle * Math.PI / 180), -length * Math.sin(angle * Math.PI / 180)];

function render({ model, el }) {
  const { root, end } = prepare(el, "gradients");
  const state = () => Object.fromEntries(STATE.map(name => [name, model.get(name)]));
  const columns = make("div", { class: "columns" }, root);
  const plane = make("svg", { viewBox: `${-WIDTH} ${-HEIGHT} ${2 * WIDTH} ${2 * HEIGHT}`, role: "group",
    "aria-label": "Three gradients in a plane and the directions made of them" }, columns, SVG);
  const side = make("div", { class: "side" }, columns);
  drawGround(plane);
  const rays = make("g", {}, plane, SVG);
  const arrows = OBJECTIVES.map((name, i) => arrow(plane, name, i, model, state));
  const table = make("table", {}, side);
  const message = make("p", { role: "status" }, side);
  const controls = make("div", { class: "controls" }, root);
  const sliders = {
    alpha: slider(controls, { label: "fairness α", min: -2, max: 5, step: 0.1, read: value => round(2 ** value),
      write: Math.log2, words: value => `${digits(value)}${value === 2 ? " (MPD)" : value === 1 ? " (Nash)" : ""}`,
      change: alpha => put(model, { alpha }) }),
    shared: slider(controls, { label: "share of the plane", min: 0, max: 1, step: 0.01,
      words: value => `${Math.round(100 * value)} %`, change: shared => put(model, { shared }) }),
    size: slider(controls, { label: "size of all gradients", min: -4, max: 0, step: 0.1,
      words: value => `× ${digits(10 ** value)}`, change: size => put(model, { size }) }),
  };
  const presets = make("div", { class: "presets" }, controls);
  for (const [name, values] of Object.entries(PRESETS)) {
    make("button", { type: "button", text: name }, presets).addEventListener("click", () => put(model, values));
  }
  make("p", { class: "hint", text: "Drag a tip, or focus it: ← → turn it, ↑ ↓ change its length, Shift makes small "
    + "steps. Radial scale logarithmic. Lines from the middle: each direction’s projection onto the plane." }, root);
  const stop = follow(model, [...STATE, "least_squares"], () => {
    const now = state(), K = gramian(now), sent = model.get("least_squares");
    const found = METHODS.map(method => judge(method, K, now, sent));
    arrows.forEach(draw => draw(now));
    drawRays(rays, found);
    fillTable(table, found, now);
    message.textContent = alphaFair(K, now.alpha).stationary
      ? "The gradients cancel: no direction lowers all three losses (Pareto stationary)." : tell(found);
    for (const name of Object.keys(sliders)) sliders[name](now[name]);
  });
  return () => { stop(); end(); };
}

const round = value => Number(value.toPrecision(3));

/** What a rule's weights lead to: rates per length of d, cosines with the gradients, Eq. 5, the projection's angle. */
function judge(method, K, now, sent) {
  const { norms, angles, alpha, shared } = now, weights = method.weights(K, alpha, now, sent);
  if (!weights) return { ...method, weights, angle: null, ascends: [] };
  const rates = ratesOfDescent(K, weights);
  const parts = weights.map((weight, i) => weight * norms[i]);
  const x = dot(parts, angles.map(angle => Math.cos(angle * Math.PI / 180)));
  const y = dot(parts, angles.map(angle => Math.sin(angle * Math.PI / 180)));
  const some = Math.hypot(x, y) > 1e-9 * parts.reduce((sum, part) => sum + Math.abs(part), 0) && shared > 0;
  const cosines = rates.map((rate, i) => rate / Math.sqrt(K[i][i]));
  return { ...method, weights, cosines, angle: some ? Math.atan2(y, x) * 180 / Math.PI : null,
    ascends: OBJECTIVES.filter((_, i) => cosines[i] < -1e-12), cost: potentialDelay(rates, alpha) };
}

function drawGround(plane) {
  for (const norm of [0.01, 0.1, 1]) {
    make("circle", { r: radius(norm), class: "ring" }, plane, SVG);
    make("text", { x: 3, y: radius(norm) - 3, class: "tick", text: norm }, plane, SVG);
  }
  make("circle", { r: 2, class: "middle" }, plane, SVG);
}

/** An arrow with a handle that pointer and keys move; returns what draws it. */
function arrow(plane, name, index, model, state) {
  const group = make("g", { class: "arrow", style: `--shade: ${COLOURS[name]}` }, plane, SVG);
  const line = make("line", {}, group, SVG);
  const handle = make("circle", { r: 9, tabindex: 0, role: "slider", "aria-label": `gradient of the ${name} loss`,
    "aria-valuemin": -180, "aria-valuemax": 180, "data-objective": name }, group, SVG);
  const label = make("text", { text: name }, group, SVG);
  const changed = (key, value) => model.get(key).map((one, i) => i === index ? value : one);
  const move = (norm, angle) => put(model, { norms: changed("norms", round(clamp(norm, LEAST, MOST))),
    angles: changed("angles", Math.round(turn(angle) * 10) / 10) });
  handle.addEventListener("keydown", event => {
    const fine = event.shiftKey, { norms, angles } = state();
    const turns = { ArrowLeft: 1, ArrowRight: -1 }[event.key], grows = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!turns && !grows) return;
    event.preventDefault();
    event.stopPropagation();
    move(norms[index] * (fine ? 1.02 : 1.2) ** (grows ?? 0), angles[index] + (turns ?? 0) * (fine ? 1 : 5));
  });
  handle.addEventListener("pointerdown", event => {
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", event => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(plane.getScreenCTM().inverse());
    move(normAt(Math.hypot(point.x, point.y)), Math.atan2(-point.y, point.x) * 180 / Math.PI);
  });
  return ({ norms, angles }) => {
    const [x, y] = at(radius(norms[index]), angles[index]);
    for (const [key, value] of Object.entries({ x2: x, y2: y })) line.setAttribute(key, value);
    for (const [key, value] of Object.entries({ cx: x, cy: y })) handle.setAttribute(key, value);
    // Above the tip or below it, and beyond the labels of gradients whose tips are as near as this.
    const near = norms.filter((norm, i) => i < index && apart(at(radius(norm), angles[i]), [x, y]) < 30).length;
    const away = 15 + 14 * near;
    for (const [key, value] of Object.entries({ x, y: y <= 0 ? y - away : y + away + 9 })) label.setAttribute(key, value);
    handle.setAttribute("aria-valuenow", angles[index]);
    handle.setAttribute("aria-valuetext", `angle ${digits(angles[index])}°, norm ${digits(norms[index])}`);
  };
}

/** Lines to the rim and names beside it, none on another. */
function drawRays(group, found) {
  group.replaceChildren();
  const placed = found.filter(one => one.angle !== null).map(one => {
    const [x, y] = at(RADIUS + 8, one.angle);
    return { ...one, x, y, side: x < 0 ? -1 : 1, row: y };
  });
  for (const side of [-1, 1]) spread(placed.filter(one => one.side === side), 17, HEIGHT - 10);
  for (const one of placed) {
    const ray = make("g", { class: "ray", style: `--shade: ${COLOURS[one.name]}`, "data-method": one.name }, group, SVG);
    const edge = one.side * (RADIUS + 22);
    make("line", { x2: one.x, y2: one.y }, ray, SVG);
    make("polyline", { points: `${one.x},${one.y} ${edge},${one.row}`, class: "leader" }, ray, SVG);
    make("path", { d: one.shape, transform: `translate(${one.x} ${one.y})` }, ray, SVG);
    make("text", { x: edge + 3 * one.side, y: one.row + 4, "text-anchor": one.side < 0 ? "end" : "start",
      text: one.label }, ray, SVG);
  }
}

/** Moves rows apart until they are `gap` apart, and all within ±`limit`. */
function spread(marks, gap, limit) {
  marks.sort((a, b) => a.row - b.row);
  let last = -limit - gap;
  for (const one of marks) last = one.row = Math.max(one.row, last + gap);
  last = limit + gap;
  for (const one of marks.toReversed()) last = one.row = Math.min(one.row, last - gap);
}

function fillTable(table, found, { alpha }) {
  table.replaceChildren();
  const head = make("thead", {}, table), top = make("tr", {}, head), names = make("tr", {}, head);
  make("th", {}, top);
  make("th", { colspan: 3, text: "weight", title: "w: the direction is Σ wᵢ gᵢ" }, top);
  make("th", { colspan: 3, text: "descent", title: "cosine of the direction with each gradient" }, top);
  make("th", { text: alpha === 2 ? "Eq. 5" : "cost" }, top);
  make("th", { text: "direction" }, names);
  for (const name of [...OBJECTIVES, ...OBJECTIVES]) make("th", { text: name, style: `--shade: ${COLOURS[name]}` }, names);
  make("th", { text: "‖d‖ = 1" }, names);
  const body = make("tbody", {}, table), optimum = found[0].cost;
  for (const one of found) {
    const row = make("tr", { "data-method": one.name, style: `--shade: ${COLOURS[one.name]}` }, body);
    const name = make("th", { scope: "row" }, row);
    const mark = make("svg", { viewBox: "-7 -7 14 14", class: "mark" }, name, SVG);
    make("path", { d: one.shape }, mark, SVG);
    name.append(one.label);
    if (!one.weights) {
      make("td", { colspan: 7, class: "hint", text: "SciPy’s solver: needs a running notebook" }, row);
      continue;
    }
    for (const weight of one.weights) make("td", { text: digits(weight), class: weight < 0 ? "negative" : null }, row);
    one.cosines.forEach((cosine, i) => {
      const cell = make("td", { class: "rate", style: `--shade: ${COLOURS[OBJECTIVES[i]]}` }, row);
      const up = cosine < -1e-12;
      make("span", { text: Number.isFinite(cosine) ? cosine.toFixed(2).replace("-", "−") + (up ? " ▲" : "") : "–",
        class: up ? "negative" : null }, cell);
      if (Number.isFinite(cosine)) {
        make("i", { class: cosine < 0 ? "down" : null, style: `width: ${(100 * Math.abs(cosine)).toFixed(1)}%` }, cell);
      }
    });
    const excess = alpha > 1 && one.cost > optimum * (1 + 5e-4) ? one.cost / optimum - 1 : 0;
    const cost = make("td", { text: digits(one.cost, 4) }, row);
    if (Number.isFinite(excess) && excess) make("small", { text: ` +${digits(100 * excess, 2)} %` }, cost);
  }
}

function tell(found) {
  const raised = found.filter(one => one.ascends.length);
  return raised.length
    ? `Raises a loss: ${raised.map(one => `${one.label} (${one.ascends.join(" and ")})`).join("; ")}.`
    : "Every direction lowers all three losses.";
}

export default { render };
