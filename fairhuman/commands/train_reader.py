"""``python -m fairhuman train reader``: the attribute reader and feature network of the evaluation."""

from pathlib import Path
from typing import Annotated

import typer


def train_reader(
    data: Annotated[Path, typer.Argument(help="Rendered data set to train on.")],
    heldout: Annotated[Path, typer.Argument(help="Rendered data set to measure the accuracy on.")],
    output: Annotated[Path, typer.Option(help="File of the weights.")] = Path(
        "runs/reader/reader.safetensors"
    ),
    images: Annotated[int, typer.Option(help="Use only this many training images; 0: all.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 14,
    seed: Annotated[int, typer.Option(help="Of the weights at the start and every draw.")] = 0,
) -> None:
    """Train the attribute reader on renders; its accuracy goes to results/reader/training.json."""
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
