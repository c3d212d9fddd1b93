"""The raters' page: one self-contained file that needs no server."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path

from PIL import Image

from fairhuman.files import write_json, write_text

from ._ballot import QUESTIONS, Study

_TEMPLATE = Path(__file__).with_name("page.html")


def write_study(study: Study, folder: Path, *, title: str = "Which image is better?") -> tuple[Path, Path]:
    """Write ``ballot.html`` for the raters and ``key.json``, which you keep.

    The page contains the images as JPEG without metadata, under random names, and no system names. Send it to
    the raters, give each a different number, and collect the JSON files that it saves.

    Args:
        study: From :func:`build_study`.
        folder: Output folder; created if missing.
        title: Heading of the page.

    Returns:
        The page and the key.
    """
    content = {
        "study": study.fingerprint,
        "questions": dict(QUESTIONS),
        "trials": [{"name": t.name, "prompt": t.prompt, "images": list(t.images)} for t in study.trials],
        "ballots": study.key()["ballots"],
        "images": {name: _data_uri(image) for name, image in study.images.items()},
    }
    # "</" would end the script that holds the data.
    data = json.dumps(content, ensure_ascii=False).replace("</", "<\\/")
    page = _TEMPLATE.read_text(encoding="utf-8").replace("{{title}}", html.escape(title))
    key = study.key() | {"study": study.fingerprint}
    return (
        write_text(folder / "ballot.html", page.replace("{{data}}", data)),
        write_json(folder / "key.json", key),
    )


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "jpeg", quality=92, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
