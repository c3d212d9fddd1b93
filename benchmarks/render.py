"""How many images per second one core renders, with all annotations and files written.

    python benchmarks/render.py --count 200 --size 256 --preset studio

Prints the conditions and the rate as JSON and writes results/benchmarks/render.json. Importing,
compiling and the first image are left out: they are paid once, whatever the number of images.
"""

import argparse
import json
import logging
import os
import platform
import tempfile
import time
from pathlib import Path

# One core: before anything that starts threads is imported.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"


def main() -> None:
    from fairhuman.humans import generate
    from fairhuman.results import write_result

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="studio")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    options = {"seed": given.seed, "size": given.size, "preset": given.preset, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "humans"
        generate(out, 1, **options)
        load, start, used = os.getloadavg()[0], time.perf_counter(), time.process_time()
        generate(out, 1 + given.count, **options)
        seconds, processor = time.perf_counter() - start, time.process_time() - used
        size = sum(path.stat().st_size for path in out.rglob("*.png"))
    figures = {
        "images_per_second": given.count / seconds,
        "images_per_processor_second": given.count / processor,
        "seconds": seconds,
        "processor_seconds": processor,
        "kilobytes_per_image": size / 1000 / (1 + given.count),
        "load_before": load,
        "processor": _processor(),
    }
    write_result(
        "benchmarks", "render", figures, parameters=vars(given), samples=given.count, seed=given.seed
    )
    print(json.dumps({"parameters": vars(given), "values": figures}, indent=1))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
