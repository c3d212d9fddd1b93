"""``python -m fairhuman ablate``: the settings of an ablation, as many as a session allows."""

import time
from itertools import chain
from typing import Annotated

import typer


def ablate(
    table: Annotated[list[str] | None, typer.Option(help="Name of a table; may be given again.")] = None,
    setting: Annotated[list[str] | None, typer.Option(help="Name of a setting; may be given again.")] = None,
    profile: Annotated[str, typer.Option(help="Parameter file in params/.")] = "quick",
    seed: Annotated[list[int] | None, typer.Option(help="Seeds; by default the profile's.")] = None,
    change: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the budget.")] = None,
    images: Annotated[int, typer.Option(help="Captions sampled with each setting and seed as well.")] = 0,
    minutes: Annotated[float | None, typer.Option(help="Start no further run after so many minutes.")] = None,
    older_code: Annotated[
        bool, typer.Option("--older-code", help="Keep results of code that has changed since; tables say so.")
    ] = False,
    state: Annotated[bool, typer.Option("--state", help="Only print what is stored and missing.")] = False,
) -> None:
    """Train and measure what an ablation is missing; each result is on disk as soon as it is finished.

    A session may be interrupted at any moment: what is stored stays, and the current run resumes at its last
    checkpoint. Results lie in results/PROFILE/ablations/, one file per setting and seed.
    """
    from fairhuman.commands._assignments import assignments
    from fairhuman.experiments.ablations import (
        TABLES,
        Ablations,
        Budget,
        find_settings,
        find_table,
        plan_of,
        sample_settings,
        summarise,
    )

    values = plan_of(profile)
    names = list(setting or ())
    for one in table or ([] if names else values["tables"]):
        names += find_table(one).settings
    settings, seeds = find_settings(names), seed or values["seeds"]
    changes = assignments(change or []) | ({"prompts": images} if images else {})
    work = Ablations(profile, Budget.of_profile(profile, values).changed(changes))
    left = work.left(settings, seeds, older=older_code)
    typer.echo(f"{len(settings)} settings, seeds {', '.join(map(str, seeds))}: {len(left)} results left")
    if state:
        for one, number in left:
            typer.echo(f"{work.state(one, number):10} {one.name}, seed {number}")
        typer.echo(f"tables: {', '.join(TABLES)}")
        return
    start = time.monotonic()
    for name, seconds in chain(
        work.compute(settings, seeds, older=older_code), sample_settings(work, settings, seeds)
    ):
        typer.echo(f"{name}.json: {seconds:.0f} s")
        if minutes is not None and time.monotonic() - start > 60 * minutes:
            typer.echo(f"stopped after {minutes:g} minutes; the same command resumes")
            break
    # Single settings may be one job of many; the summary is left to whoever asks for tables.
    summed = [] if setting else [find_table(name) for name in table or values["tables"]]
    for path in summarise(profile, summed, values["seeds"]):
        typer.echo(path.name)
