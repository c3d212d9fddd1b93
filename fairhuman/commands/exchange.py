"""``python -m fairhuman import`` and ``export``: data sets in other layouts."""

from pathlib import Path
from typing import Annotated

import typer

_LAYOUT = "released: the authors' code; boxes: ImageFolder with boxes; kohya: kohya's scripts and OneTrainer."


def import_set(
    source: Annotated[Path, typer.Argument(help="Folder of the data set to import.")],
    out: Annotated[Path, typer.Argument(help="Data set folder: new, or made with the same settings.")],
    layout: Annotated[str, typer.Option(help=_LAYOUT)],
    category: Annotated[
        list[str] | None, typer.Option(help="NAME=face or NAME=hand, for boxes with other names; repeatable.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Region of the masks in layout kohya: face or hand.")
    ] = None,
    dilation: Annotated[
        float, typer.Option(help="Dilation of masks from boxes, in pixels at a shorter side of 1024.")
    ] = 8.0,
    max_pixels: Annotated[int, typer.Option(help="Reject larger images before decoding.")] = 100_000_000,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
) -> None:
    """Import a data set from another layout.

    Exit status: 0, every image could be read; 1, finished, but rejected.jsonl lists unreadable images; 2,
    invalid input, nothing was done.
    """
    from fairhuman.data.exchange import import_folder

    pairs = [word.partition("=") for word in category or []]
    for name, sign, meant in pairs:
        if not (name and sign and meant):
            raise ValueError(f"category: must be NAME=face or NAME=hand, got {name + sign + meant!r}")
    done = import_folder(
        source,
        out,
        layout,
        categories={name: meant for name, _, meant in pairs} or None,
        region=region,
        dilation=dilation,
        max_pixels=max_pixels,
        workers=workers,
    )
    typer.echo(f"{done.path}: {done.kept} images, {done.unreadable} left out (see rejected.jsonl)")
    if done.unreadable or not done.kept:
        raise typer.Exit(1)


def export_set(
    source: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    out: Annotated[Path, typer.Argument(help="New folder.")],
    layout: Annotated[str, typer.Option(help=_LAYOUT)],
    region: Annotated[
        list[str] | None,
        typer.Option(help="Regions of the masks in layout kohya; repeatable. Default: all."),
    ] = None,
) -> None:
    """Export a data set to another layout."""
    from fairhuman.data.exchange import export_folder

    regions = {} if region is None else {"regions": region}
    typer.echo(f"{out}: {export_folder(source, out, layout, **regions)} images")
