"""``python -m fairhuman review``: review annotations in a browser and reject bad ones."""

from pathlib import Path
from typing import Annotated

import typer


def review(
    data: Annotated[Path, typer.Argument(help="Folder of an annotated data set.")],
    apply: Annotated[
        list[Path] | None, typer.Option(help="File of decisions saved by the page; repeatable.")
    ] = None,
    part: Annotated[str | None, typer.Option(help="i/n shows part i of n, for very large data sets.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the page or the corrected copy; leaves DATA unchanged.")
    ] = None,
) -> None:
    """Write a page that shows images with boxes, masks and poses; with --apply, apply the saved decisions.

    Open the page from its folder; it needs neither a server nor a network. Exit status: 0, done; 2, invalid
    input, nothing was changed.
    """
    from fairhuman.data.annotation import Shard
    from fairhuman.data.review import apply_review, read_decisions, write_page

    if apply:
        done = apply_review(data, read_decisions(apply), out)
        typer.echo(
            f"{out or data}: rejected {done.images} images, {done.boxes} boxes, {done.poses} poses; "
            f"{done.left} images left"
        )
    else:
        typer.echo(write_page(data, None if part is None else Shard.parse(part), out))
