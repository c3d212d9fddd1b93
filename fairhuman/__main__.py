"""The command line: ``python -m fairhuman COMMAND``.

Each command is a thin shell over one library function; modules are imported inside, so that ``--help`` is
quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from fairhuman.commands._assignments import assignments
from fairhuman.commands.ablate import ablate
from fairhuman.commands.annotate import annotate, merge
from fairhuman.commands.evaluate import evaluate
from fairhuman.commands.review import review
from fairhuman.commands.train_reader import train_reader

app = typer.Typer(
    help="Fair multi-objective fine-tuning of diffusion models: the FairHuman companion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train an adapter, or the embedded base model.", no_args_is_help=True)
app.add_typer(train_app, name="train")
train_app.command("reader")(train_reader)
app.command("ablate")(ablate)
app.command("annotate")(annotate)
app.command("evaluate")(evaluate)
app.command("merge")(merge)
app.command("review")(review)


@app.command("run")
def run(
    notebook: Annotated[str, typer.Argument(help="Name of a notebook, such as 04_train_lora.")],
    profile: Annotated[str, typer.Option(help="Parameter file in params/.")] = "quick",
) -> None:
    """Execute one notebook with a profile's parameters; the copy lands in runs/PROFILE/notebooks/."""
    from fairhuman.workflow import run_notebook

    typer.echo(run_notebook(notebook, profile))


@app.command("refresh")
def refresh(
    notebooks: Annotated[list[str] | None, typer.Argument(help="Names; by default all, in order.")] = None,
) -> None:
    """Execute notebooks in place, so that their stored outputs are today's."""
    from fairhuman.workflow import STEPS, refresh_notebook

    for name in notebooks or STEPS:
        typer.echo(refresh_notebook(name))


@app.command("humans")
def humans(
    out: Annotated[Path, typer.Argument(help="Folder of the data set: new, or begun with the same values.")],
    count: Annotated[int, typer.Option(help="Number of images.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    size: Annotated[int, typer.Option(help="Side of an image in pixels.")] = 256,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
    preset: Annotated[str, typer.Option(help="studio: plain; world: the whole variety.")] = "studio",
) -> None:
    """Render a data set of people with masks, pose, depth and captions; a run cut off continues."""
    from fairhuman.humans import generate

    typer.echo(generate(out, count, seed=seed, size=size, preset=preset, workers=workers))


@train_app.command("lora")
def train_lora(
    settings: Annotated[Path | None, typer.Argument(help="YAML file of the run's settings.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of the training set.")] = None,
    output: Annotated[str | None, typer.Option(help="Folder of the run: new, or cut off.")] = None,
    base: Annotated[str | None, typer.Option(help="Base pipeline; by default the embedded one.")] = None,
    strategy: Annotated[str | None, typer.Option(help="mpd, ls, …: how objectives share the step.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
    change: Annotated[list[str] | None, typer.Option("--set", help="Any setting, as NAME=VALUE.")] = None,
) -> None:
    """Train a LoRA with regional objectives; a run that was cut off continues."""
    from fairhuman.training import TrainSettings, train

    changes = assignments(change or [])
    given = {"data": data, "output": output, "base": base, "strategy": strategy, "steps": steps}
    changes |= {name: value for name, value in given.items() if value is not None}
    if settings is None:
        chosen = TrainSettings.from_mapping(changes)
    else:
        chosen = TrainSettings.from_yaml(settings, **changes)
    typer.echo(train(chosen).weights)


@train_app.command("base")
def train_base(
    settings: Annotated[Path, typer.Argument(help="YAML file, such as params/models/embedded.yaml.")],
    data: Annotated[str | None, typer.Option(help="Folder of the training set.")] = None,
    output: Annotated[str | None, typer.Option(help="Folder of the run: new, or cut off.")] = None,
) -> None:
    """Train a base from nothing: autoencoder, text encoders, UNet; a run that was cut off continues."""
    from fairhuman.training.base import BaseSettings, train_base

    given = {"data": data, "output": output}
    changes = {name: value for name, value in given.items() if value is not None}
    typer.echo(train_base(BaseSettings.from_yaml(settings, **changes)))


@app.command("sample")
def sample(
    prompts: Annotated[Path, typer.Argument(help="A prompt a line, or the text of each line of a .jsonl.")],
    out: Annotated[Path, typer.Argument(help="Folder of the images: new, or begun with the same values.")],
    base: Annotated[str | None, typer.Option(help="Base pipeline; by default the embedded one.")] = None,
    lora: Annotated[Path | None, typer.Option(help="Folder of a training run, or a LoRA file.")] = None,
    scale: Annotated[float, typer.Option(help="Strength β of the LoRA (Eq. 12).")] = 1.0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 30,
    guidance: Annotated[float, typer.Option(help="Scale of classifier-free guidance.")] = 7.5,
    seed: Annotated[list[int] | None, typer.Option(help="Once a seed; 0 by default.")] = None,
    batch: Annotated[int, typer.Option(help="Images at a time.")] = 8,
    size: Annotated[int | None, typer.Option(help="Side in pixels; the base's own by default.")] = None,
    negative: Annotated[str | None, typer.Option(help="What not to draw.")] = None,
    limit: Annotated[int | None, typer.Option(help="Use the first so many prompts only.", min=1)] = None,
) -> None:
    """Generate images for a file of prompts, with a base or a LoRA on it; a run cut off continues."""
    from fairhuman.sampling import read_prompts, sample_file

    texts = read_prompts(prompts)[:limit]
    typer.echo(
        sample_file(
            texts,
            out,
            base=base,
            lora=lora,
            seeds=seed or [0],
            steps=steps,
            guidance=guidance,
            batch=batch,
            size=size,
            adapter_scale=scale,
            negative_prompt=negative,
        )  # fmt: skip
    )


@app.command("figures")
def figures(
    profile: Annotated[str | None, typer.Option(help="Whose results; by default all that there are.")] = None,
) -> None:
    """Draw every figure and table of figures/ again from stored results."""
    from fairhuman.figures import drawn_profiles, redraw

    for name in [profile] if profile else drawn_profiles():
        for path in redraw(name):
            typer.echo(path)


def main() -> None:
    """Run a command; bad input ends in one line on stderr and exit status 2, not in a traceback."""
    try:
        app()
    except (ValueError, TypeError, ArithmeticError, OSError, RuntimeError) as error:
        typer.secho(f"fairhuman: {error}", fg="red", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
