"""``python -m fairhuman push``: upload a trained adapter to the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer


def push(
    source: Annotated[Path, typer.Argument(help="Folder of a finished run or fit.")],
    repository: Annotated[str, typer.Argument(help="owner/name on the hub; created if missing.")],
    samples: Annotated[
        Path | None, typer.Option(help="Folder of sample images. Default: those of the fit.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private/--public", help="Visibility of a new repository.")
    ] = True,
) -> None:
    """Upload an adapter with its model card and samples, using the token of `hf auth login`."""
    from fairhuman.fitting import push as upload

    typer.echo(upload(source, repository, samples=samples, private=private))
