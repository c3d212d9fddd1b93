// Images of several systems for the same captions: regions by area, enlarged, with what detectors find in them.
import { SVG, choice, digits, follow, make, prepare, put } from "./marks.js";

const STATE = ["caption", "system", "framing", "region"];
const REGIONS = ["face", "hand"];
const DETECTORS = { face: "face, full range", face_short: "face, short range", hand: "hand", palm: "palm" };
const SHAPES = ["M-5 0A5 5 0 1 0 5 0 5 5 0 1 0-5 0Z", "M0-6 6 5H-6Z", "M-5-5H5V5H-5Z", "M0-6L6 0 0 6-6 0Z",
  "M-6-5H6L0 6Z", "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z"];
const SIDE = 256, PLOT = { width: 640, height: 216, left: 58, right: 12, top: 12, bottom: 38, missed: 20 };

function render({ model, el }) {
  const { root, end } = prepare(el, "regions");
  const captions = model.get("captions"), systems = model.get("systems");
  const framings = [...new Set(captions.map(one => one.framing))];
  const within = framing => captions.map((_, i) => i).filter(i => !framing || captions[i].framing === framing);
  const controls = make("div", { class: "controls" }, root);
  const sets = {
    framing: choice(controls, "framing", [["", "all"], ...framings.map(one => [one, one])], framing => {
      const left = within(framing);
      put(model, { framing, ...left.includes(model.get("caption")) ? {} : { caption: left[0] } });
    }),
    system: choice(controls, "system", systems.map(({ name, label }) => [name, label]), system => put(model, { system })),
    region: choice(controls, "region on the axis", REGIONS.map(one => [one, one]), region => put(model, { region })),
  };
  const row = make("label", { class: "wide" }, controls);
  row.append("caption ");
  const select = make("select", { name: "caption" }, row);
  select.addEventListener("change", () => put(model, { caption: Number(select.value) }));
  const views = make("div", { class: "columns" }, root);
  const figures = ["image", ...REGIONS].map(name => {
    const figure = make("figure", { "data-view": name }, views);
    return { name, picture: make("svg", { role: "img" }, figure, SVG), caption: make("figcaption", {}, figure) };
  });
  const side = make("div", { class: "side" }, views), table = make("table", {}, side);
  const plot = make("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, class: "plot", tabindex: 0, role: "slider",
    "aria-label": "regions by area", "aria-valuemin": 0 }, root, SVG);
  const legend = make("p", { class: "legend" }, root), message = make("p", { role: "status" }, root);
  for (const [i, { label, shade }] of systems.entries()) {
    const one = make("span", { style: `--shade: ${shade}` }, legend);
    make("path", { d: SHAPES[i % SHAPES.length] }, make("svg", { viewBox: "-7 -7 14 14", class: "mark" }, one, SVG), SVG);
    one.append(label);
  }
  make("p", { class: "hint", text: "Click a mark to see its image. With the axis in focus, ← → go to the next smaller or "
    + "larger region, ↑ ↓ to another system. Solid boxes: the detectors that scores are of; dashed: short range and palm." },
    root);

  /** Captions that the axis shows, from small to large. */
  const onAxis = ({ region, framing }) => within(framing).filter(i => captions[i].asked[region])
    .sort((a, b) => captions[a].areas[region] - captions[b].areas[region]);
  plot.addEventListener("keydown", event => {
    const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key], down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!across && !down) return;
    event.preventDefault();
    event.stopPropagation();
    const now = state(model), order = onAxis(now), at = order.indexOf(now.caption);
    const next = order[at < 0 ? 0 : Math.min(Math.max(at + across, 0), order.length - 1)];
    const system = (systems.findIndex(one => one.name === now.system) + (down ?? 0) + systems.length) % systems.length;
    put(model, across ? next === undefined ? {} : { caption: next } : { system: systems[system].name });
  });

  const stop = follow(model, [...STATE, "sharp"], () => {
    const now = state(model), asked = captions[now.caption], sharp = model.get("sharp");
    const own = systems.find(one => one.name === now.system), shown = own.images[now.caption];
    const full = sharp?.at?.[0] === now.system && sharp.at[1] === now.caption;
    for (const [name, set] of Object.entries(sets)) set(now[name]);
    select.replaceChildren(...within(now.framing).map(i => make("option", { value: i, text: `${i + 1}: ${captions[i].text}` })));
    select.value = now.caption;
    for (const view of figures) drawPicture(view, full ? sharp.image : shown.image, shown, asked);
    fill(table, shown);
    drawPlot(plot, captions, systems, now, onAxis(now), (caption, system) => put(model, { caption, system }));
    const told = tell(asked, shown, now.region);
    plot.setAttribute("aria-valuenow", Math.max(onAxis(now).indexOf(now.caption), 0));
    plot.setAttribute("aria-valuemax", Math.max(onAxis(now).length - 1, 0));
    plot.setAttribute("aria-valuetext", `caption ${now.caption + 1}, ${own.label}: ${told}`);
    message.textContent = `${own.label}, ${asked.framing}: ${told}`;
  });
  return () => { stop(); end(); };
}

const state = model => Object.fromEntries(STATE.map(name => [name, model.get(name)]));

function tell({ areas, asked }, { scores }, region) {
  if (!asked[region]) return `the caption asks for no ${region} that a detector ought to find.`;
  return `a ${region} of ${digits(100 * areas[region], 2)} % of the image is asked for; `
    + (scores[region] ? `it is found with a score of ${scores[region].toFixed(2)}.` : "none is found.");
}

