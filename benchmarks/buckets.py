"""Throughput of training on photographs of many proportions, over that on squares.

    python benchmarks/buckets.py [--base FOLDER] [--resolution 256] [--batch 4] [--steps 24] [--repeats 5]

Writes ``results/benchmarks/buckets.json``. One set holds squares, the other, with buckets, as many images of
the proportions that cameras have (1:1, 5:4, 4:3, 3:2, 16:9, lying and standing). All are encoded beforehand:
what is measured is steps. In every repeat both sets take their turn, in changing order. Buckets have somewhat
fewer pixels than the square, so throughput is in pixels a second; ratios are taken within the repeat, and
their median is reported with the quartiles.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fairhuman.data import Buckets, HumanFolder
from fairhuman.files import write_lines
from fairhuman.models import tiny_pipeline
from fairhuman.results import write_result
from fairhuman.training import Run, TrainSettings
from fairhuman.training._loop import Trainer

PROPORTIONS = ((1, 1), (5, 4), (4, 5), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))
EACH = 4  # images of each proportions


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", help='folder of a pipeline, or "tiny"; by default the embedded base')
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--step", type=int, default=32, help="of the buckets' sides, in pixels")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=24, help="of each set in a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)

    with tempfile.TemporaryDirectory() as folder:
        trainers = {name: trainer_of(Path(folder), name, given) for name in ("square", "mixed")}
        speeds: dict[str, list[float]] = {name: [] for name in trainers}
        for repeat in range(given.repeats):
            for name in list(trainers)[:: 1 if repeat % 2 else -1]:
                speeds[name].append(speed(trainers[name], given))
        sizes = trainers["mixed"].objectives.order.sizes
    low, middle, high = np.quantile(np.divide(speeds["mixed"], speeds["square"]), [0.25, 0.5, 0.75])
    figures = {
        "pixels_per_second": {name: float(np.median(values)) for name, values in speeds.items()},
        "mixed_over_square": {"median": middle, "quartile_1": low, "quartile_3": high},
        "buckets": sizes,
    }
    path = write_result(
        "benchmarks", "buckets", figures, parameters=vars(given), samples=given.repeats, seed=given.seed
    )
    print(f"{path}: {json.dumps(figures['mixed_over_square'])}")


def trainer_of(folder: Path, name: str, given: argparse.Namespace) -> Trainer:
    """A run on one of the sets, with everything encoded."""
    square, base = given.resolution, given.base
    sizes = [(square, square)] * (EACH * len(PROPORTIONS))
    if name == "mixed":
        buckets = Buckets((square,), given.step)
        sizes = [
            buckets.nearest((1000 * high, 1000 * wide)) for high, wide in PROPORTIONS for _ in range(EACH)
        ]
    write_people(folder / name, sizes, given.seed)
    if base == "tiny":
        base = str(folder / "base")
        tiny_pipeline(seed=given.seed).save_pretrained(base)
    further = {"buckets": True, "bucket_step": given.step} if name == "mixed" else {}
    settings = TrainSettings(
        data=str(folder / name), output=str(folder / f"run-{name}"), base=base, resolution=square,
        batch_size=given.batch, steps=given.steps * given.repeats + 1, seed=given.seed, **further,
    )  # fmt: skip
    trainer = Trainer(Run(Path(settings.output), settings), HumanFolder(settings.data))
    for index in range(len(sizes)):
        trainer.examples.draw(index, torch.Generator().manual_seed(0))
    trainer.advance()
    return trainer


def write_people(folder: Path, sizes: list[tuple[int, int]], seed: int) -> None:
    """Noise of these sizes, with a face in its middle and a hand beneath."""
    random, entries = np.random.default_rng(seed), []
    (folder / "images").mkdir(parents=True)
    for number, (height, width) in enumerate(sizes):
        masks = np.zeros((2, height, width), dtype=np.uint8)
        masks[0, height // 4 : height // 2, width // 3 : 2 * width // 3] = 255
        masks[1, 3 * height // 4 :, width // 3 : width // 2] = 255
        grids = {"": random.integers(0, 256, (height, width, 3), dtype=np.uint8)}
        grids |= {"face_mask_": masks[0], "hand_mask_": masks[1]}
        names = {f"{key}file_name": f"images/{number}{key}.png" for key in grids}
        for name, grid in zip(names.values(), grids.values(), strict=True):
            Image.fromarray(grid).save(folder / name)
        entries.append(names | {"text": f"person {number}"})
    write_lines(folder / "metadata.jsonl", entries)


def speed(trainer: Trainer, given: argparse.Namespace) -> float:
    """Pixels a second over the steps of a repeat."""
    pixels, begun = 0, time.perf_counter()
    for _ in range(given.steps):
        height, width = trainer.advance().get("size", [given.resolution] * 2)
        pixels += given.batch * height * width
    return pixels / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
