"""``python -m fairhuman train lora``, ``controlnet``, …: one command an adapter, with the same options."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from fairhuman.commands._assignments import assignments

ADAPTERS = {
    "lora": "a LoRA: low-rank updates of the attention layers",
    "controlnet": "a ControlNet that reads the pose drawn over the depth",
    "controlnet-union": "a ControlNet-Union that reads pose and depth as pictures of their own",
    "t2i-adapter": "a T2I-Adapter that reads the pose drawn over the depth",
    "mole": "MoLE: a face and a hand expert behind gates",
}
"""Kind → what it is."""


def train_command(adapter: str) -> Callable[..., None]:
    """The command that trains one kind of adapter."""

    def command(
        settings: Annotated[Path | None, typer.Argument(help="YAML file of the run's settings.")] = None,
        data: Annotated[str | None, typer.Option(help="Folder of the training set.")] = None,
        output: Annotated[str | None, typer.Option(help="Folder of the run: new, or cut off.")] = None,
        base: Annotated[str | None, typer.Option(help="Base pipeline; by default the embedded one.")] = None,
        strategy: Annotated[
            str | None, typer.Option(help="mpd, ls, …: how objectives share the step.")
        ] = None,
        steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
        change: Annotated[list[str] | None, typer.Option("--set", help="Any setting, as NAME=VALUE.")] = None,
    ) -> None:
        from fairhuman.training import TrainSettings, train
        from fairhuman.training._values import read_settings

        changes = assignments(change or [])
        named = changes | ({} if settings is None or "adapter" in changes else read_settings(settings))
        if named.get("adapter", adapter) != adapter:
            raise ValueError(f"adapter: must be {adapter}, as the command says, got {named['adapter']!r}")
        given = {"data": data, "output": output, "base": base, "strategy": strategy, "steps": steps}
        changes |= {name: value for name, value in given.items() if value is not None}
        changes |= {"adapter": adapter}
        if settings is None:
            chosen = TrainSettings.from_mapping(changes)
        else:
            chosen = TrainSettings.from_yaml(settings, **changes)
        typer.echo(train(chosen).weights)

    command.__doc__ = (
        f"Train {ADAPTERS[adapter]}, with regional objectives; a run that was cut off continues."
    )
    return command
