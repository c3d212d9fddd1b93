"""``python -m fairhuman verify``: all files of a data set read once, by several processes."""

from pathlib import Path
from typing import Annotated

import typer

_REGION = "Region whose masks a run will use; may be repeated. By default face and hand."


def verify(
    data: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    region: Annotated[list[str] | None, typer.Option(help=_REGION)] = None,
    condition: Annotated[list[str] | None, typer.Option(help="pose or depth, as a run will use.")] = None,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
) -> None:
    """Read every file of a data set once, and remember it: runs then start without.

    The first line or file that is wrong is named; what was read by then is remembered. Exit status: 0, all is
    in order; 2, it is not.
    """
    from fairhuman.data import HumanFolder

    read = HumanFolder(data, region or ("face", "hand"), condition or (), workers=workers)
    found = ", ".join(f"{name} in {count}" for name, count in read.present.items())
    typer.echo(f"{data}: {len(read)} images; {found}")
