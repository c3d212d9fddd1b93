"""``python -m fairhuman annotate`` and ``merge``: a folder of photographs to a training set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhuman.commands import _annotation_options as option

if TYPE_CHECKING:
    from fairhuman.data.annotation import Annotation

_PADDING = "Share of its sides by which a box grows."


def annotate(
    command: typer.Context,
    photographs: Annotated[Path, typer.Argument(help="Folder, searched with its sub-folders.")],
    out: Annotated[Path, typer.Argument(help="Folder of the data set: new, or of the same settings.")],
    min_side: option.MinSide = 1024,
    min_person: option.MinPerson = 0.05,
    max_pixels: option.MaxPixels = 100_000_000,
    size: option.Size = None,
    threshold: option.Threshold = 0.5,
    scales: option.Scales = 2,
    mask: option.Mask = "box",
    face_padding: Annotated[float, typer.Option(help=_PADDING)] = 0.0,
    hand_padding: Annotated[float, typer.Option(help=_PADDING)] = 0.1,
    dilation: Annotated[float, typer.Option(help="Of masks: pixels at a shorter side of 1024.")] = 8.0,
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
    shard: Annotated[str | None, typer.Option(help="i/n does one of n shares; then merge.")] = None,
    workers: option.Workers = 1,
) -> None:
    """Find faces, hands and poses in photographs and write a training set; an interrupted run resumes.

    Captions come from the table, from a .txt beside the photograph, from the model, or are the same for all.
    Exit status: 0, every file could be read; 1, finished, but rejected.jsonl lists files that could not, or
    nothing was kept; 2, nothing was done, since what was asked for is wrong.
    """
    from fairhuman.data.annotation import Shard
    from fairhuman.data.annotation import annotate as annotate_folder

    settings = option.annotate_settings(command)
    share = None if shard is None else Shard.parse(shard)
    done = annotate_folder(photographs, out, settings, shard=share, workers=workers)
    if done is None:
        typer.echo(f"{out}: share {shard} is complete; when all are: python -m fairhuman merge {out}")
    else:
        _tell(done)


def merge(
    out: Annotated[Path, typer.Argument(help="Folder that all shares wrote to, or were copied to.")],
) -> None:
    """Complete a data set whose shares are done; exit status as for annotate."""
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
            f"  {region}: in {areas['images']} images; share of the image, 5 % to median to 95 %: "
            f"{low:.2%}, {middle:.2%}, {high:.2%}"
        )
    if done.unreadable or not done.kept:
        raise typer.Exit(1)
