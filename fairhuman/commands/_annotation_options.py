"""Options shared by ``annotate`` and ``fit``, each named after its setting."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fairhuman.data.annotation import AnnotateSettings

MinSide = Annotated[int, typer.Option(help="Minimum length of the shorter side, in pixels.")]
MinPerson = Annotated[float, typer.Option(help="Minimum fraction of the image that people cover.")]
MaxPixels = Annotated[int, typer.Option(help="Reject larger images before decoding.")]
Size = Annotated[int | None, typer.Option(help="Downscale the shorter side to this many pixels.")]
Threshold = Annotated[float, typer.Option(help="Minimum score of a face, hand or body.")]
Scales = Annotated[int, typer.Option(help="1: whole image and wrists; 2: also tiles; 3: also smaller tiles.")]
Mask = Annotated[str, typer.Option(help="box, or hull (of the landmarks).")]
Duplicates = Annotated[
    int, typer.Option(help="Maximum hash distance of duplicates, in bits of 64; -1 keeps duplicates.")
]
Captions = Annotated[Path | None, typer.Option(help="CSV or .jsonl file with file_name and text.")]
Caption = Annotated[str | None, typer.Option(help="Caption for photographs without one.")]
FolderNames = Annotated[
    bool, typer.Option("--folder-names", help="Read repeats and captions from folder names such as 10_a man.")
]
CaptionModel = Annotated[Path | None, typer.Option(help="Folder of a vision-language model for captions.")]
CaptionPrompt = Annotated[str | None, typer.Option(help="Prompt for the caption model.")]
FaceWeights = Annotated[Path | None, typer.Option(help="YOLO face weights, used in addition to MediaPipe.")]
HandWeights = Annotated[Path | None, typer.Option(help="YOLO hand weights, used in addition to MediaPipe.")]
Device = Annotated[str, typer.Option(help="Device of these models, such as cuda.")]
Workers = Annotated[int, typer.Option(help="Number of processes.")]


def annotate_settings(command: typer.Context) -> "AnnotateSettings":
    """The annotation settings from a command's options; settings without an option keep their defaults."""
    from fairhuman.data.annotation import AnnotateSettings

    given = {name: command.params[name] for name in AnnotateSettings.model_fields if name in command.params}
    return AnnotateSettings(**given)
