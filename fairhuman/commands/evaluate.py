"""``python -m fairhuman evaluate``: evaluate images by every metric that the input allows."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    images: Annotated[list[Path], typer.Argument(help="Image folders, one per system.")],
    prompts: Annotated[
        Path | None,
        typer.Option(help="One prompt per line, in image order. Default: the text in metadata.jsonl."),
    ] = None,
    reference: Annotated[Path | None, typer.Option(help="Folder of reference images for distances.")] = None,
    asked: Annotated[
        Path | None, typer.Option(help="Annotated data set whose i-th image is the target of the i-th image.")
    ] = None,
    posed: Annotated[
        bool, typer.Option(help="The images were conditioned on the pose and depth of --asked.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="JSON file for all measurements.")] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Folder of published weights: hps_v2.1=…, image_reward=… or clip_score=…"),
    ] = None,
    inception: Annotated[
        Path | None, typer.Option(help="File of the published Inception weights, for FID and KID.")
    ] = None,
    depth_model: Annotated[
        Path | None, typer.Option(help="Folder of a depth model; needs --posed and an --asked with depth.")
    ] = None,
    download: Annotated[bool, typer.Option(help="Download missing weights, about 2 GB each.")] = False,
    device: Annotated[str, typer.Option(help="Device of preference and depth models: cpu, cuda.")] = "cpu",
    threshold: Annotated[float, typer.Option(help="Minimum detection score.")] = 0.5,
    workers: Annotated[int, typer.Option(help="Number of detector processes.")] = 2,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of cached measurements. Default: the user cache.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")] = False,
    level: Annotated[float, typer.Option(help="Confidence level of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
) -> None:
    """Evaluate images: detection, distances, captions, preference, poses and depth.

    Exit status: 0, every file was evaluated; 1, finished, but some files were left out and are listed; 2,
    invalid input, nothing was done.
    """
    from rich.console import Console

    from fairhuman.detectors import cache_directory
    from fairhuman.evaluation.evaluate import (
        EvaluateSettings,
        check_place,
        evaluate_folders,
        terminal_tables,
        write_evaluation,
    )
    from fairhuman.sampling import read_prompts

    if out is not None:
        check_place(out)
    if posed and asked is None:
        raise ValueError("posed: needs --asked, the data set with the poses of the images")
    settings = EvaluateSettings(
        posed=posed,
        threshold=threshold,
        weights=_assignments(weights or []),
        inception=None if inception is None else str(inception),
        depth_model=None if depth_model is None else str(depth_model),
        download=download,
        device=device,
        workers=workers,
        cache=None if no_cache else str(cache or cache_directory()),
        level=level,
        seed=seed,
    )
    texts = None if prompts is None else read_prompts(prompts)
    found = evaluate_folders(images, texts, reference=reference, asked=asked, settings=settings)
    console = Console()
    for table in terminal_tables(found):
        console.print(table)
    if any(row["supported"] for row in found["differences"]):
        console.print("* the paired difference from the first system has an interval that excludes zero")
    left_out = _report(found["files"])
    if out is not None:
        write_evaluation(out, found)
        typer.echo(out)
    if left_out:
        raise typer.Exit(1)


def _report(files: dict) -> int:
    """Print which files were left out or converted; return the number left out."""
    left_out = 0
    for name, account in files.items():
        kinds = ", ".join(sorted(set(account["converted"].values())))
        converted = f", {len(account['converted'])} of them converted to RGB ({kinds})" if kinds else ""
        refused = account["refused"]
        typer.echo(f"{name}: {account['judged']} evaluated{converted}, {len(refused)} left out")
        for path, reason in refused.items():
            typer.echo(f"  {path}: {reason}", err=True)
        left_out += len(refused)
    return left_out


def _assignments(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for word, (name, sign, folder) in zip(words, pairs, strict=True):
        if not (name and sign and folder):
            raise ValueError(f"weights: must be METRIC=FOLDER, got {word!r}")
    return {name: folder for name, _, folder in pairs}
