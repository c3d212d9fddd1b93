"""``python -m fairhuman fit``: from photographs to a trained and evaluated LoRA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fairhuman.commands import _annotation_options as option

if TYPE_CHECKING:
    from fairhuman.fitting import Fitted

_BESIDE: Final = ("photographs", "out")
"""Parameters allowed together with a fit.yaml."""


def fit(
    command: typer.Context,
    photographs: Annotated[
        Path,
        typer.Argument(
            help="Folder of photographs, searched recursively; or the fit.yaml of an earlier fit."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Argument(help="Output folder: new, or made with the same settings. Default: fit.yaml's."),
    ] = None,
    base: Annotated[str | None, typer.Option(help="Base pipeline. Default: the embedded base.")] = None,
    strategy: Annotated[str, typer.Option(help="Strategy that weights the objectives.")] = "mpd",
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Any training setting, as NAME=VALUE.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="File of prompts for the comparison. Default: captions.")
    ] = None,
    images: Annotated[int, typer.Option(help="Number of captions to use without --prompts.")] = 32,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of the images; repeatable.")] = None,
    sampling_steps: Annotated[int, typer.Option(help="Denoising steps.")] = 30,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 7.5,
    scale: Annotated[float, typer.Option(help="Strength β of the LoRA (Eq. 12).")] = 1.0,
    min_side: option.MinSide = 1024,
    min_person: option.MinPerson = 0.05,
    max_pixels: option.MaxPixels = 100_000_000,
    size: option.Size = None,
    threshold: option.Threshold = 0.5,
    scales: option.Scales = 2,
    mask: option.Mask = "box",
    duplicate_distance: option.Duplicates = 4,
    captions: option.Captions = None,
    caption: option.Caption = None,
    folder_names: option.FolderNames = False,
    caption_model: option.CaptionModel = None,
    caption_prompt: option.CaptionPrompt = None,
    face_weights: option.FaceWeights = None,
    hand_weights: option.HandWeights = None,
    device: option.Device = "cpu",
    workers: option.Workers = 1,
) -> None:
    """Annotate photographs, train a LoRA on them, compare images before and after, and recommend changes.

    An interrupted run resumes. Exit status: 0, done; 2, an error.
    """
    from fairhuman.commands._assignments import assignments
    from fairhuman.fitting import FitSettings, SampleSettings
    from fairhuman.fitting import fit as fit_folder
    from fairhuman.sampling import read_prompts

    if photographs.is_file():
        given = [name for name in command.params if name not in _BESIDE and _is_given(command, name)]
        if given:
            raise ValueError(f"{given[0]}: is set in {photographs}; change it there")
        settings = FitSettings.from_yaml(photographs, **({} if out is None else {"out": str(out)}))
        _show(fit_folder(**settings.arguments))
        return
    if out is None:
        raise ValueError("out: must be given, unless the first argument is a fit.yaml")
    samples = SampleSettings(
        prompts=None if prompts is None else tuple(read_prompts(prompts)),
        count=images,
        seeds=tuple(seed or [0]),
        steps=sampling_steps,
        guidance=guidance,
        scale=scale,
    )
    done = fit_folder(
        photographs,
        out,
        base=base,
        annotation=option.annotate_settings(command),
        training={"strategy": strategy, "steps": steps} | assignments(change or []),
        samples=samples,
        workers=workers,
    )
    _show(done)


def _is_given(command: typer.Context, name: str) -> bool:
    source = command.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _show(done: "Fitted") -> None:
    from rich.console import Console

    from fairhuman.evaluation.evaluate import terminal_tables

    console = Console()
    for table in terminal_tables(done.evaluation):
        console.print(table)
    noted = done.annotation
    typer.echo((done.path / "report.md").read_text(encoding="utf-8"))
    typer.echo(
        f"trained on {noted.kept} photographs ({noted.filtered} filtered, {noted.duplicates} duplicates, "
        f"{noted.unreadable} unreadable); LoRA: {done.run.weights}; all files: {done.path}"
    )
