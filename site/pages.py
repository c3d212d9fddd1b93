"""Sphinx extensions: formulas, explorers and the figure index."""

import html
import json
import re
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.docutils import SphinxDirective

from fairhuman.experiments.figures import figure_index

EXPLORER = "application/vnd.fairhuman.explorer+json"


def jupyter_anchor(title):
    """A heading's anchor as JupyterLab makes it, so that the notebooks' contents work in both."""
    return title.replace(" ", "-")


def contents(app, document, source):
    """Append the table of contents to the README, and insert the ledger's filters above its tables."""
    if document == "README":
        source[0] += "\n" + Path(__file__).with_name("contents.txt").read_text(encoding="utf-8")
    if document == "figures/ledger":
        title, rest = source[0].split("\n", 1)
        source[0] = f"{title}\n\n```{{moving}} notebooks/11_claims.ipynb\n```\n{rest}"


def inline_math(self, node):
    """Render formulas as MathML, which browsers support natively without scripts or network access."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block_math(self, node):
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def alive(app, document, source):
    """Keep a notebook's explorers and embedded pages interactive."""
    if document.startswith("notebooks/"):
        notebook = json.loads(source[0])
        for output in _outputs(notebook):
            if moving := _moving(output):
                output["data"] = {"text/html": moving}
        source[0] = json.dumps(notebook)


def _outputs(notebook):
    return [output for cell in notebook["cells"] for output in cell.get("outputs", []) if "data" in output]


def _moving(output):
    """HTML of an output that is an explorer or a complete page; empty for any other output."""
    data = output["data"]
    page = "".join(data.get("text/html", ""))
    if EXPLORER in data and find_spec("fairhuman.explorers"):
        from fairhuman.explorers import fragment

        return fragment(data[EXPLORER]["explorer"], data[EXPLORER]["values"])
    if page.lower().startswith("<!doctype html>"):
        return f'<iframe class="page" title="Embedded page" srcdoc="{html.escape(framed(page))}"></iframe>'
    return ""


_FRAMED = """<base href="../figures/" target="_top">
<style>
  table { table-layout: fixed; }
  td { overflow-wrap: anywhere; }
  td.verdict { white-space: normal; }
  @media (max-width: 40em) { thead { display: none; } td { border: 0; display: block; } }
</style>"""


def framed(page):
    """A page made for ``figures/``, with links that open outside the frame, on the notebooks' pages."""
    return re.sub("(?i)</head>|</style>", rf"\g<0>{_FRAMED}", page, count=1).replace(".ipynb", ".html")


class Moving(SphinxDirective):
    """``{moving} NOTEBOOK``: the interactive outputs of a stored notebook, on another page."""

    required_arguments = 1

    def run(self):
        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        found = [_moving(output) for output in _outputs(json.loads(path.read_text(encoding="utf-8")))]
        return [nodes.raw("", one, format="html") for one in found if one]


def bars(app, what, name, thing, options, lines):
    """Escape the bars of norms in docstrings, which reStructuredText would read as substitutions."""
    lines[:] = [re.sub(r"(``.*?``)|\|", lambda found: found[1] or r"\|", line) for line in lines]


class FigureIndex(SphinxDirective):
    """``{figure-index}``: each stored figure with its result, command and notebook."""

    def run(self):
        lines = []
        for row in figure_index().itertuples():
            results = ", ".join(f"[{Path(name).name}](/{name})" for name in row.results.split())
            notebook = f"[{Path(row.notebook).stem}](/{row.notebook})" if row.notebook else "none"
            lines += [
                f"## `{Path(row.figure).relative_to('figures').with_suffix('')}`",
                "",
                f"![{Path(row.figure).stem}](/{row.figure})",
                "",
                f"Data: {results}. Notebook: {notebook}. Redraw: `{row.command}`",
                "",
            ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)
