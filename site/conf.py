"""Sphinx configuration of ``make site``, which builds the repository's pages and executed notebooks in place.

``pages.py`` in this folder has the extensions.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import links
import pages
from sphinx.errors import SphinxError

import fairhuman

ROOT = Path(__file__).parents[1]

project = "FairHuman, reproducible"
exclude_patterns = ["notebooks/.ipynb_checkpoints"]
version = release = fairhuman.__version__
root_doc = "README"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
include_patterns = ["*.md", "notebooks/*.ipynb", "figures/ledger.md", "site/*.md"]
html_theme = "furo"
html_title = project
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_math_renderer = "mathml"

nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables and formulas
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "pages.jupyter_anchor"

autodoc_default_options = {"members": True}
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_use_ivar = True


def setup(app):
    app.add_html_math_renderer("mathml", (pages.inline_math, None), (pages.block_math, None))
    app.add_directive("figure-index", pages.FigureIndex)
    app.add_directive("moving", pages.Moving)
    app.connect("source-read", pages.contents)
    app.connect("source-read", pages.alive)
    app.connect("autodoc-process-docstring", pages.bars)
    app.connect("build-finished", finish)


def finish(app, error):
    """Copy results and figures to where the ledger's links expect them, and check all links."""
    if error is None and app.builder.name == "html":
        for name in ("results", "figures"):
            unseen = shutil.ignore_patterns("*.pdf", "*.tex", "*.md", "*.html")
            shutil.copytree(ROOT / name, app.outdir / name, ignore=unseen, dirs_exist_ok=True)
        entrance = (
            '<!doctype html><meta http-equiv="refresh" content="0; url=README.html"><title>FairHuman</title>'
        )
        (app.outdir / "index.html").write_text(entrance)
        try:
            links.check_links(app.outdir)
        except ValueError as broken:
            raise SphinxError(str(broken)) from None
