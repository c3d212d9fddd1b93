"""``python -m fairhuman evaluate``: any images, by every metric that the input allows."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    images: Annotated[list[Path], typer.Argument(help="Folders of images, one per system.")],
    prompts: Annotated[
        Path | None, typer.Option(help="One per line, in the images' order; default: metadata.jsonl's text.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Folder of images to measure distances from.")
    ] = None,
    asked: Annotated[
        Path | None, typer.Option(help="Annotated data set: its i-th image is what the i-th should show.")
    ] = None,
    posed: Annotated[bool, typer.Option(help="The images follow the pose and depth of --asked.")] = False,
    out: Annotated[Path | None, typer.Option(help="JSON file of everything measured.")] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Folder of published files: hps_v2.1=…, image_reward=… or clip_score=…"),
    ] = None,
    inception: Annotated[
        Path | None, typer.Option(help="File of Inception's published weights, for FID and KID.")
    ] = None,
    depth_model: Annotated[
        Path | None, typer.Option(help="Folder of a depth model, for --posed and an --asked with depth.")
    ] = None,
    download: Annotated[bool, typer.Option(help="Fetch these weights, about 2 GB each, if absent.")] = False,
    device: Annotated[str, typer.Option(help="Where preference and depth models run: cpu, cuda.")] = "cpu",
    threshold: Annotated[float, typer.Option(help="Least score of a detection.")] = 0.5,
    workers: Annotated[int, typer.Option(help="Processes of the detectors.")] = 2,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of earlier findings; by default the user's cache.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep and use no earlier findings.")] = False,
    level: Annotated[float, typer.Option(help="Confidence of every interval.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of the resampling.")] = 0,
) -> None:
    """Evaluate images: detection, distances, captions, preference, poses, depths; --out writes JSON.

    Exit status: 0, every file was judged; 1, finished, but files that are named were left out; 2, nothing was
    done, since what was asked for is wrong.
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
        raise ValueError("posed: needs --asked, the data set whose poses the images follow")
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
        console.print("* differs from the first system by a paired difference that its interval supports")
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
        typer.echo(f"{name}: {account['judged']} judged{converted}, {len(refused)} left out")
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
