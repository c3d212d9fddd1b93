"""``python -m fairhuman review``: look through annotations in a browser, reject and accept."""

from pathlib import Path
from typing import Annotated

import typer


def review(
    data: Annotated[Path, typer.Argument(help="Folder of an annotated data set.")],
    apply: Annotated[list[Path] | None, typer.Option(help="Decisions that the page saved.")] = None,
    part: Annotated[str | None, typer.Option(help="i/n shows one of n parts, for very large sets.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the page, or of a changed copy, where DATA stays as it is.")
    ] = None,
) -> None:
    """Write a page that shows the images with boxes, masks and poses; then apply what it saved.

    The page lies beside the images, is opened from there, and needs neither a server nor a network. Exit
    status: 0, done; 2, nothing was changed, since something is wrong.
    """
    from fairhuman.data.annotation import Shard
    from fairhuman.data.review import apply_review, read_decisions, write_page

    if apply:
        done = apply_review(data, read_decisions(apply), out)
        typer.echo(
            f"{out or data}: rejected {done.images} images, {done.boxes} boxes, {done.poses} poses; "
            f"accepted {done.accepted} boxes; {done.left} images left"
        )
    else:
        typer.echo(write_page(data, None if part is None else Shard.parse(part), out))