/** The image, or a square of it around a region, with the boxes of what was found. */
function drawPicture({ name, picture, caption }, source, { aspect, found, squares }, { asked }) {
  const region = REGIONS.includes(name), square = region ? squares[name] : [0, 0, 1, 1];
  const seen = region && found.some(one => one.detector === name);
  caption.textContent = !region ? "image" : !square ? `no ${name} is asked for, none is found`
    : seen ? `${name}, enlarged` : `no ${name} found; where the render has ${asked[name] ? "it" : "one"}`;
  picture.replaceChildren();
  picture.setAttribute("aria-label", caption.textContent);
  picture.toggleAttribute("hidden", !square);
  if (!square) return;
  const [x0, y0, x1, y1] = square, height = SIDE * aspect, unit = (x1 - x0) / (region ? 1.4 : 1);
  picture.setAttribute("viewBox", `${x0 * SIDE} ${y0 * height} ${(x1 - x0) * SIDE} ${(y1 - y0) * height}`);
  make("image", { href: source, width: SIDE, height, preserveAspectRatio: "none" }, picture, SVG);
  for (const { detector, box, score } of found) {
    const solid = REGIONS.includes(detector), kind = detector.startsWith("face") ? "face" : "hand";
    if (region && detector !== name) continue;
    const one = make("g", { style: `--shade: ${COLOURS[kind]}`, "data-detector": detector }, picture, SVG);
    const place = { x: box[0] * SIDE, y: box[1] * height, width: (box[2] - box[0]) * SIDE,
      height: (box[3] - box[1]) * height };
    make("rect", { ...place, class: solid ? null : "dashed" }, one, SVG);
    if (!solid) continue;
    const size = 13 * unit, top = Math.max(place.y - 0.3 * size, y0 * height + size);
    make("text", { x: Math.max(place.x, x0 * SIDE + 2 * unit), y: top, "font-size": size, "stroke-width": 3.5 * unit,
      text: `${detector} ${score.toFixed(2)}` }, one, SVG);
  }
}

function fill(table, { found }) {
  table.replaceChildren();
  const head = make("tr", {}, make("thead", {}, table));
  for (const text of ["detector", "found", "best score"]) make("th", { scope: "col", text }, head);
  const body = make("tbody", {}, table);
  for (const [name, text] of Object.entries(DETECTORS)) {
    const scores = found.filter(one => one.detector === name).map(one => one.score);
    const row = make("tr", { "data-detector": name }, body);
    make("th", { scope: "row", text }, row);
    make("td", { text: scores.length }, row);
    make("td", { text: scores.length ? Math.max(...scores).toFixed(2) : "–" }, row);
  }
}

/** Score over area: one mark for each system and caption; what is not found lies on a line below. */
function drawPlot(plot, captions, systems, { caption, system, region }, order, choose) {
  plot.replaceChildren();
  const { width, height, left, right, top, bottom, missed } = PLOT, floor = height - bottom - missed;
  const areas = order.map(i => captions[i].areas[region]);
  if (!order.length) {
    make("text", { x: width / 2, y: height / 2, "text-anchor": "middle", text: `no caption here asks for a ${region}` }, plot, SVG);
    return;
  }
  const low = Math.log(Math.min(...areas) / 1.3), high = Math.log(Math.max(...areas) * 1.3);
  const x = area => left + (width - left - right) * (Math.log(area) - low) / (high - low);
  const y = score => score ? top + (floor - top) * (1 - score) : height - bottom - missed / 3;
  for (const share of [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1].filter(one => Math.log(one) > low && Math.log(one) < high)) {
    make("line", { x1: x(share), x2: x(share), y1: top, y2: height - bottom, class: "grid" }, plot, SVG);
    make("text", { x: x(share), y: height - bottom + 14, "text-anchor": "middle", class: "tick", text: `${digits(100 * share, 1)} %` }, plot, SVG);
  }
  for (const score of [0, 0.5, 1]) {
    const at = top + (floor - top) * (1 - score);
    make("line", { x1: left, x2: width - right, y1: at, y2: at, class: "grid" }, plot, SVG);
    make("text", { x: left - 6, y: at + 4, "text-anchor": "end", class: "tick", text: score }, plot, SVG);
  }
  make("text", { x: left - 6, y: y(0) + 4, "text-anchor": "end", class: "tick", text: "missed" }, plot, SVG);
  make("text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle",
    text: `${region} asked for, share of the image; upwards: best score` }, plot, SVG);
  const current = [];
  for (const [j, { name, label, shade, images }] of systems.entries()) for (const i of order) {
    const score = images[i].scores[region], here = i === caption && name === system;
    const words = `${label}, caption ${i + 1}: ${digits(100 * captions[i].areas[region], 2)} %, ${score ? score.toFixed(2) : "missed"}`;
    const spread = (j - (systems.length - 1) / 2) * 5;  // systems share areas and misses
    const mark = make("g", { class: "point", style: `--shade: ${shade}`, "data-at": `${name} ${i}`,
      transform: `translate(${x(captions[i].areas[region]) + spread} ${y(score)})`, "data-faint": name !== system }, null, SVG);
    make("circle", { r: 9, class: "target" }, mark, SVG);
    if (here) make("circle", { r: 9, class: "ring" }, mark, SVG);
    make("path", { d: SHAPES[j % SHAPES.length] }, mark, SVG);
    make("title", { text: words }, mark, SVG);
    mark.addEventListener("click", () => choose(i, name));
    current[name === system ? "push" : "unshift"](mark);  // the system that is shown lies above
  }
  plot.append(...current);
}

export default { render };
