"""Explorers as self-contained HTML, as a fragment or a complete page."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fairhuman.experiments.claims import SHADES
from fairhuman.experiments.figures import COLOURS, colour
from fairhuman.profiles import unknown

__all__ = ["KINDS", "MIME", "fragment", "page", "script", "stylesheet"]

KINDS: Mapping[str, tuple[str, ...]] = {
    "gradients": ("solver.js", "marks.js", "gradients.js"),
    "ledger": ("marks.js", "ledger.js"),
    "masks": ("grid.js", "marks.js", "masks.js"),
    "regions": ("marks.js", "regions.js"),
    "training": ("marks.js", "training.js"),
}
"""Explorer → its script's modules in import order."""

MIME = "application/vnd.fairhuman.explorer+json"
"""MIME type of an explorer stored in a notebook, with ``explorer`` (its kind) and ``values``. See
:func:`fragment`."""

_RULES = ("mpd", "closed_form", "ls", "max_min", "nash", "least_squares")
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)

# Stands in for the model that Jupyter gives an explorer.
_MODEL = """
function standIn(values) {
  const listeners = {};
  return {
    get: name => values[name],
    set(name, value) { values[name] = value; for (const call of listeners[`change:${name}`] ?? []) call(); },
    save_changes() {},
    on(event, call) { (listeners[event] ??= new Set()).add(call); },
    off(event, call) { listeners[event]?.delete(call); },
  };
}
"""


@cache
def script(kind: str) -> str:
    """The explorer's JavaScript as one module with ``render({model, el})`` in its default export.

    Args:
        kind: One of :data:`KINDS`.

    Raises:
        ValueError: The explorer does not exist.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: {unknown(kind, KINDS)}")
    shades = dict(COLOURS) | SHADES | {name: colour(name) for name in _RULES}
    texts = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in KINDS[kind]]
    modules = [_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts]
    return "\n".join([f"const COLOURS = {json.dumps(shades)};", *modules])


@cache
def stylesheet() -> str:
    """The style sheet of all explorers, which does not affect the rest of a page."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def fragment(kind: str, values: Mapping[str, Any]) -> str:
    """An explorer for any HTML page: elements, style and script.

    Args:
        kind: One of :data:`KINDS`.
        values: From an explorer's ``values()``, or from a notebook's output under :data:`MIME`.

    Raises:
        ValueError: The explorer does not exist, or a value cannot be stored as JSON.
    """
    # "</" would end the script that holds it.
    data = json.dumps(dict(values), ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
    code = script(kind).replace("export default", "const explorer =")
    return (
        f'<div class="fairhuman-explorer-place"><style>{stylesheet()}</style>'
        f'<script type="application/json">{data}</script><div></div>\n'
        f'<script type="module">{code}{_MODEL}'
        # A module script cannot identify itself: it takes the first free element.
        'const place = document.querySelector(".fairhuman-explorer-place:not([data-alive])");\n'
        'place.toggleAttribute("data-alive", true);\n'
        'explorer.render({ el: place.querySelector("div"), '
        'model: standIn(JSON.parse(place.querySelector("script").textContent)) });\n'
        "</script></div>\n"
    )


def page(kind: str, values: Mapping[str, Any], title: str) -> str:
    """A complete page with the reader's light or dark theme.

    Args:
        kind, values: As for :func:`fragment`.
        title: Plain text.
    """
    name = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n:root {{ color-scheme: light dark; }}\n"
        "body { background: light-dark(#fff, #1e1e1e); color: light-dark(#1a1a1a, #ececec); "
        "font-family: system-ui, sans-serif; margin: 1rem auto; max-width: 64rem; padding: 0 1rem; }\n"
        f"h1 {{ font-size: 1.4rem; }}\n</style>\n</head>\n<body>\n<h1>{name}</h1>\n{fragment(kind, values)}"
        "</body>\n</html>\n"
    )
