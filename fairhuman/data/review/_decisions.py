"""Review decisions as saved by the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairhuman.boxes import Box
from fairhuman.data.store import REGIONS

__all__ = ["Decision", "read_decisions"]


@dataclass(frozen=True)
class Decision:
    """Rejections for one image: the whole image, its pose, or face and hand boxes."""

    image: bool = False
    pose: bool = False
    face: frozenset[Box] = frozenset()
    hand: frozenset[Box] = frozenset()

    def __or__(self, other: Decision) -> Decision:
        return Decision(
            self.image or other.image, self.pose or other.pose, self.face | other.face, self.hand | other.hand
        )


def read_decisions(paths: Sequence[Path]) -> dict[str, Decision]:
    """Read decisions from all files: image → rejections.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file was not saved by the page; the message names file and image.
    """
    found: dict[str, Decision] = {}
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"review: no such file: {path}")
        try:
            struck = json.loads(path.read_text(encoding="utf-8"))["struck"].items()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"review: {path} has no saved decisions: {error!r}") from error
        for name, values in struck:
            found[name] = found.get(name, Decision()) | _decision(values, f"review: {path}, {name}")
    return found


def _decision(values: Any, place: str) -> Decision:
    try:
        boxes = {region: frozenset(map(_box, values.get(region, ()))) for region in REGIONS}
        return Decision(bool(values.get("image")), bool(values.get("pose")), **boxes)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{place}: {error}") from error


def _box(values: Any) -> Box:
    if len(values) != 4 or not all(isinstance(value, (int, float)) for value in values):
        raise ValueError(f"a box must be four numbers, got {values!r}")
    return tuple(values)
