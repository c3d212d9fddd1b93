// The ledger of claims: rows filtered by kind, section, verdict and words, each linked to what it rests on.
import { choice, follow, make, prepare, put } from "./marks.js";

const FILTERS = ["kind", "section", "verdict"];

function render({ model, el }) {
  const { root, end } = prepare(el, "ledger");
  const rows = model.get("rows"), meanings = model.get("meanings"), lead = leading();
  const controls = make("div", { class: "controls", role: "search" }, root);
  const setters = FILTERS.map(name => {
    const values = name === "verdict" ? Object.keys(meanings) : [...new Set(rows.map(row => row[name]))];
    const options = values.map(value => [value, rows.filter(row => row[name] === value).length])
      .filter(([, count]) => count).map(([value, count]) => [value, `${value} (${count})`]);
    return choice(controls, name, [["", "all"], ...options], value => put(model, { [name]: value }));
  });
  const label = make("label", {}, controls);
  label.append("contains ");
  const search = make("input", { type: "search", name: "words" }, label);
  search.addEventListener("input", () => put(model, { words: search.value }));
  const clear = make("button", { type: "button", text: "show all" }, controls);
  clear.addEventListener("click", () => put(model, { kind: "", section: "", verdict: "", words: "" }));
  const meaning = make("details", {}, root);
  make("summary", { text: "What a verdict means" }, meaning);
  const list = make("dl", {}, meaning);
  for (const [verdict, text] of Object.entries(meanings)) {
    badge(verdict, make("dt", {}, list));
    make("dd", { text }, list);
  }
  const count = make("p", { role: "status" }, root);
  const table = make("table", {}, root), head = make("tr", {}, make("thead", {}, table));
  for (const text of ["place", "claim", "verdict", "why, and where to see it"]) make("th", { scope: "col", text }, head);
  const body = make("tbody", {}, table), drawn = new Map();
  const stop = follow(model, [...FILTERS, "words"], () => {
    const words = model.get("words").trim().toLowerCase();
    const shown = rows.filter(row => FILTERS.every(name => !model.get(name) || row[name] === model.get(name)) &&
      (!words || Object.values(row).join(" ").toLowerCase().includes(words)));
    FILTERS.forEach((name, i) => setters[i](model.get(name)));
    if (search.value.trim().toLowerCase() !== words) search.value = model.get("words");
    count.textContent = `${shown.length} of ${rows.length} rows`;
    body.replaceChildren(...shown.map(row => {
      if (!drawn.has(row)) drawn.set(row, line(row, lead));
      return drawn.get(row);
    }));
  });
  return () => { stop(); end(); };
}

/** Where links start: in JupyterLab the server's root, else the folder above the page's. */
function leading() {
  const lab = document.getElementById("jupyter-config-data");
  return lab ? `${JSON.parse(lab.textContent).baseUrl}lab/tree/` : "../";
}

function badge(verdict, where) {
  make("span", { class: "badge", text: verdict, style: `--shade: ${COLOURS[verdict]}` }, where);
}

function line(row, lead) {
  const made = make("tr");
  make("td", { text: row.where }, made);
  make("td", { text: row.claim }, made);
  badge(row.verdict, make("td", {}, made));
  const why = make("td", { text: [row.note, row.remark].filter(Boolean).join(". ") }, made);
  if (row.evidence) {
    const more = make("details", {}, why);
    make("summary", { text: "evidence" }, more);
    for (const part of row.evidence.split("; ")) make("div", { text: part }, more);
  }
  const links = make("div", { class: "links" }, why);
  const link = (text, path) => make("a", { href: lead + path, target: "_blank", rel: "noopener", text }, links);
  if (row.notebook) link(`notebook ${row.notebook}`, `notebooks/${row.notebook}.ipynb`);
  for (const name of row.results.split(" ").filter(Boolean)) link(`result ${name}`, `results/${name}.json`);
  if (row.figure) link(`figure ${row.figure.replace(/\.\w+$/, "")}`, `figures/${row.figure}`);
  return made;
}

export default { render };
