// Runs beside the base: pictures at the same noise, losses and weights, at a step and a strength of the adapter.
import { SVG, choice, digits, follow, make, prepare, put, slider } from "./marks.js";

const STATE = ["step", "beta", "prompt"];
const DASHES = [null, "7 4", "2 3", "8 3 2 3"];
const CHART = { width: 420, height: 190, left: 52, right: 10, top: 22, bottom: 34 };

function render({ model, el }) {
  const { root, end } = prepare(el, "training");
  const runs = model.get("runs"), samples = model.get("samples"), prompts = model.get("prompts"), last = model.get("last");
  const betas = [...new Set([0, ...samples.map(one => one.beta)])].sort((a, b) => a - b);
  const nearest = beta => betas.reduce((best, one) => Math.abs(one - beta) < Math.abs(best - beta) ? one : best);
  const controls = make("div", { class: "controls" }, root);
  const sets = {
    step: slider(controls, { label: "steps made", min: 0, max: last, step: Math.max(1, Math.round(last / 200)),
      words: step => `${step} of ${last}`, change: step => put(model, { step }) }),
  };
  if (samples.length) {
    sets.beta = slider(controls, { label: "β (Eq. 12)", min: 0, max: betas.length - 1, step: 1,
      read: place => betas[place], write: beta => betas.indexOf(nearest(beta)), words: beta => digits(beta, 2),
      change: beta => put(model, { beta }) });
    sets.prompt = choice(controls, "prompt", prompts.map((text, i) => [i, text]), prompt => put(model, { prompt: Number(prompt) }));
  }
  const views = make("div", { class: "columns" }, root);
  const pictures = samples.length ? [{ name: "base", label: "base" }, ...runs].map(({ name, label }) => {
    const figure = make("figure", { "data-run": name }, views);
    return { name, label, image: make("img", {}, figure), caption: make("figcaption", {}, figure) };
  }) : [];
  const charts = make("div", { class: "columns charts" }, root);
  const drawn = [
    { title: "held-out loss, share of that at the start", of: run => run.heldout, log: false },
    { title: "weights", of: ({ log }) => ({ steps: log.steps, values: log.weights }), log: true },
  ].filter(({ of }) => runs.some(run => of(run).steps.length)).map(one => ({ ...one, svg: make("svg", {
    viewBox: `0 0 ${CHART.width} ${CHART.height}`, class: "plot", role: "img" }, charts, SVG) }));
  const legend = make("p", { class: "legend" }, root);
  for (const [i, { label }] of runs.entries()) key(legend, label, null, DASHES[i % DASHES.length]);
  for (const name of objectives(runs)) key(legend, name, shade(name), null);
  const side = make("div", { class: "side" }, root), table = make("table", {}, side);
  const message = make("p", { role: "status" }, root);
  make("p", { class: "hint", text: "Loss and weight are of the batch of the next step; the share is wᵢ‖gᵢ‖ over the sum of "
    + "all, known where the run kept its gradients’ products. Click a chart to go to a step." }, root);
  for (const { svg } of drawn) svg.addEventListener("click", event => {
    const { x } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const share = (x - CHART.left) / (CHART.width - CHART.left - CHART.right);
    put(model, { step: Math.round(last * Math.min(Math.max(share, 0), 1)) });
  });
  const stop = follow(model, STATE, () => {
    const now = Object.fromEntries(STATE.map(name => [name, model.get(name)]));
    for (const [name, set] of Object.entries(sets)) set(now[name]);
    for (const { name, label, image, caption } of pictures) {
      const shown = pick(samples, name, now);
      image.src = shown?.image ?? "";
      image.alt = caption.textContent = !shown ? `${label}: not sampled` : shown.run === "base" ? name === "base" ? "base"
        : `${label}: the base, ${now.beta ? "before the first sample" : "β = 0"}`
        : `${label}: step ${shown.step}, β = ${digits(shown.beta, 2)}`
          + (shown.beta === nearest(now.beta) ? "" : " (other β after the last step only)");
    }
    for (const one of drawn) chart(one, runs, now.step, last);
    fill(table, runs, now.step);
    message.textContent = tell(runs, now.step);
  });
  return () => { stop(); end(); };
}

const objectives = runs => [...new Set(runs.flatMap(run => [...Object.keys(run.log.losses), ...Object.keys(run.heldout.values)]))];

const shade = name => COLOURS[name] ?? COLOURS.base;

/** The latest sample of a run up to this step, at the nearest β; else the base's. */
function pick(samples, run, { step, beta, prompt }) {
  const own = samples.filter(one => one.prompt === prompt);
  const kept = own.filter(one => one.run === run && one.step <= step);
  if (run === "base" || !kept.length || !beta) return own.find(one => one.run === "base");
  const reached = Math.max(...kept.map(one => one.step));
  return kept.filter(one => one.step === reached)
    .reduce((best, one) => Math.abs(one.beta - beta) < Math.abs(best.beta - beta) ? one : best);
}

