"""``python -m fairhuman sweep``: one member of a sweep, or its comparison; ``Snakefile.sweeps`` calls it."""

from typing import Annotated

import typer


def sweep(
    name: Annotated[str, typer.Argument(help="A file in params/sweeps/, such as equal_steps.")],
    member: Annotated[
        tuple[str, str, int, int] | None, typer.Option(help="Adapter, strategy, rank and seed to train.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Compare what was trained.")] = False,
) -> None:
    """Train one member of a sweep, or compare all; without options, list the members."""
    from fairhuman.sweeps import Sweep

    chosen = Sweep.open(name)
    if member is not None:
        typer.echo(chosen.train(*member))
    elif compare:
        typer.echo(chosen.compare())
    else:
        for one in chosen.members():
            typer.echo(" ".join(str(value) for value in one.values()))
