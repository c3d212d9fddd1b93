"""The review page: a single offline file next to the images."""

from __future__ import annotations

import html
import json
import shlex
from pathlib import Path
from typing import Any

from fairhuman.data._record import read_record
from fairhuman.data.store import METADATA, REGIONS, Shard, region_boxes
from fairhuman.files import write_text

__all__ = ["write_page"]

_TEMPLATE = Path(__file__).with_name("page.html")
_MARK = '<script type="application/json" id="data">'
_MOST = 50_000  # images that one page holds without becoming slow to open


def write_page(data: Path, part: tuple[int, int] | None = None, out: Path | None = None) -> Path:
    """Write ``review.html`` into a data set's folder, where it shows the set's images.

    Args:
        data: Folder with ``metadata.jsonl``, face and hand masks, and boxes.
        part: (i, n) shows only the i-th of n parts, counted from 1, in ``review-i-of-n.html``.
        out: Another folder for the page, if the data set is read-only; the page then works only on this
            machine.

    Raises:
        FileNotFoundError: The folder, the listing or a listed file is missing.
        ValueError: A line is invalid or leaves the folder, there are too many images for one page, or another
            file has the page's name.
    """
    share = Shard(1, 1) if part is None else Shard.parse("{}/{}".format(*part))
    listing = data / METADATA
    if not listing.is_file():
        raise FileNotFoundError(f"data: {data} has no metadata.jsonl")
    lines = [line for line in listing.read_text(encoding="utf-8").split("\n") if line.strip()]
    start, end = (len(lines) * index // share.count for index in (share.index - 1, share.index))
    if not start < end:
        raise ValueError(f"part: {data} holds {len(lines)} images, of which {part or 'the whole'} has none")
    if end - start > _MOST:
        parts = -(-len(lines) // _MOST)
        raise ValueError(f"part: a page holds at most {_MOST} images, got {end - start}; use 1/{parts} …")
    entries = [
        _entry(line, f"{listing}, line {number}", data)
        for number, line in enumerate(lines[start:end], start + 1)
    ]
    place = data if out is None else out
    name = "review.html" if share.count == 1 else f"review-{share.index}-of-{share.count}.html"
    root = "" if out is None else f"{data.resolve().as_uri()}/"
    content = {"dataset": str(data.resolve()), "root": root, "entries": entries}
    replaced = {
        "{{title}}": html.escape(f"Annotations of {data.resolve().name}"),
        "{{command}}": html.escape(
            f"python -m fairhuman review {shlex.quote(str(data))} --apply review.json"
        ),
        # "</script" would end the script that holds the data, "<!--<script" keep it from ending.
        "{{data}}": json.dumps(content, ensure_ascii=False).replace("<", "\\u003c"),
    }
    page = _TEMPLATE.read_text(encoding="utf-8")
    for mark, text in replaced.items():
        page = page.replace(mark, text)
    if (place / name).exists() and _MARK not in (place / name).read_text(encoding="utf-8", errors="replace"):
        raise ValueError(f"out: must not hold another {name}, got {place}")
    return write_text(place / name, page)


def _entry(line: str, place: str, data: Path) -> dict[str, Any]:
    record = read_record(line, place, data, REGIONS, ())
    entry = record.metadata
    if not {"width", "height"} <= entry.keys():
        raise ValueError(f"{place}: needs 'width' and 'height' for a page")
    return {
        **{key: entry[key] for key in ("file_name", "text", "width", "height")},
        "original": entry.get("original", entry["file_name"]),
        **{f"{region}_mask": entry[f"{region}_mask_file_name"] for region in REGIONS},
        "pose": entry.get("pose_file_name"),
        **{region: region_boxes(entry, region) for region in REGIONS},
        "unconfirmed": {region: entry.get(f"unconfirmed_{region}_boxes", []) for region in REGIONS},
    }
