"""Image folders with prompts: readable images, and their pairing across systems."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairhuman.data._record import read_record
from fairhuman.evaluation.intake import Intake, inspect_images, list_images

__all__ = ["ImageSets", "paired_sets", "read_sets"]

_LISTING = "metadata.jsonl"


@dataclass(frozen=True)
class ImageSets:
    """Images of one or more systems.

    Attributes:
        images: System → its evaluated images, in order.
        prompts: System → their prompts, in the same order; None without prompts.
        kept: System → indices of these images among all of its files.
        intakes: System → classification of its files.
        paired: Whether the i-th images of all systems belong together, that is, the numbers of files and the
            prompts agree. An image missing in one system is then excluded from all.
    """

    images: Mapping[str, list[Path]]
    prompts: Mapping[str, list[str]] | None
    kept: Mapping[str, list[int]]
    intakes: Mapping[str, Intake]
    paired: bool


def read_sets(
    folders: Sequence[str | os.PathLike[str]],
    prompts: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
) -> ImageSets:
    """Check every file and exclude unreadable ones.

    A ``metadata.jsonl`` file, as in samples and data sets, defines the order and the prompts of a folder;
    otherwise, its image files are used in alphabetical order.

    Args:
        folders: One per system.
        prompts: The i-th belongs to the i-th image of each folder; replaces the folders' prompts.
        names: Names of the systems. Default: the folders' names.

    Raises:
        FileNotFoundError: A folder or listed file is missing.
        ValueError: There are no folders, repeated names, no readable images, or not one prompt per image.
    """
    folders = [Path(folder) for folder in folders]
    names = [folder.resolve().name for folder in folders] if names is None else list(names)
    if not folders or len(set(names)) != len(folders):
        raise ValueError(f"images: must be folders of different names, at least one, got {names}")
    files, texts = {}, {}
    for name, folder in zip(names, folders, strict=True):
        files[name], texts[name] = _listed(folder)
        if prompts is not None:
            texts[name] = list(prompts)
            if len(prompts) != len(files[name]):
                raise ValueError(
                    f"prompts: must be one per image, got {len(prompts)} for {len(files[name])} images in "
                    f"{folder}; the i-th prompt belongs to the i-th file in {_order(folder)} order"
                )
    intakes = {name: inspect_images(paths) for name, paths in files.items()}
    for intake in intakes.values():
        if not intake.images:
            intake.require_all()  # names what is wrong with each
    known = all(lines is not None for lines in texts.values())
    first = names[0]
    paired = len(names) > 1 and all(
        len(files[name]) == len(files[first]) and texts[name] == texts[first] for name in names
    )
    kept = _kept(files, intakes, paired)
    return ImageSets(
        images={name: [files[name][place] for place in kept[name]] for name in names},
        prompts={name: [texts[name][place] for place in kept[name]] for name in names} if known else None,
        kept=kept,
        intakes=intakes,
        paired=paired,
    )


def paired_sets(images: Mapping[str, Sequence[str | os.PathLike[str]]], prompts: Sequence[str]) -> ImageSets:
    """Systems with the i-th image made for the i-th prompt; every file must be readable.

    Args:
        images: System → its files; the others are compared with the first system.
        prompts: The prompts.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: There are no systems, the numbers of images and prompts differ, or a file is unreadable.
    """
    counts = {name: len(paths) for name, paths in images.items()}
    if not counts or set(counts.values()) != {len(prompts)}:
        raise ValueError(f"images: must be one per prompt ({len(prompts)}), got {counts}")
    intakes = {name: inspect_images(paths) for name, paths in images.items()}
    return ImageSets(
        images={name: intake.require_all() for name, intake in intakes.items()},
        prompts={name: list(prompts) for name in images},
        kept={name: list(range(len(prompts))) for name in images},
        intakes=intakes,
        paired=len(counts) > 1,
    )


def _listed(folder: Path) -> tuple[list[Path], list[str] | None]:
    if not (folder / _LISTING).is_file():
        return list_images(folder), None
    lines = (folder / _LISTING).read_text(encoding="utf-8").split("\n")
    records = [
        read_record(line, f"{folder / _LISTING}, line {number}", folder, (), ())
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    return [record.image for record in records], [record.text for record in records]


def _order(folder: Path) -> str:
    return f"{_LISTING}'s" if (folder / _LISTING).is_file() else "alphabetical"


def _kept(
    files: Mapping[str, list[Path]], intakes: Mapping[str, Intake], paired: bool
) -> dict[str, list[int]]:
    good = {name: set(intakes[name].images) for name in files}
    kept = {
        name: [place for place, path in enumerate(paths) if path in good[name]]
        for name, paths in files.items()
    }
    if paired:
        shared = set.intersection(*(set(places) for places in kept.values()))
        if not shared:
            raise ValueError("images: no place at which every system has an image that can be judged")
        kept = {name: sorted(shared) for name in files}
    return kept
