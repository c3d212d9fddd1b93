"""The command line: ``python -m fairhuman COMMAND``.

Each command is a thin layer over one library function. Imports are lazy to keep ``--help`` fast.
"""

import logging
import re
from importlib.metadata import requires
from pathlib import Path
from typing import Annotated

try:
    import typer
except ModuleNotFoundError:
    raise SystemExit("fairhuman: the command line needs typer: pip install 'fairhuman[cli]'") from None

from fairhuman.commands.ablate import ablate
from fairhuman.commands.annotate import annotate, merge
from fairhuman.commands.evaluate import evaluate
from fairhuman.commands.exchange import export_set, import_set
from fairhuman.commands.fit import fit
from fairhuman.commands.provenance import provenance, recompute
from fairhuman.commands.push import push
from fairhuman.commands.review import review
from fairhuman.commands.sample import convert, fuse, sample
from fairhuman.commands.train_adapter import TrainGroup
from fairhuman.commands.train_reader import train_reader
from fairhuman.commands.verify import verify

app = typer.Typer(
    help="FairHuman: fair multi-objective fine-tuning of diffusion models.",
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
app.command("convert")(convert)
app.command("import")(import_set)
app.command("export")(export_set)
app.command("fit")(fit)
app.command("push")(push)
app.command("verify")(verify)
app.command("provenance")(provenance)
app.command("recompute")(recompute)


@app.command("run")
def run(
    notebook: Annotated[str, typer.Argument(help="Notebook name, such as 04_train_lora.")],
    profile: Annotated[str, typer.Option(help="Parameter file in params/.")] = "quick",
) -> None:
    """Execute a copy of a notebook with a profile's parameters, in runs/PROFILE/notebooks/."""
    from fairhuman.workflow import run_notebook

    typer.echo(run_notebook(notebook, profile))


@app.command("refresh")
def refresh(
    notebooks: Annotated[
        list[str] | None, typer.Argument(help="Notebook names. Default: all, in order.")
    ] = None,
) -> None:
    """Execute notebooks in place to update their stored outputs, heads and marked numbers."""
    from fairhuman.experiments.filled import write_filled
    from fairhuman.experiments.navigation import write_heads
    from fairhuman.workflow import refresh_notebook, steps

    for name in notebooks or steps():
        path = refresh_notebook(name)
        write_heads([name])
        write_filled(path, path.parents[1])
        typer.echo(path)


@app.command("humans")
def humans(
    out: Annotated[Path, typer.Argument(help="Data set folder: new, or made with the same settings.")],
    count: Annotated[int, typer.Option(help="Number of images.")] = 100,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same files.")] = 0,
    size: Annotated[int, typer.Option(help="Image side length in pixels.")] = 256,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
    preset: Annotated[str, typer.Option(help="everyday, portraits, studio or world.")] = "studio",
) -> None:
    """Render a data set of people with masks, poses, depth and captions; resumable."""
    from fairhuman.humans import generate

    typer.echo(generate(out, count, seed=seed, size=size, preset=preset, workers=workers))


@train_app.command("base")
def train_base(
    settings: Annotated[Path, typer.Argument(help="YAML file, such as params/models/embedded.yaml.")],
    data: Annotated[str | None, typer.Option(help="Training set folder.")] = None,
    small: Annotated[
        str | None, typer.Option(help="Folder of a second training set with half the image size.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="Run folder: new, or of an interrupted run.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after this many minutes of UNet training; the next call resumes."),
    ] = None,
) -> None:
    """Train a base from scratch: autoencoder, text encoders, UNet; resumable."""
    from fairhuman.training.base import BaseSettings, train_base

    given = {"data": data, "small": small, "output": output}
    changes = {name: value for name, value in given.items() if value is not None}
    done = train_base(BaseSettings.from_yaml(settings, **changes), minutes=minutes)
    typer.echo(done or "stopped before the end; the same command resumes")


@app.command("figures")
def figures(
    profile: Annotated[str | None, typer.Option(help="Profile. Default: all profiles with results.")] = None,
) -> None:
    """Redraw all figures and tables in figures/ from stored results."""
    from fairhuman.experiments.figures import drawn_profiles, redraw

    for name in [profile] if profile else drawn_profiles():
        for path in redraw(name):
            typer.echo(path)


def main() -> None:
    """Run a command; invalid input ends with one line on stderr and exit status 2, without a traceback."""
    logging.basicConfig(format="fairhuman: %(message)s")
    logging.getLogger("fairhuman").setLevel(logging.INFO)
    try:
        app()
    except (ValueError, TypeError, ArithmeticError, OSError, RuntimeError, ImportError) as error:
        wanted = extra_with(error.name or "") if isinstance(error, ModuleNotFoundError) else ""
        typer.secho(f"fairhuman: {error}{wanted}", fg="red", err=True)
        raise SystemExit(2) from None


def extra_with(module: str) -> str:
    """The install command for a missing module, if one of the package's extras provides it.

    >>> extra_with("diffusers.utils")
    "; pip install 'fairhuman[diffusion]'"
    """
    name = module.split(".")[0]
    package = {"PIL": "pillow", "yaml": "pyyaml", "cv2": "mediapipe", "warp": "warp-lang"}.get(name, name)
    for line in requires("fairhuman") or ():
        found = re.match(r"([\w-]+).*extra == ['\"](\w+)['\"]", line)
        if found and found[1].lower() == package.lower():
            return f"; pip install 'fairhuman[{found[2]}]'"
    return ""


if __name__ == "__main__":
    main()
