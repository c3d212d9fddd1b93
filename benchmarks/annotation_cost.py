"""What annotation costs in addition to its calls of MediaPipe, in one process, on one core and in one run.

    python benchmarks/annotation_cost.py --count 24

Annotates rendered people as JPEG photographs, after one image that warms the graphs up. `overhead` is the
time of all that is done for each image over the time inside MediaPipe's calls for the same images: reading,
cutting tiles, judging, drawing masks and poses, hashing and writing are what is over. The report with its
contact sheet is made once per run, of at most 32 images however many there are, and stands apart
(`report_seconds`; `overhead_with_report` counts it among these few images). On a busy machine
`overhead_processor`, in processor seconds, is the one to trust. Writes
results/benchmarks/annotation_cost.json.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mediapipe.python.solution_base import SolutionBase
from PIL import Image

from fairhuman.data.annotation import AnnotateSettings, annotate
from fairhuman.data.store import _listing
from fairhuman.humans import generate
from fairhuman.results import write_result

SIZES = (512, 1024)
inside = [0.0, 0.0]  # seconds and processor seconds in MediaPipe's calls
reporting = [0.0, 0.0]  # and in the report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--preset", default="world")
    parser.add_argument("--renders", type=Path, help="folder of renders to take instead of new ones")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    SolutionBase.process = timed(SolutionBase.process, inside)
    _listing.write_report = timed(_listing.write_report, reporting)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        renders = given.renders or work / "humans"
        if given.renders is None:
            generate(renders, given.count, given.seed, max(SIZES), given.preset)
        images = sorted((renders / "images").iterdir())[: given.count]
        figures = {}
        for size in SIZES:
            photographs = work / str(size)
            photographs.mkdir()
            for path in images:
                with Image.open(path) as image:
                    picture = image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
                picture.save(photographs / f"{path.stem}.jpg", quality=92)
            for scales in (1, 2):
                figures[f"{size} pixels, scales {scales}"] = measure(photographs, work, scales)
    parameters = {"preset": given.preset, "sizes": SIZES}
    write_result(
        "benchmarks", "annotation_cost", figures, parameters=parameters, samples=len(images), seed=given.seed
    )
    print(json.dumps(figures, indent=1))


def measure(photographs: Path, work: Path, scales: int) -> dict:
    """Seconds an image, in all and in MediaPipe's calls."""
    settings = AnnotateSettings(
        min_side=1, min_person=0, duplicate_distance=-1, caption="a person", scales=scales
    )
    name = f"{photographs.name}-{scales}"
    few = work / f"{name}-few"
    few.mkdir()
    first = min(photographs.iterdir())
    (few / first.name).write_bytes(first.read_bytes())
    annotate(few, work / f"{name}-warm", settings, progress=False)
    inside[:] = reporting[:] = 0.0, 0.0
    start, start_processor = time.perf_counter(), time.process_time()
    done = annotate(photographs, work / name, settings, progress=False)
    total, processor = time.perf_counter() - start, time.process_time() - start_processor
    count = done.kept + done.filtered
    images, images_processor = total - reporting[0], processor - reporting[1]
    return {
        "images_per_second": count / images,
        "images_per_processor_second": count / images_processor,
        "mediapipe_images_per_second": count / inside[0],
        "overhead": images / inside[0],
        "overhead_processor": images_processor / inside[1],
        "overhead_with_report": total / inside[0],
        "report_seconds": reporting[0],
    }


def timed(function: Callable, seconds: list[float]) -> Callable:
    """The function, adding what its calls take to ``seconds``: of the clock, and of processors."""

    def call(*arguments, **options):
        start, start_processor = time.perf_counter(), time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            seconds[0] += time.perf_counter() - start
            seconds[1] += time.process_time() - start_processor

    return call


if __name__ == "__main__":
    main()
