"""``python -m fairhuman train reader``: train the evaluation's attribute reader and feature network."""

from pathlib import Path
from typing import Annotated

import typer


def train_reader(
    data: Annotated[Path, typer.Argument(help="Rendered training set.")],
    heldout: Annotated[Path, typer.Argument(help="Rendered held-out set for measuring accuracy.")],
    output: Annotated[Path, typer.Option(help="Output file for the weights.")] = Path(
        "runs/reader/reader.safetensors"
    ),
    images: Annotated[int, typer.Option(help="Number of training images to use; 0 uses all.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 14,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights and all random choices.")] = 0,
) -> None:
    """Train the attribute reader on renders and store its accuracy in results/reader/training.json."""
    from fairhuman.evaluation.reader import ReaderSettings, stored_parameters
    from fairhuman.evaluation.reader import train_reader as train
    from fairhuman.results import write_result

    settings = ReaderSettings(
        data=str(data),
        heldout=str(heldout),
        output=str(output),
        images=images,
        epochs=epochs,
        seed=seed,
    )
    values = train(settings)
    count = values["training"]["whole"]
    parameters = stored_parameters(settings)
    typer.echo(write_result("reader", "training", values, parameters=parameters, samples=count, seed=seed))
