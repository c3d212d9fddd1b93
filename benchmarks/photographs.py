"""What annotation finds in photographs: renders are taken for photographs, since their boxes are exact.

Intervals resample whole images, for the hands of one image are not independent.

    python benchmarks/photographs.py --work /tmp/photographs

Renders people, annotates the images with `fairhuman.data.annotation`, and compares boxes and keypoints with
the exact ones, by area; beside it stands one MediaPipe pass over each whole image. Renders and annotation
stay in the folder given, so that an interrupted run resumes. Writes results/benchmarks/photographs.json.
"""

import argparse
import json
import logging
from pathlib import Path

import numpy as np

from fairhuman.boxes import iou
from fairhuman.data import HumanFolder
from fairhuman.data.annotation import AnnotateSettings, annotate
from fairhuman.data.store import padded
from fairhuman.detectors import detect
from fairhuman.evaluation import estimate_ratio
from fairhuman.humans import generate
from fairhuman.results import write_result

AREAS = (0.0, 0.002, 0.01, 1.0)  # bounds, as shares of the image
BOXES = {"face": ("face_box",), "hand": ("left_hand_box", "right_hand_box")}
MATCH = 0.3  # least IoU of a found box with the exact one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for renders and their annotation")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--preset", default="world")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--scales", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)

    renders, out = given.work / "renders", given.work / "annotated"
    generate(renders, given.count, given.seed, given.size, given.preset, given.workers)
    truth = [record.metadata for record in HumanFolder(renders).records]
    settings = AnnotateSettings(
        min_side=1, min_person=0, duplicate_distance=-1, caption="a person", scales=given.scales
    )
    annotate(renders / "images", out, settings, workers=given.workers, progress=False)
    found = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    plain = detect([renders / entry["file_name"] for entry in truth], workers=given.workers)

    names = [Path(entry["file_name"]).name for entry in truth]
    by_name = {entry["original"]: entry for entry in found}
    nothing = {"face_boxes": [], "hand_boxes": [], "keypoints": None}  # of images without anybody found
    annotated = [by_name.get(name, nothing) for name in names]
    single = [whole_image_pass(image, settings) for image in plain]
    figures = {
        "annotation": compare(truth, annotated),
        "one_whole_image_pass": compare(truth, single),
        "pose_error": pose_error(truth, annotated),
        "match": MATCH,
    }
    parameters = {name: value for name, value in vars(given).items() if name not in ("work", "workers")}
    write_result(
        "benchmarks", "photographs", figures, parameters=parameters, samples=given.count, seed=given.seed
    )
    print(json.dumps({"parameters": parameters, "values": figures}, indent=1))


def whole_image_pass(image, settings: AnnotateSettings) -> dict:
    """The boxes of one pass of the full-range face model and the hand model, padded as annotation pads."""
    regions = (
        ("face_boxes", image.faces, settings.face_padding),
        ("hand_boxes", image.hands, settings.hand_padding),
    )
    return {
        region: [
            box for item in items if (box := padded(item.box, padding, image.width, image.height)) is not None
        ]
        for region, items, padding in regions
    }


def compare(truth: list[dict], found: list[dict]) -> dict:
    """Recall by area, precision and IoU of the boxes of each region."""
    figures = {}
    for region, keys in BOXES.items():
        rows, right, total = [], np.zeros(len(truth)), np.zeros(len(truth))
        for image, (entry, annotation) in enumerate(zip(truth, found, strict=True)):
            left = list(annotation[f"{region}_boxes"])
            total[image] = len(left)
            for box in filter(None, (entry[key] for key in keys)):
                area = (box[2] - box[0]) * (box[3] - box[1]) / (entry["width"] * entry["height"])
                best = max(left, key=lambda other, box=box: iou(box, other), default=None)
                overlap = iou(box, best) if best else 0.0
                if overlap > MATCH:
                    left.remove(best)
                    right[image] += 1
                rows.append((image, area, overlap if overlap > MATCH else np.nan))
        images, areas, overlaps = np.array(rows).reshape(-1, 3).T
        hits = ~np.isnan(overlaps)
        recall = {"all": share(hits, images)}
        for low, high in zip(AREAS, AREAS[1:], strict=False):
            chosen = (areas >= low) & (areas < high)
            recall[f"{low:g} to {high:g}"] = share(hits[chosen], images[chosen])
        figures[region] = {
            "recall": recall,
            "precision": estimate_ratio(right, total).stored(),
            "median_iou": float(np.median(overlaps[hits])) if hits.any() else None,
        }
    return figures


def share(hits: np.ndarray, images: np.ndarray) -> dict | None:
    """The share of regions found, with its interval over the images that they are in; None for nothing."""
    places = np.unique(images, return_inverse=True)[1]
    totals, counts = np.bincount(places, hits), np.bincount(places)
    return estimate_ratio(totals, counts).stored() | {"regions": len(hits)} if len(hits) else None


def pose_error(truth: list[dict], found: list[dict]) -> dict:
    """Distances, in pixels, between exact and found places of the visible joints of found bodies."""
    errors, shares, bodies = [], [], 0
    for entry, annotation in zip(truth, found, strict=True):
        if annotation["keypoints"] is None:
            continue
        bodies += 1
        exact, placed = np.array(entry["keypoints"]), np.array(annotation["keypoints"])
        both = (exact[:, 2] == 2) & (placed[:, 2] == 2)
        errors += np.hypot(*(exact - placed)[both, :2].T).tolist()
        shares.append(both.sum() / max(1, (exact[:, 2] == 2).sum()))
    return {
        "bodies": bodies,
        "joints": len(errors),
        "pixels": dict(zip(("q25", "median", "q75"), np.quantile(errors, (0.25, 0.5, 0.75)), strict=True)),
        "visible_joints_found": float(np.mean(shares)),
    }


if __name__ == "__main__":
    main()
