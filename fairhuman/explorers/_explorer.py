"""Base class of explorers: widgets that keep their state when rerun, with a static fallback without a
kernel."""

from __future__ import annotations

import json
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget

from fairhuman.explorers._page import MIME, fragment, page, script, stylesheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Explorer"]

_KEPT: dict[str, dict[str, Any]] = {}
"""Initial values → last state of the explorer with these values, for the kernel's lifetime."""


class Explorer(anywidget.AnyWidget):
    """An explorer: the same widget in JupyterLab and, without a kernel, on a static page.

    Rerunning a cell keeps the reader's state, unless the initial values have changed.

    Attributes:
        name: One of :data:`fairhuman.explorers.KINDS`.
        state: Names of the traits that a reader can change.
        data: Names of the constant traits.
    """

    name: ClassVar[str]
    state: ClassVar[tuple[str, ...]]
    data: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        if "name" in cls.__dict__:  # a widget makes subclasses of its own, whose traits these are then
            cls._esm, cls._css = script(cls.name), stylesheet()
        super().__init_subclass__(**options)

    def __init__(self, **start: Any) -> None:
        super().__init__(**start)
        began = f"{self.name} {json.dumps(self.values(), sort_keys=True)}"
        for name, value in _KEPT.setdefault(began, {}).items():
            setattr(self, name, value)
        self.observe(lambda change: _KEPT[began].update({change["name"]: change["new"]}), [*self.state])

    def values(self) -> dict[str, Any]:
        """The explorer's current values as JSON."""
        return {name: getattr(self, name) for name in (*self.data, *self.state)}

    def still(self) -> dict[str, Any]:
        """The display without a kernel: MIME type → content. Default: an image."""
        import matplotlib.pyplot as plt

        from fairhuman.experiments.figures import style

        with plt.rc_context():
            style()
            figure, file = self._drawn(), BytesIO()
            figure.savefig(file, format="png", dpi=110)
            plt.close(figure)
        return {"image/png": b64encode(file.getvalue()).decode()}

    def _drawn(self) -> Figure:
        raise NotImplementedError(f"{type(self).__name__} has no image")

    def fragment(self) -> str:
        """HTML to embed in a page; see :func:`fairhuman.explorers.fragment`."""
        return fragment(self.name, self.values())

    def page(self, title: str) -> str:
        """A complete page; see :func:`fairhuman.explorers.page`."""
        return page(self.name, self.values(), title)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        live = super()._repr_mimebundle_(**options)
        bundle, metadata = live if isinstance(live, tuple) else (live or {}, {})
        told = {"text/plain": f"{type(self).__name__}: run this cell in JupyterLab to move it."}
        return bundle | told | self.still() | {
            MIME: {"explorer": self.name, "values": self.values()}
        }, metadata
