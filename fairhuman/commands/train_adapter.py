"""``python -m fairhuman train lora``, ``controlnet``, …: one command per adapter kind, same options."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fairhuman.commands._assignments import assignments

__all__ = ["TrainGroup"]


class TrainGroup(TyperGroup):
    """The subcommands of ``train``: the registered ones, and one per adapter kind. The latter are created on
    demand, because the table of kinds imports PyTorch."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*_adapter_commands(), *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _adapter_commands().get(cmd_name)


def _adapter_commands() -> Mapping[str, Any]:
    from fairhuman.models.adapters import ADAPTERS

    commands = typer.Typer()
    for kind, adapter in ADAPTERS.items():
        commands.command(kind)(_command(kind, adapter.summary))
    return typer.main.get_group(commands).commands


def _command(adapter: str, summary: str) -> Callable[..., None]:
    def command(
        settings: Annotated[Path | None, typer.Argument(help="YAML file of run settings.")] = None,
        data: Annotated[str | None, typer.Option(help="Training set folder.")] = None,
        output: Annotated[str | None, typer.Option(help="Run folder: new, or of an interrupted run.")] = None,
        base: Annotated[str | None, typer.Option(help="Base pipeline. Default: the embedded base.")] = None,
        strategy: Annotated[
            str | None, typer.Option(help="Strategy that weights the objectives: mpd, ls, …")
        ] = None,
        steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
        change: Annotated[list[str] | None, typer.Option("--set", help="Any setting, as NAME=VALUE.")] = None,
    ) -> None:
        from fairhuman.settings import read_settings
        from fairhuman.training import TrainSettings, train

        values = {} if settings is None else read_settings(settings)
        values |= assignments(change or [])
        if values.get("adapter", adapter) != adapter:
            raise ValueError(f"adapter: must be {adapter} in this command, got {values['adapter']!r}")
        options = {"data": data, "output": output, "base": base, "strategy": strategy, "steps": steps}
        values |= {name: value for name, value in options.items() if value is not None}
        source = "settings" if settings is None else str(settings)
        run = train(TrainSettings.from_mapping(values | {"adapter": adapter}, source))
        typer.echo(run.weights)

    command.__doc__ = f"Train {summary}, with regional objectives; resumable."
    return command
