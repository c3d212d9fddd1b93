"""Explorers: interactive views for the notebooks, in JupyterLab and on static pages.

An explorer takes a few lines in a notebook. Its JavaScript, in this package, computes and draws in the
browser without network or kernel: :func:`fragment` and :func:`page` render it as HTML.

Names are imported lazily, so that generating pages does not need anywidget.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "KINDS": "_page",
    "MIME": "_page",
    "GradientExplorer": "gradients",
    "LedgerExplorer": "ledger",
    "MaskExplorer": "masks",
    "PromptBox": "prompt",
    "RegionExplorer": "regions",
    "TrainingExplorer": "training",
    "fragment": "_page",
    "page": "_page",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
