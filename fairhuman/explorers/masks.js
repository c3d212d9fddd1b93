// What is left of a region on the latent grid, by kind of mask, way of sampling and size of a cell.
import { area, boxMask, moved, onGrid } from "./grid.js";
import { choice, digits, follow, make, prepare, put, slider } from "./marks.js";

const STATE = ["picture", "region", "outline", "way", "side", "shift"];
const OUTLINES = { outline: "outline", box: "box" }, WAYS = { mean: "mean", nearest: "nearest" };

/** A grey picture's values in [0, 1]. */
async function decode(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const values = Float64Array.from({ length: image.width * image.height }, (_, i) => data[4 * i] / 255);
  return { values, width: image.width, height: image.height };
}

function render({ model, el }) {
  const { root, end } = prepare(el, "masks");
  const pictures = model.get("pictures"), decoded = new Map();
  const strip = make("div", { class: "strip", role: "group", "aria-label": "picture" }, root);
  const thumbs = pictures.map(({ image, text }, picture) => {
    const button = make("button", { type: "button", title: text }, strip);
    make("img", { src: image, alt: text, width: 64, height: 64 }, button);
    button.addEventListener("click", () => put(model, { picture }));
    return button;
  });
  const controls = make("div", { class: "controls" }, root);
  const pairs = object => Object.entries(object);
  const sets = {
    region: choice(controls, "region", Object.keys(pictures[0].masks).map(name => [name, name]),
      region => put(model, { region })),
    outline: choice(controls, "mask", pairs(OUTLINES), outline => put(model, { outline })),
    way: choice(controls, "on the grid", pairs(WAYS), way => put(model, { way })),
    side: slider(controls, { label: "pixels along a cell", min: 1, max: 6, step: 1, read: value => 2 ** value,
      write: Math.log2, words: value => `${value} × ${value}`, change: side => put(model, { side }) }),
    shift: slider(controls, { label: "picture moved by", min: 0, max: 31, step: 1,
      words: value => `${value} px`, change: shift => put(model, { shift }) }),
  };
  const columns = make("div", { class: "columns" }, root);
  const views = ["picture and mask in pixels", "on the latent grid"].map(text => {
    const figure = make("figure", {}, columns), canvas = make("canvas", { role: "img" }, figure);
    return { canvas, caption: make("figcaption", { text }, figure) };
  });
  const side = make("div", { class: "side" }, columns);
  const table = make("table", {}, side), message = make("p", { role: "status" }, side);
  let latest = 0;

  async function draw() {
    const now = Object.fromEntries(STATE.map(name => [name, model.get(name)])), turn = latest += 1;
    const { image, masks, boxes } = pictures[now.picture];
    for (const [name, set] of Object.entries(sets)) set(now[name]);
    thumbs.forEach((button, i) => button.setAttribute("aria-pressed", i === now.picture));
    for (const source of [image, masks[now.region]]) {
      if (!decoded.has(source)) decoded.set(source, source === image ? await picture(source) : await decode(source));
    }
    if (turn !== latest) return;  // the reader is further already
    const outline = decoded.get(masks[now.region]);
    const pixels = {
      outline: moved(outline, now.shift),
      box: moved(boxMask(boxes[now.region], outline.width, outline.height), now.shift),
    };
    const grid = onGrid(pixels[now.outline], now.side, now.way);
    drawPixels(views[0].canvas, decoded.get(image), pixels[now.outline], now);
    drawCells(views[1].canvas, grid, now.region);
    const share = area(pixels.outline);
    views[0].canvas.setAttribute("aria-label", `${now.region}: ${digits(100 * share)} % of the picture`);
    views[1].canvas.setAttribute("aria-label", `${grid.width} × ${grid.height} cells`);
    views[1].caption.textContent = `on the latent grid: ${grid.width} × ${grid.height} cells`;
    fill(table, pixels, now, share);
    message.textContent = !share ? `There is no ${now.region} in this picture.`
      : area(grid) ? "" : `The ${now.region} is lost: no cell knows of it, and its loss is zero.`;
  }

  const stop = follow(model, STATE, draw);
  return () => { stop(); end(); };
}

async function picture(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

function drawPixels(canvas, image, mask, { side, shift, region }) {
  const scale = 2;
  Object.assign(canvas, { width: mask.width * scale, height: mask.height * scale });
  const context = canvas.getContext("2d");
  context.drawImage(image, shift * scale, 0, canvas.width, canvas.height);
  tint(context, mask, scale, region, 0.6);
  if (side >= 4) {
    context.strokeStyle = "rgb(255 255 255 / 45%)";
    for (let at = 0; at <= canvas.width; at += side * scale) context.strokeRect(at, -1, side * scale, canvas.height + 2);
    for (let at = 0; at <= canvas.height; at += side * scale) context.strokeRect(-1, at, canvas.width + 2, side * scale);
  }
}

function drawCells(canvas, grid, region) {
  const scale = Math.max(1, Math.floor(512 / grid.width));
  Object.assign(canvas, { width: grid.width * scale, height: grid.height * scale });
  const context = canvas.getContext("2d");
  context.fillStyle = "#f4f4f4";
  context.fillRect(0, 0, canvas.width, canvas.height);
  tint(context, grid, scale, region, 1);
  if (scale < 8) return;
  context.strokeStyle = "#d0d0d0";
  for (let x = 0; x < grid.width; x += 1) for (let y = 0; y < grid.height; y += 1) {
    context.strokeRect(x * scale, y * scale, scale, scale);
  }
}

function tint(context, { values, width }, scale, region, strength) {
  context.fillStyle = COLOURS[region];
  values.forEach((value, i) => {
    if (!value) return;
    context.globalAlpha = value * strength;
    context.fillRect(i % width * scale, Math.floor(i / width) * scale, scale, scale);
  });
  context.globalAlpha = 1;
}

/** Four masks of the same region: how much of the picture they cover, and over how many cells. */
function fill(table, pixels, { outline, way, side }, share) {
  table.replaceChildren();
  const head = make("tr", {}, make("thead", {}, table));
  const titles = { mask: "", grid: "", area: "share of the picture", kept: "of the outline's area in pixels",
    cells: "that know of the region" };
  for (const [text, title] of Object.entries(titles)) make("th", { text, title }, head);
  const body = make("tbody", {}, table);
  for (const kind of Object.keys(OUTLINES)) for (const how of Object.keys(WAYS)) {
    const grid = onGrid(pixels[kind], side, how), covered = area(grid);
    const row = make("tr", { "data-mask": `${kind} ${how}`,
      "aria-current": kind === outline && how === way ? "true" : null }, body);
    make("th", { scope: "row", text: kind }, row);
    make("td", { text: how }, row);
    make("td", { text: `${digits(100 * covered)} %` }, row);
    make("td", { text: share ? `${digits(100 * covered / share)} %` : "–" }, row);
    make("td", { text: grid.values.filter(Boolean).length }, row);
  }
}

export default { render };
