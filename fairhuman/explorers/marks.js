// What every explorer draws with: elements, numbers as text, colours on light and dark ground.

export const SVG = "http://www.w3.org/2000/svg";

/** A new element; `where` is its parent, `space` its namespace. */
export function make(name, attributes = {}, where = null, space = null) {
  const made = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  where?.append(made);
  return made;
}

/** A number of three digits, with a real minus sign. */
export function digits(value, count = 3) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "−∞" : "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(count - 2)
    : value.toPrecision(count).includes("e") ? value.toFixed(0) : value.toPrecision(count);
  return text.replace("e+", "e").replaceAll("-", "−");
}

/** Empties `el` and prepares it. Keys belong to the explorer, not to JupyterLab's shortcuts. `--ground` is the colour
behind it and `data-dark` says whether that is dark, whoever made it so. Returns the root and what ends the watch. */
export function prepare(el, name) {
  const root = make("div", { class: `fairhuman-explorer ${name}`, "data-lm-suppress-shortcuts": "true" });
  root.addEventListener("keydown", event => event.stopPropagation());  // JupyterLab would take sliders' arrow keys
  el.replaceChildren(root);
  const look = () => {
    const ground = groundOf(root.parentElement);
    root.toggleAttribute("data-dark", ground.dark);
    if (ground.colour) root.style.setProperty("--ground", ground.colour);
    else root.style.removeProperty("--ground");
  };
  const media = matchMedia("(prefers-color-scheme: dark)");
  const watch = new MutationObserver(look);
  for (const one of [document.documentElement, document.body]) {
    watch.observe(one, { attributes: true, attributeFilter: ["class", "style", "data-theme", "data-jp-theme-light"] });
  }
  media.addEventListener("change", look);
  requestAnimationFrame(look);  // only then is it in the document
  look();
  return { root, end: () => { watch.disconnect(); media.removeEventListener("change", look); } };
}

/** The nearest background that is not transparent. */
function groundOf(element) {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    const [r, g, b, alpha = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number);
    if (alpha > 0 && r !== undefined) return { colour, dark: 0.299 * r + 0.587 * g + 0.114 * b < 128 };
  }
  const scheme = getComputedStyle(document.documentElement).colorScheme;
  return { dark: scheme.includes("dark") && (scheme === "dark" || matchMedia("(prefers-color-scheme: dark)").matches) };
}

/** A labelled slider whose value is shown beside it. `read` maps its position to a value, `words` that to text. */
export function slider(where, { label, min, max, step, read = Number, write = Number, words = digits, change }) {
  const row = make("label", { class: "slider" }, where);
  make("span", { text: label }, row);
  const input = make("input", { type: "range", min, max, step }, row);
  const shown = make("span", { class: "value" }, row);
  input.addEventListener("input", () => change(read(Number(input.value))));
  return value => {
    input.value = write(value);
    shown.textContent = words(value);
    input.setAttribute("aria-valuetext", words(value));
  };
}

/** A choice among words; `change` is given the word chosen. */
export function choice(where, label, options, change) {
  const row = make("label", {}, where);
  row.append(`${label} `);
  const select = make("select", { name: label }, row);
  for (const [value, text] of options) make("option", { value, text }, select);
  select.addEventListener("change", () => change(select.value));
  return value => { select.value = value; };
}

/** Calls `draw` now and whenever one of the values changes; returns what ends it. */
export function follow(model, names, draw) {
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => { for (const name of names) model.off(`change:${name}`, draw); };
}

/** Sets values and sends them to Python, where there is one. */
export function put(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}
