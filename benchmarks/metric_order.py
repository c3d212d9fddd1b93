"""Do regional metrics see regions? Renders spoiled in known steps, and every metric's verdict on them.

    python benchmarks/metric_order.py HELDOUT [--images 300] [--name metric_order]

The first half of the renders is the reference, the second half is judged: as it is, shuffled, and blurred in
steps over faces only, hands only, or everything. Writes results/benchmarks/<name>.json: the kernel distance
of the attribute reader's features between reference and judged renders, for whole images, heads and hands,
and the detection rates, each with its interval; and the paired difference of each step from the one before.
A metric of a region should rise with the blur of that region (a rate should fall) and not with the other's.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from fairhuman.data import HumanFolder
from fairhuman.evaluation import (
    compare_detection,
    detect,
    evaluate_detection,
    expected_regions,
    kernel_distance,
    kernel_distance_difference,
)
from fairhuman.evaluation.reader import MARGINS, AttributeReader, cut_square
from fairhuman.results import write_result

BOXES = {"head": ("face",), "hand": ("left_hand", "right_hand")}
LEAST_BOX = 12  # pixels, as the reader was trained


def main() -> None:
    arguments = _arguments()
    data = HumanFolder(arguments.heldout, regions=("face", "hand"))
    people = [data[index] for index in range(min(arguments.images, len(data)))]
    half = len(people) // 2
    reference, judged = people[:half], people[half:]
    truth = expected_regions(data.records[half : len(people)])
    reader = AttributeReader.load()
    base = features(reader, reference, [person.image for person in reference])
    clean = [person.image for person in judged]
    order = np.random.default_rng(arguments.seed).permutation(len(judged))
    rows = [{"where": "shuffled", "sigma": 0.0, **row} for row in distances(
        base, features(reader, [judged[i] for i in order], [clean[i] for i in order])
    )]  # fmt: skip
    for where in ("face", "hand", "whole"):
        before = None
        for sigma in (0.0, *arguments.sigmas):
            images = [blurred(person, where, sigma) for person in judged]
            step = features(reader, judged, images), detect(images, workers=2)
            rows += judge(base, step, before, truth, where, sigma)
            before = step
    for row in rows:
        if row["change"] is not None or row["sigma"] == 0:
            print(f"{row['where']:9} σ={row['sigma']:<4g} {row['metric']:14} {row['value']:.4f} "
                  f"[{row['low']:.4f}, {row['high']:.4f}] {row['change'] or ''}")  # fmt: skip
    parameters = {**vars(arguments), "heldout": Path(arguments.heldout).name}
    print(write_result("benchmarks", arguments.name, {"steps": rows}, parameters=parameters,
                       samples=len(judged), seed=arguments.seed))  # fmt: skip


def blurred(person, where: str, sigma: float) -> np.ndarray:
    """The image with everything, or one region grown by four pixels, blurred by sigma pixels."""
    if sigma == 0:
        return person.image
    image = Image.fromarray(person.image)
    soft = image.filter(ImageFilter.GaussianBlur(sigma))
    if where == "whole":
        return np.asarray(soft)
    mask = Image.fromarray(person.masks[where]).filter(ImageFilter.MaxFilter(9))
    return np.asarray(Image.composite(soft, image, mask))


def features(reader: AttributeReader, people, images) -> dict[str, np.ndarray]:
    """Features of the whole images, and of the heads and hands where the annotation has them."""
    views = {"whole": reader.features(images)}
    for view, names in BOXES.items():
        crops = [
            cut_square(image, person.boxes[name], MARGINS[view])
            for person, image in zip(people, images, strict=True)
            for name in names
            if person.boxes.get(name) and _shorter(person.boxes[name]) >= LEAST_BOX
        ]
        views[view] = reader.features(crops, view)
    return views


def distances(base: dict[str, np.ndarray], judged: dict[str, np.ndarray]) -> list[dict]:
    """The kernel distance of each view."""
    return [
        {"metric": f"distance {view}", "change": None, **kernel_distance(base[view], judged[view]).stored()}
        for view in base
    ]


def judge(base, step, before, truth, where: str, sigma: float) -> list[dict]:
    """One row a metric, with the paired change from the step before."""
    rows = distances(base, step[0])
    rates = evaluate_detection(step[1], truth).query("metric == 'rate' and area == 'all'")
    rows += [
        {"metric": f"rate {row['detector']}", "change": None, **{
            key: row[key] for key in ("value", "low", "high", "n", "interval", "level")
        }} for row in rates.to_dict("records")
    ]  # fmt: skip
    if before is not None:
        changes = {
            f"distance {view}": kernel_distance_difference(
                base[view], before[0][view], step[0][view]
            ).stored()
            for view in base
        }
        compared = compare_detection(before[1], step[1], truth).query("metric == 'rate'")
        changes |= {
            f"rate {row['detector']}": {key: row[key] for key in ("value", "low", "high", "n")}
            for row in compared.to_dict("records")
        }
        for row in rows:
            row["change"] = changes[row["metric"]]
    return [{"where": where, "sigma": sigma, **row} for row in rows]


def _shorter(box) -> float:
    return min(box[2] - box[0], box[3] - box[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("heldout", help="rendered data set that the reader was not trained on")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[1.0, 2.0, 4.0], help="in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="metric_order", help="name of the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
