"""``python -m fairhuman annotate`` and ``merge``: from a folder of photographs to a training set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhuman.commands import _annotation_options as option

if TYPE_CHECKING:
    from fairhuman.data.annotation import Annotation

_PADDING = "Fraction of its side lengths by which to enlarge a box."


def annotate(
    command: typer.Context,
    photographs: Annotated[Path, typer.Argument(help="Folder of photographs, searched recursively.")],
    out: Annotated[Path, typer.Argument(help="Data set folder: new, or made with the same settings.")],
    min_side: option.MinSide = 1024,
    min_person: option.MinPerson = 0.05,
    max_pixels: option.MaxPixels = 100_000_000,
    size: option.Size = None,
    threshold: option.Threshold = 0.5,
    scales: option.Scales = 2,
    mask: option.Mask = "box",
    face_padding: Annotated[float, typer.Option(help=_PADDING)] = 0.0,
    hand_padding: Annotated[float, typer.Option(help=_PADDING)] = 0.1,
    dilation: Annotated[
        float, typer.Option(help="Mask dilation, in pixels at a shorter side of 1024.")
    ] = 8.0,
    duplicate_distance: option.Duplicates = 4,
    captions: option.Captions = None,
    caption: option.Caption = None,
    folder_names: option.FolderNames = False,
    caption_model: option.CaptionModel = None,
    caption_prompt: option.CaptionPrompt = None,
    depth_model: Annotated[Path | None, typer.Option(help="Folder of a depth model.")] = None,
    face_weights: option.FaceWeights = None,
    hand_weights: option.HandWeights = None,
    device: option.Device = "cpu",
    shard: Annotated[str | None, typer.Option(help="i/n processes shard i of n; merge joins them.")] = None,
    workers: option.Workers = 1,
) -> None:
    """Detect faces, hands and poses in photographs and write a training set; resumable.

    Captions come from --captions, from a .txt file next to each photograph, from the caption model, or from
    --caption. Exit status: 0, every file could be read; 1, finished, but rejected.jsonl lists unreadable
    files, or no photograph was kept; 2, invalid input, nothing was done.
    """
    from fairhuman.data.annotation import Shard
    from fairhuman.data.annotation import annotate as annotate_folder

    settings = option.annotate_settings(command)
    share = None if shard is None else Shard.parse(shard)
    done = annotate_folder(photographs, out, settings, shard=share, workers=workers)
    if done is None:
        typer.echo(
            f"{out}: shard {shard} is complete; after the last one, run: python -m fairhuman merge {out}"
        )
    else:
        _tell(done)


def merge(
    out: Annotated[Path, typer.Argument(help="Folder that all shards wrote to, or were copied to.")],
) -> None:
    """Join the finished shards of a data set; exit status as for annotate."""
    from fairhuman.data.annotation import merge as merge_folder

    _tell(merge_folder(out))


def _tell(done: "Annotation") -> None:
    report = json.loads((done.path / "report.json").read_text(encoding="utf-8"))
    typer.echo(
        f"{done.path}: {done.kept} kept, {done.filtered} filtered, {done.duplicates} duplicates, "
        f"{done.unreadable} unreadable (see report.json, rejected.jsonl and contact_sheet.jpg)"
    )
    for reason, count in report["filtered_why"].items():
        typer.echo(f"  filtered, {reason}: {count}")
    for region, areas in report["areas"].items():
        low, middle, high = (areas["quantiles"].get(share, 0) for share in ("0.05", "0.5", "0.95"))
        typer.echo(
            f"  {region}: in {areas['images']} images; area (5th percentile, median, 95th percentile): "
            f"{low:.2%}, {middle:.2%}, {high:.2%}"
        )
    if done.unreadable or not done.kept:
        raise typer.Exit(1)
