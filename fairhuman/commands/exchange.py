"""``python -m fairhuman import`` and ``export``: data sets of other forms."""

from pathlib import Path
from typing import Annotated

import typer

_LAYOUT = (
    "released: as the authors' code; boxes: ImageFolder with boxes; kohya: as kohya's scripts and OneTrainer."
)


def import_set(
    source: Annotated[Path, typer.Argument(help="Folder of the other data set.")],
    out: Annotated[Path, typer.Argument(help="Folder of the data set: new, or of the same settings.")],
    layout: Annotated[str, typer.Option(help=_LAYOUT)],
    category: Annotated[
        list[str] | None, typer.Option(help="NAME=face or NAME=hand, for boxes of other names.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="What the masks of kohya's layout are of: face or hand.")
    ] = None,
    dilation: Annotated[float, typer.Option(help="Of masks of boxes, in pixels at 1024.")] = 8.0,
    max_pixels: Annotated[int, typer.Option(help="More are refused before decoding.")] = 100_000_000,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
) -> None:
    """Import a data set of another form.

    Exit status: 0, every image could be read; 1, finished, but rejected.jsonl lists images that could not;
    2, nothing was done, since what was asked for is wrong.
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
    out: Annotated[Path, typer.Argument(help="Folder that does not exist yet.")],
    layout: Annotated[str, typer.Option(help=_LAYOUT)],
    region: Annotated[
        list[str] | None,
        typer.Option(help="What masks of the layout kohya cover; all by default."),
    ] = None,
) -> None:
    """Export a data set in another form."""
    from fairhuman.data.exchange import export_folder

    regions = {} if region is None else {"regions": region}
    typer.echo(f"{out}: {export_folder(source, out, layout, **regions)} images")
