"""``python -m fairhuman verify``: read all files of a data set once, in several processes."""

from pathlib import Path
from typing import Annotated

import typer

_REGION = "Region whose masks a run will use; repeatable. Default: face and hand."


def verify(
    data: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    region: Annotated[list[str] | None, typer.Option(help=_REGION)] = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="Condition that a run will use: pose or depth; repeatable.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
) -> None:
    """Verify every file of a data set and cache the result, so that later runs start quickly.

    The first invalid line or file is reported; files verified up to then stay cached. Exit status: 0, the
    data set is valid; 2, it is not.
    """
    from fairhuman.data import HumanFolder

    read = HumanFolder(data, region or ("face", "hand"), condition or (), workers=workers)
    found = ", ".join(f"{name} in {count}" for name, count in read.present.items())
    typer.echo(f"{data}: {len(read)} images; {found}")
