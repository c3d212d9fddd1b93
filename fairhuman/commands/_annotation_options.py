"""Options shared by ``annotate`` and ``fit``, each named as its setting."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fairhuman.data.annotation import AnnotateSettings

MinSide = Annotated[int, typer.Option(help="Least length of the shorter side in pixels.")]
MinPerson = Annotated[float, typer.Option(help="Least share of the image that people take.")]
MaxPixels = Annotated[int, typer.Option(help="More are refused before decoding.")]
Size = Annotated[int | None, typer.Option(help="Scale the shorter side down to this.")]
Threshold = Annotated[float, typer.Option(help="Least score of a face, hand or body.")]
Scales = Annotated[int, typer.Option(help="1: whole and wrists; 2: also tiles; 3: smaller ones.")]
Mask = Annotated[str, typer.Option(help="box, or hull: of landmarks.")]
Duplicates = Annotated[int, typer.Option(help="Bits of 64; -1 keeps duplicates.")]
Captions = Annotated[Path | None, typer.Option(help="CSV or .jsonl with file_name and text.")]
Caption = Annotated[str | None, typer.Option(help="For photographs without another caption.")]
FolderNames = Annotated[bool, typer.Option("--folder-names", help="Repeats and words of folders: 10_a man.")]
CaptionModel = Annotated[Path | None, typer.Option(help="Folder of a vision-language model.")]
CaptionPrompt = Annotated[str | None, typer.Option(help="Prompt of that model.")]
FaceWeights = Annotated[Path | None, typer.Option(help="YOLO weights, beside MediaPipe.")]
HandWeights = Annotated[Path | None, typer.Option(help="YOLO weights, beside MediaPipe.")]
Device = Annotated[str, typer.Option(help="Where these models run, such as cuda.")]
Workers = Annotated[int, typer.Option(help="Number of processes.")]


def annotate_settings(command: typer.Context) -> "AnnotateSettings":
    """The settings of annotation that a command's options hold; one without an option has its default."""
    from fairhuman.data.annotation import AnnotateSettings

    given = {name: command.params[name] for name in AnnotateSettings.model_fields if name in command.params}
    return AnnotateSettings(**given)
