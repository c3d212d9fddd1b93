"""The command line: ``python -m fairhuman COMMAND``.

Each command is a thin shell over one library function; modules are imported inside, so that ``--help`` is
quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from fairhuman.commands.ablate import ablate
from fairhuman.commands.annotate import annotate, merge
from fairhuman.commands.evaluate import evaluate
from fairhuman.commands.exchange import export_set, import_set
from fairhuman.commands.fit import fit
from fairhuman.commands.review import review
from fairhuman.commands.sample import fuse, sample
from fairhuman.commands.train_adapter import TrainGroup
from fairhuman.commands.train_reader import train_reader

app = typer.Typer(
    help="Fair multi-objective fine-tuning of diffusion models: the FairHuman companion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(
    cls=TrainGroup, help="Train an adapter, or the embedded base model.", no_args_is_help=True
)
app.add_typer(train_app, name="train")
train_app.command("reader")(train_reader)
app.command("ablate")(ablate)
app.command("annotate")(annotate)
app.command("evaluate")(evaluate)
app.command("merge")(merge)
app.command("review")(review)
app.command("sample")(sample)
app.command("fuse")(fuse)
app.command("import")(import_set)
app.command("export")(export_set)
app.command("fit")(fit)


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
    from fairhuman.workflow import refresh_notebook, steps

    for name in notebooks or steps():
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


@train_app.command("base")
def train_base(
    settings: Annotated[Path, typer.Argument(help="YAML file, such as params/models/embedded.yaml.")],
    data: Annotated[str | None, typer.Option(help="Folder of the training set.")] = None,
    small: Annotated[str | None, typer.Option(help="Folder of a second set, of half the size.")] = None,
    output: Annotated[str | None, typer.Option(help="Folder of the run: new, or cut off.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so many minutes of the UNet; the next call goes on.")
    ] = None,
) -> None:
    """Train a base from nothing: autoencoder, text encoders, UNet; a run that was cut off continues."""
    from fairhuman.training.base import BaseSettings, train_base

    given = {"data": data, "small": small, "output": output}
    changes = {name: value for name, value in given.items() if value is not None}
    done = train_base(BaseSettings.from_yaml(settings, **changes), minutes=minutes)
    typer.echo(done or "stopped before its end; the same command goes on")


@app.command("figures")
def figures(
    profile: Annotated[str | None, typer.Option(help="Whose results; by default all that there are.")] = None,
) -> None:
    """Draw every figure and table of figures/ again from stored results."""
    from fairhuman.experiments.figures import drawn_profiles, redraw

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
