"""Review decisions as saved by the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fairhuman.boxes import Box
from fairhuman.data.store import REGIONS

__all__ = ["Decision", "read_decisions"]


@dataclass(frozen=True)
class Decision:
    """Decisions for one image: rejected image, pose, or face and hand boxes; accepted unconfirmed boxes."""

    image: bool = False
    pose: bool = False
    face: frozenset[Box] = frozenset()
    hand: frozenset[Box] = frozenset()
    accepted_face: frozenset[Box] = frozenset()
    accepted_hand: frozenset[Box] = frozenset()

    def struck(self, region: str) -> frozenset[Box]:
        """The boxes of a region that are struck out."""
        return getattr(self, region)

    def accepted(self, region: str) -> frozenset[Box]:
        """The boxes of a region that are accepted."""
        return getattr(self, f"accepted_{region}")

    def __or__(self, other: Decision) -> Decision:
        return Decision(*(getattr(self, one.name) | getattr(other, one.name) for one in fields(self)))


def read_decisions(paths: Sequence[Path]) -> dict[str, Decision]:
    """Read decisions from all files: image → decisions.

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
        accepted = values.get("accepted", {})
        boxes = {region: frozenset(map(_box, values.get(region, ()))) for region in REGIONS}
        boxes |= {f"accepted_{region}": frozenset(map(_box, accepted.get(region, ()))) for region in REGIONS}
        return Decision(bool(values.get("image")), bool(values.get("pose")), **boxes)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{place}: {error}") from error


def _box(values: Any) -> Box:
    if len(values) != 4 or not all(isinstance(value, (int, float)) for value in values):
        raise ValueError(f"a box must be four numbers, got {values!r}")
    return tuple(values)
