"""``python -m fairhuman provenance`` and ``recompute``: what made the results, and what follows from them."""

from typing import Annotated

import typer


def provenance(
    modified: Annotated[
        bool, typer.Option("--modified", help="Only those made by uncommitted code.")
    ] = False,
) -> None:
    """Say of every stored result which commit and code made it, and whether that code was committed."""
    from fairhuman.results import list_results
    from fairhuman.source import library_digest

    rows = list_results()
    for row in rows:
        if row["modified"] or not modified:
            code = "this code" if row["code"] == library_digest() else row["code"] or "code unknown"
            said = "uncommitted" if row["modified"] else "committed"
            typer.echo(f"{row['name']:52} {str(row['commit'])[:8]} {said:11} {code}")
    count = sum(bool(row["modified"]) for row in rows)
    typer.echo(f"{count} of {len(rows)} results were made by uncommitted code; only a new run mends that")


def recompute(
    profile: Annotated[str | None, typer.Option(help="Whose results; by default all that there are.")] = None,
) -> None:
    """Compute differences, intervals and fits again from stored raw values; nothing is measured."""
    from fairhuman.experiments.figures import drawn_profiles
    from fairhuman.experiments.recompute import recompute as again

    for name in [profile] if profile else drawn_profiles():
        for path in again(name):
            typer.echo(path)
