"""Do regional metrics see regions? Renders spoiled in known steps, and every metric's verdict on them.

    python benchmarks/metric_order.py HELDOUT [--images 300] [--name metric_order]

The first half of the renders is the reference, the second half is judged: as it is, twice over, in another
order, and blurred in steps over faces only, hands only, or everything. Writes results/benchmarks/<name>.json:

- ``steps``: for each place and step the kernel distance of the attribute reader's features from the reference
  (whole images, heads, hands) and the detectors' rates and confidences, each with its interval, and in
  ``change`` the paired difference from the step before;
- ``ends``: the paired difference of the strongest blur from the images as they are, corrected for all of them
  (Bonferroni), with the ``verdict``: worse, better or not supported;
- ``same``: what the paired differences and distances say of identical and of reordered images;
- ``mismatched``: what metrics that need an image's prompt or boxes say of its own and of another's.

A metric of a region should be worse after the blur of that region and of everything, and not after the
other's.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairhuman.boxes import cut_square
from fairhuman.data import HumanFolder, HumanSample
from fairhuman.detectors import detect, match_regions
from fairhuman.evaluation import (
    compare_detection,
    evaluate_detection,
    expected_regions,
    kernel_distance,
    kernel_distance_difference,
)
from fairhuman.evaluation.reader import MARGINS, AttributeReader, caption_agreement
from fairhuman.evaluation.statistics import corrected_level
from fairhuman.experiments.degradation import PLACES, blur_region
from fairhuman.results import write_result

BOXES = {"head": ("face",), "hand": ("left_hand", "right_hand")}
LEAST_BOX = 12  # pixels, as the reader was trained
ESTIMATE = ("value", "low", "high", "n", "interval", "level")

Row = dict[str, Any]


def main() -> None:
    given = _arguments()
    data = HumanFolder(given.heldout, regions=("face", "hand"))
    people = [data[index] for index in range(min(given.images, len(data)))]
    half = len(people) // 2
    reference, judged = people[:half], people[half:]
    truth = expected_regions(data.records[half : len(people)])
    reader, looking = AttributeReader.load(), {"workers": given.workers, "cache": given.cache}
    base = features(reader, reference, [person.image for person in reference])
    clean = Seen(reader, judged, [person.image for person in judged], looking)
    unspoiled = rows(base, clean, truth)  # as many as there are differences at each place
    level = corrected_level(0.95, len(PLACES) * len(unspoiled))
    steps, ends = [], []
    for where in PLACES:
        before = clean
        steps += [{"where": where, "sigma": 0.0, "change": None, **row} for row in unspoiled]
        for sigma in given.sigmas:
            images = [blur_region(person, where, sigma) for person in judged]
            after = Seen(reader, judged, images, looking)
            changes = differences(base, before, after, truth, 0.95)
            for row in rows(base, after, truth):
                steps.append(
                    {"where": where, "sigma": sigma, **row, "change": changes[row["subject"], row["metric"]]}
                )
            before = after
        for (subject, metric), change in differences(base, clean, before, truth, level).items():
            end = {"where": where, "subject": subject, "metric": metric, **change}
            ends.append(end | {"verdict": verdict(end)})
    figures = {
        "steps": steps,
        "ends": ends,
        "same": same(reader, base, judged, clean, truth, given.seed),
        "mismatched": mismatched(reader, judged, clean, truth, given.seed),
    }
    show(figures)
    parameters = {**vars(given), "heldout": Path(given.heldout).name}
    del parameters["cache"]
    print(write_result("benchmarks", given.name, figures, parameters=parameters, samples=len(judged),
                       seed=given.seed))  # fmt: skip


class Seen:
    """Images with what the reader and the detectors make of them."""

    def __init__(self, reader, people: Sequence[HumanSample], images, looking: Row) -> None:
        self.features = features(reader, people, images)
        self.found = detect(images, **looking)


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


def rows(base: dict[str, np.ndarray], seen: Seen, truth: pd.DataFrame) -> list[Row]:
    """Every metric with its interval."""
    distances = [
        {"subject": view, "metric": "distance", **kernel_distance(base[view], seen.features[view]).stored()}
        for view in base
    ]
    table = evaluate_detection(seen.found, truth)
    return distances + [
        {"subject": row["detector"], "metric": row["metric"], **{name: row[name] for name in ESTIMATE}}
        for row in table.to_dict("records")
    ]


def differences(base, first: Seen, second: Seen, truth, level: float) -> dict[tuple[str, str], Row]:
    """Second less first, by subject and metric."""
    found = {}
    for view in base:
        change = kernel_distance_difference(
            base[view], first.features[view], second.features[view], level=level
        )
        found[view, "distance"] = change.stored() | {"supported": change.excludes(0)}
    table = compare_detection(first.found, second.found, truth, level=level)
    for row in table.to_dict("records"):
        found[row["detector"], row["metric"]] = {name: row[name] for name in (*ESTIMATE, "supported")}
    return found


def verdict(change: Row) -> str:
    """What a difference says: a distance is worse if it grows, all else if it falls."""
    if not change["supported"]:
        return "not supported"
    return "worse" if (change["value"] > 0) == (change["metric"] == "distance") else "better"


def same(reader, base, judged, clean: Seen, truth, seed: int) -> Row:
    """Identical images have no difference; in another order they have the same distance."""
    order = np.random.default_rng(seed).permutation(len(judged))
    mixed = features(reader, [judged[i] for i in order], [judged[i].image for i in order])
    changes = differences(base, clean, clean, truth, 0.95)
    return {
        "largest_difference_identical": max(abs(row["value"]) for row in changes.values()),
        "supported_identical": sum(row["supported"] for row in changes.values()),
        "largest_difference_shuffled": max(
            abs(kernel_distance(base[view], mixed[view], resamples=2).value
                - kernel_distance(base[view], clean.features[view], resamples=2).value)
            for view in base
        ),
    }  # fmt: skip


def mismatched(reader, judged, clean: Seen, truth, seed: int) -> list[Row]:
    """Caption agreement and detection in place, with an image's own captions and boxes and with another's."""
    order = np.random.default_rng(seed).permutation(len(judged))
    images = [person.image for person in judged]
    table = []
    for kind, places in (("own", range(len(judged))), ("another's", order)):
        others = [judged[i] for i in places]
        for row in caption_agreement(images, [o.text for o in others], reader=reader).to_dict("records"):
            table.append({"kind": kind, "metric": f"caption {row['attribute']}",
                          **{name: row[name] for name in ESTIMATE}})  # fmt: skip
        matched = match_regions(clean.found, [other.boxes for other in others])
        rates = evaluate_detection(matched, truth.iloc[list(places)].reset_index(drop=True))
        for row in rates[rates.metric == "rate"].to_dict("records"):
            table.append({"kind": kind, "metric": f"in place {row['detector']}",
                          **{name: row[name] for name in ESTIMATE}})  # fmt: skip
    return table


def show(figures: Row) -> None:
    for row in figures["ends"]:
        print(f"blur of {row['where']:5} {row['subject']:10} {row['metric']:22} {row['value']:+.4f} "
              f"[{row['low'] or 0:+.4f}, {row['high'] or 0:+.4f}] {row['verdict']}")  # fmt: skip
    print(figures["same"])
    for row in figures["mismatched"]:
        print(f"{row['metric']:22} {row['kind']:10} {row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]")


def _shorter(box) -> float:
    return min(box[2] - box[0], box[3] - box[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("heldout", help="rendered data set that the reader was not trained on")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[1.0, 2.0, 4.0], help="in pixels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", help="folder of earlier findings, for an interrupted run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="metric_order", help="name of the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
