"""How long the evaluation of images takes, all offline metrics, nothing cached.

    python benchmarks/evaluate.py DATA [--counts 128 300] [--workers 2] [--extrapolate 1000]

DATA is an annotated data set; its first images are judged as if they had been generated from their own
captions, poses and depths, against its last: detectors, in place and in crops, poses, feature distances,
caption agreement. Writes results/benchmarks/evaluate.json: seconds at each count and, by the straight line
through the first and the last, at the count to extrapolate to. Detection and reading, which are nearly all of
it, are linear in the images; the kernel distance is quadratic and is timed apart at that count, on random
features.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from fairhuman.evaluation import kernel_distance
from fairhuman.evaluation.evaluate import EvaluateSettings, evaluate_folders
from fairhuman.results import write_result


def main() -> None:
    given = _arguments()
    lines = (Path(given.data) / "metadata.jsonl").read_text().splitlines()
    settings = EvaluateSettings(posed=True, workers=given.workers, progress=False)
    seconds, measured = {}, {}
    with tempfile.TemporaryDirectory() as place:
        for count in given.counts:
            own, rest = Path(place) / f"own-{count}", Path(place) / f"rest-{count}"
            subset(Path(given.data), lines[:count], own)
            subset(Path(given.data), lines[-given.reference :], rest)
            start = time.perf_counter()
            found = evaluate_folders([own], reference=rest, asked=own, settings=settings)
            seconds[count] = time.perf_counter() - start
            measured[count] = sum(row["n"] > 0 for row in found["rows"])
            print(f"{count} images: {seconds[count]:.1f} s, {measured[count]} rows", flush=True)
    first, last = min(seconds), max(seconds)
    slope = (seconds[last] - seconds[first]) / (last - first)
    line = seconds[last] + slope * (given.extrapolate - last)
    features = np.random.default_rng(0).normal(size=(2, given.extrapolate, 208))
    start = time.perf_counter()
    kernel_distance(*features)
    kernel = time.perf_counter() - start
    figures = {
        "seconds": seconds,
        "rows": measured,
        "seconds_an_image": slope,
        "extrapolated": {"images": given.extrapolate, "seconds": line, "one_kernel_distance": kernel},
    }
    parameters = {**vars(given), "data": Path(given.data).name}
    print(figures)
    print(write_result("benchmarks", "evaluate", figures, parameters=parameters, samples=last, seed=0))


def subset(data: Path, lines: list[str], out: Path) -> None:
    """A data set of some lines of another; its files are linked."""
    out.mkdir()
    (out / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    for folder in data.iterdir():
        if folder.is_dir():
            shutil.copytree(folder, out / folder.name, copy_function=_link)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="annotated data set")
    parser.add_argument("--counts", type=int, nargs="+", default=[128, 300])
    parser.add_argument("--reference", type=int, default=100, help="images of the reference, the last ones")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--extrapolate", type=int, default=1000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
