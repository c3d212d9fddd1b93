"""Annotation of a folder of photographs; the files do not depend on processes or interruptions."""

from __future__ import annotations

import os
from pathlib import Path

from fairhuman.data.annotation._captions import read_captions
from fairhuman.data.annotation._models import check_model
from fairhuman.data.annotation._photo import annotate_photograph
from fairhuman.data.annotation._settings import AnnotateSettings
from fairhuman.data.store import (
    METADATA,
    OWNER,
    Annotation,
    Shard,
    annotation_of,
    check_out,
    do_shard,
    find_photographs,
    merge_shards,
    read_owner,
)
from fairhuman.detectors import require_ultralytics
from fairhuman.processes import check_workers

__all__ = ["annotate", "merge"]


def annotate(
    photographs: str | os.PathLike[str],
    out: str | os.PathLike[str],
    settings: AnnotateSettings | None = None,
    *,
    shard: tuple[int, int] | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Annotation | None:
    """Annotate every photograph in a folder, for :class:`fairhuman.data.HumanFolder`.

    ``out`` gets ``metadata.jsonl`` with ``images/``, ``masks/face``, ``masks/hand``, ``pose/`` and, with a
    depth model, ``depth/``; ``rejected.jsonl`` with every excluded file and the reason; ``report.json`` and
    ``contact_sheet.jpg``. Masks cover all confirmed faces and hands (``face_boxes``, ``hand_boxes``);
    unconfirmed ones are only listed (``unconfirmed_face_boxes``, ``unconfirmed_hand_boxes``). ``face_box`` is
    the largest face's, ``left_hand_box`` and ``right_hand_box`` are the main person's.

    An interrupted run resumes. The files are byte-identical regardless of the number of processes, shards and
    interruptions. A finished run is left unchanged. EXIF data is not kept.

    Args:
        photographs: Folder, searched recursively.
        out: New or empty folder, or one started with the same settings and photographs.
        settings: See :class:`AnnotateSettings`.
        shard: (i, n) processes only the i-th of n shards, counted from 1; :func:`merge` completes the data
            set when all are done. Shards may write into one folder, or into several that are then merged by
            copying.
        workers: Number of processes besides this one. A photograph that crashes a process is listed as
            unreadable.
        progress: Show a progress bar with the remaining time.

    Returns:
        A summary; ``None`` for a shard.

    Raises:
        FileNotFoundError: The folder, caption table, model or weights are missing.
        ValueError: ``out`` contains something else or another annotation, or there are no photographs.
        RuntimeError: YOLO weights are given but the package that reads them is not installed.
    """
    root, out = Path(photographs), Path(out)
    settings = settings or AnnotateSettings()
    share = Shard(1, 1) if shard is None else Shard.parse("{}/{}".format(*shard))
    if not root.is_dir():
        raise FileNotFoundError(f"photographs: no such folder: {root}")
    check_workers(workers)
    if root.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"out: must not hold the photographs, got {out} for {root}")
    _check_models(settings)
    captions = read_captions(Path(settings.captions)) if settings.captions else {}
    given = settings.to_dict()
    if not settings.folder_names:  # as those begun before there was such a setting
        del given["folder_names"]
    identity = {"photographs": str(root.resolve()), "settings": given}
    check_out(out, identity, share)
    if next(find_photographs(root, out), None) is None:
        raise ValueError(f"photographs: {root} holds no files that could be photographs")
    if not (out / METADATA).is_file():
        do_shard(
            lambda: find_photographs(root, out),
            out,
            identity,
            share,
            workers,
            progress,
            annotate_photograph,
            out,
            settings,
            captions,
            apart=True,
        )
    if share.count > 1:
        return None
    merge_shards(out, settings.duplicate_distance)
    return annotation_of(out)


def merge(out: str | os.PathLike[str]) -> Annotation:
    """Complete a data set after all shards are done: find duplicates, write lists and report.

    Raises:
        FileNotFoundError: The folder has no annotation.
        ValueError: A shard is missing, incomplete or still running.
    """
    out = Path(out)
    if not (out / OWNER).is_file():
        raise FileNotFoundError(f"out: {out} has no {OWNER}: no annotation was started there")
    merge_shards(out, read_owner(out)["settings"]["duplicate_distance"])
    return annotation_of(out)


def _check_models(settings: AnnotateSettings) -> None:
    for name in ("caption_model", "depth_model"):
        if (folder := getattr(settings, name)) is not None:
            check_model(name, folder)
    for name in ("face_weights", "hand_weights"):
        if (weights := getattr(settings, name)) is not None:
            require_ultralytics(name, weights)
