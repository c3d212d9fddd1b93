"""``python -m fairhuman provenance`` and ``recompute``: origin and derived values of results."""

from typing import Annotated

import typer


def provenance(
    modified: Annotated[bool, typer.Option("--modified", help="Only results of uncommitted code.")] = False,
) -> None:
    """Show which commit and code produced each stored result, and whether that code was committed."""
    from fairhuman.results import list_results
    from fairhuman.source import library_digest

    rows = list_results()
    for row in rows:
        if row["modified"] or not modified:
            code = "this code" if row["code"] == library_digest() else row["code"] or "code unknown"
            said = "uncommitted" if row["modified"] else "committed"
            typer.echo(f"{row['name']:52} {str(row['commit'])[:8]} {said:11} {code}")
    count = sum(bool(row["modified"]) for row in rows)
    typer.echo(f"{count} of {len(rows)} results come from uncommitted code; only a new run replaces them")


def recompute(
    profile: Annotated[str | None, typer.Option(help="Profile. Default: all profiles with results.")] = None,
) -> None:
    """Recompute differences, intervals and fits from stored raw values, without new measurements."""
    from fairhuman.experiments.figures import drawn_profiles
    from fairhuman.experiments.recompute import recompute as again

    for name in [profile] if profile else drawn_profiles():
        for path in again(name):
            typer.echo(path)