/** Place of the entry that holds at this step: the last one that is not later; -1 before the first. */
const placeOf = (steps, step) => steps.findLastIndex(one => one <= step);

function key(legend, text, tone, dash) {
  const one = make("span", tone ? { style: `--shade: ${tone}` } : {}, legend);
  const mark = make("svg", { viewBox: "0 0 34 14", class: "stroke" }, one, SVG);
  make("line", { x1: 1, x2: 33, y1: 7, y2: 7, "stroke-dasharray": dash }, mark, SVG);
  one.append(text);
}

function chart({ svg, title, of, log }, runs, step, last) {
  svg.replaceChildren();
  svg.setAttribute("aria-label", title);
  const { width, height, left, right, top, bottom } = CHART;
  const all = runs.flatMap(run => Object.values(of(run).values).flat()).filter(one => one > 0);
  const scale = log ? Math.log : Number, [least, most] = [Math.min(...all), Math.max(...all)].map(scale);
  const room = (most - least) * 0.05 || 0.1, low = least - room, high = most + room;
  const x = at => left + (width - left - right) * at / Math.max(last, 1);
  const y = value => top + (height - top - bottom) * (high - scale(value)) / (high - low);
  make("text", { x: left, y: 13, text: title + (log ? " (log scale)" : "") }, svg, SVG);
  for (const value of ticks(least, most, log)) {
    make("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }, svg, SVG);
    make("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end", class: "tick", text: digits(value, log ? 1 : 3) }, svg, SVG);
  }
  for (const at of [0, last / 2, last]) {
    make("text", { x: x(at), y: height - bottom + 15, "text-anchor": at ? at < last ? "middle" : "end" : "start", class: "tick",
      text: Math.round(at) }, svg, SVG);
  }
  make("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle", class: "tick", text: "steps made" }, svg, SVG);
  for (const [i, run] of runs.entries()) for (const [name, values] of Object.entries(of(run).values)) {
    const points = of(run).steps.map((at, j) => values[j] > 0 ? `${x(at)},${y(values[j])}` : null).filter(Boolean);
    make("polyline", { points: points.join(" "), style: `--shade: ${shade(name)}`, "data-line": `${run.name} ${name}`,
      "stroke-dasharray": DASHES[i % DASHES.length] }, svg, SVG);
  }
  make("line", { x1: x(step), x2: x(step), y1: top, y2: height - bottom, class: "now" }, svg, SVG);
}

/** A few round values between two, which on a log scale are logarithms. */
function ticks(least, most, log) {
  if (!log) return least === most ? [least] : [least, (least + most) / 2, most];
  const tens = Array.from({ length: 40 }, (_, i) => 10 ** (i - 20));
  const within = tens.filter(one => Math.log(one) >= least - 1e-9 && Math.log(one) <= most + 1e-9);
  return within.length > 1 ? within.filter((_, i) => i % Math.ceil(within.length / 5) === 0) : [least, most].map(Math.exp);
}

/** One row per objective, four columns per run. */
function fill(table, runs, step) {
  table.replaceChildren();
  const head = make("thead", {}, table), top = make("tr", {}, head), names = make("tr", {}, head);
  make("th", {}, top);
  make("th", { text: "objective" }, names);
  for (const { label } of runs) {
    make("th", { colspan: 4, scope: "colgroup", text: label }, top);
    for (const text of ["loss", "weight", "share", "held-out"]) make("th", { scope: "col", text }, names);
  }
  const body = make("tbody", {}, table), number = value => value === null || value === undefined ? "–" : digits(value);
  for (const name of objectives(runs)) {
    const row = make("tr", { "data-objective": name, style: `--shade: ${shade(name)}` }, body);
    make("th", { scope: "row", class: "named", text: name }, row);
    for (const { log, heldout } of runs) {
      const i = Math.max(placeOf(log.steps, step), log.steps.length ? 0 : -1), j = placeOf(heldout.steps, step);
      for (const values of [log.losses, log.weights]) make("td", { text: number(values[name]?.[i]) }, row);
      const share = log.shares[name]?.[i], kept = heldout.values[name]?.[j];
      make("td", { text: Number.isFinite(share) ? `${digits(100 * share, 2)} %` : "–" }, row);
      make("td", { text: Number.isFinite(kept) ? `${(100 * kept).toFixed(1)} %` : "–" }, row);
    }
  }
}

/** By how much the weights differ, run by run. */
function tell(runs, step) {
  const told = runs.map(({ label, log }) => {
    const i = Math.max(placeOf(log.steps, step), 0);
    const weights = Object.entries(log.weights).map(([name, values]) => [name, values[i]]).filter(([, value]) => value > 0);
    if (weights.length < 2) return null;
    weights.sort((a, b) => a[1] - b[1]);
    const [[low, least], [high, most]] = [weights[0], weights.at(-1)];
    return most / least < 1.001 ? `${label}: equal weights` : `${label}: ${high} has ${digits(most / least, 2)} times the weight of ${low}`;
  }).filter(Boolean);
  return `After ${step} steps. ${told.join("; ")}${told.length ? "." : ""}`;
}

export default { render };
