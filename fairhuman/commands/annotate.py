"""``python -m fairhuman annotate``: a folder of photographs to a training set."""

from pathlib import Path
from typing import Annotated

import typer


def annotate(
    photographs: Annotated[Path, typer.Argument(help="Folder, searched with its sub-folders.")],
    out: Annotated[Path, typer.Argument(help="Folder of the data set: new, or begun with the same values.")],
    min_side: Annotated[int, typer.Option(help="Least length of the shorter side in pixels.")] = 1024,
    min_person: Annotated[float, typer.Option(help="Least share of the image that people take.")] = 0.05,
    max_pixels: Annotated[int, typer.Option(help="More are refused before decoding.")] = 100_000_000,
    size: Annotated[int | None, typer.Option(help="Scale the shorter side down to this.")] = None,
    threshold: Annotated[float, typer.Option(help="Least score of a face, hand or body.")] = 0.5,
    scales: Annotated[int, typer.Option(help="1: whole and wrists; 2: also tiles; 3: smaller ones.")] = 2,
    mask: Annotated[str, typer.Option(help="box, or hull: of landmarks.")] = "box",
    duplicate_distance: Annotated[int, typer.Option(help="Bits of 64; -1 keeps duplicates.")] = 4,
    captions: Annotated[Path | None, typer.Option(help="CSV with file_name and text.")] = None,
    caption: Annotated[str | None, typer.Option(help="For photographs without one of their own.")] = None,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
) -> None:
    """Find faces, hands and poses in photographs and write a training set; a run cut off continues.

    Exit status: 0, every file could be read; 1, finished, but rejected.jsonl lists files that could not, or
    nothing was kept; 2, nothing was done, since what was asked for is wrong.
    """
    from fairhuman.data.annotation import AnnotateSettings
    from fairhuman.data.annotation import annotate as annotate_folder

    settings = AnnotateSettings(
        min_side=min_side,
        min_person=min_person,
        max_pixels=max_pixels,
        size=size,
        threshold=threshold,
        scales=scales,
        mask=mask,
        duplicate_distance=duplicate_distance,
        captions=None if captions is None else str(captions),
        caption=caption,
    )
    done = annotate_folder(photographs, out, settings, workers=workers)
    typer.echo(
        f"{done.path}: {done.kept} kept, {done.filtered} filtered, {done.duplicates} duplicates, "
        f"{done.unreadable} unreadable (see report.json, rejected.jsonl and contact_sheet.jpg)"
    )
    if done.unreadable or not done.kept:
        raise typer.Exit(1)
