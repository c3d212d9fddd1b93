"""``python -m fairhuman ablate``: run the missing settings of an ablation."""

import time
from itertools import chain
from typing import Annotated

import typer


def ablate(
    table: Annotated[list[str] | None, typer.Option(help="Name of a table; repeatable.")] = None,
    setting: Annotated[list[str] | None, typer.Option(help="Name of a setting; repeatable.")] = None,
    profile: Annotated[str, typer.Option(help="Parameter file in params/.")] = "quick",
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed; repeatable. Default: the profile's seeds.")
    ] = None,
    change: Annotated[list[str] | None, typer.Option("--set", help="Budget setting, as NAME=VALUE.")] = None,
    images: Annotated[int, typer.Option(help="Number of captions to sample with each setting and seed.")] = 0,
    minutes: Annotated[
        float | None, typer.Option(help="Start no further run after this many minutes.")
    ] = None,
    older_code: Annotated[
        bool, typer.Option("--older-code", help="Keep results of code that has since changed; tables say so.")
    ] = False,
    state: Annotated[
        bool, typer.Option("--state", help="Only print what is stored and what is missing.")
    ] = False,
) -> None:
    """Train and evaluate an ablation's missing runs; each result is stored as soon as it is finished.

    You can interrupt the command at any time: stored results are kept, and the current run resumes from its
    last checkpoint. Results are in results/PROFILE/ablations/, one file per setting and seed.
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
    typer.echo(f"{len(settings)} settings, seeds {', '.join(map(str, seeds))}: {len(left)} results missing")
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
    # A single setting may be one of many jobs; only a call for whole tables writes the summary.
    summed = [] if setting else [find_table(name) for name in table or values["tables"]]
    for path in summarise(profile, summed, values["seeds"]):
        typer.echo(path.name)
