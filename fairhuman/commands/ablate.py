"""``python -m fairhuman ablate``: the settings of an ablation, as many as a sitting allows."""

import time
from itertools import chain
from typing import Annotated

import typer


def ablate(
    table: Annotated[list[str] | None, typer.Option(help="Name of a table; may be given again.")] = None,
    setting: Annotated[list[str] | None, typer.Option(help="Name of a setting; likewise.")] = None,
    profile: Annotated[str, typer.Option(help="Parameter file in params/.")] = "quick",
    seed: Annotated[list[int] | None, typer.Option(help="Seeds; by default the profile's.")] = None,
    change: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the budget.")] = None,
    images: Annotated[int, typer.Option(help="Captions sampled with each setting's first seed as well.")] = 0,
    minutes: Annotated[float | None, typer.Option(help="Start no further run after so long.")] = None,
    state: Annotated[bool, typer.Option("--state", help="Only say what is stored and what is left.")] = False,
) -> None:
    """Train and measure what an ablation still lacks; each result is on disk as soon as it is finished.

    A sitting may be cut off at any moment: what is stored stays, the run at hand goes on where its last
    checkpoint left it. Results lie in results/PROFILE/ablations/, one file a setting and seed.
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
    left = work.left(settings, seeds)
    typer.echo(f"{len(settings)} settings, seeds {', '.join(map(str, seeds))}: {len(left)} results left")
    if state:
        for one, number in left:
            typer.echo(f"{work.state(one, number):8} {one.name}, seed {number}")
        typer.echo(f"tables: {', '.join(TABLES)}")
        return
    start = time.monotonic()
    for name, seconds in chain(work.compute(settings, seeds), sample_settings(work, settings)):
        typer.echo(f"{name}.json: {seconds:.0f} s")
        if minutes is not None and time.monotonic() - start > 60 * minutes:
            typer.echo(f"stopped after {minutes:g} minutes; the same command goes on")
            break
    # Settings by themselves may be one job of many at once; whoever has the tables sums up.
    summed = [] if setting else [find_table(name) for name in table or values["tables"]]
    for path in summarise(profile, summed, values["seeds"]):
        typer.echo(path.name)
