"""``python -m fairhuman push``: a trained adapter to the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer


def push(
    source: Annotated[Path, typer.Argument(help="Folder of a finished run, or of fit.")],
    repository: Annotated[str, typer.Argument(help="owner/name on the hub; made if it is not there.")],
    samples: Annotated[Path | None, typer.Option(help="Folder of sample; by default fit's images.")] = None,
    private: Annotated[bool, typer.Option("--private/--public", help="Who can see a new repository.")] = True,
) -> None:
    """Upload an adapter with its card and samples, and nothing else; the token is that of `hf auth login`."""
    from fairhuman.fitting import push as upload

    typer.echo(upload(source, repository, samples=samples, private=private))
