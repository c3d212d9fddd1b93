"""Kills a short training run at random moments, resumes it, and compares the bits of what it ends with.

    python benchmarks/kills.py [--kills 20] [--strategy mpd] [--steps 40] [--seed 0]

The base is a tiny random pipeline, the images are random. Each attempt is a process of its own, killed
(SIGKILL) after a random time: while it loads, between steps, or while it writes. A run that reaches its end
is compared with one that was never interrupted, and the next one is begun, until there were enough kills.
Writes ``results/benchmarks/kills.json``.
"""

import argparse
import multiprocessing
import random
import shutil
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from fairhuman.results import write_result
from fairhuman.training import Run, TrainSettings, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--strategy", default="mpd")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = small_run(Path(folder), steps=given.steps, strategy=given.strategy)
        figures = survive(settings, given.kills, given.seed)
    path = write_result(
        "benchmarks", "kills", figures, parameters=vars(given), samples=figures["kills"], seed=given.seed
    )
    print(f"{path}: {figures}")


def small_run(folder: Path, **changes: object) -> TrainSettings:
    """Settings of a run of a second or two, with its data and its base below ``folder``."""
    from fairhuman.models import tiny_pipeline

    tiny_pipeline(seed=0).save_pretrained(folder / "base")
    write_people(folder / "people", 6)
    values = {
        "data": folder / "people", "heldout": folder / "people", "base": str(folder / "base"),
        "output": folder / "whole", "resolution": 64, "batch_size": 2, "rank": 4, "flip": 0.5,
        "learning_rate": 1e-3, "checkpoint_every": 2, "heldout_every": 5, "heldout_draws": 1,
    }  # fmt: skip
    return TrainSettings(**values | changes)


def write_people(folder: Path, count: int) -> None:
    """Random images of 64², each with a box for a face and one for a hand."""
    import json

    import numpy as np
    from PIL import Image

    lines, chance = [], np.random.default_rng(0)
    for index in range(count):
        grids = {"images": chance.integers(0, 256, (64, 64, 3), dtype=np.uint8)}
        for name in ("face_masks", "hand_masks"):
            top, left = chance.integers(0, 40, 2)
            grids[name] = np.zeros((64, 64), dtype=np.uint8)
            grids[name][top : top + 20, left : left + 20] = 255
        for name, grid in grids.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(grid).save(folder / name / f"{index}.png")
        masks = {f"{name}_mask_file_name": f"{name}_masks/{index}.png" for name in ("face", "hand")}
        lines.append({"file_name": f"images/{index}.png", "text": f"person {index}"} | masks)
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def survive(settings: TrainSettings, kills: int, seed: int = 0) -> dict[str, object]:
    """Kill and resume until there were ``kills`` kills and the last run has ended.

    Returns:
        ``kills``, ``runs`` (that ended after kills), ``resumed_at`` (steps in the log at each kill),
        ``identical`` (whether all ended with the bits, the log and the held-out losses of the whole run).
    """
    # Children are forked from a server that has the libraries loaded but has run nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "fairhuman.models", "fairhuman.training._loop"])
    chance = random.Random(seed)
    _attempt(context, settings.changed(steps=1, output=f"{settings.output}-first"), None)  # starts the server
    begun = time.perf_counter()
    _attempt(context, settings, None)
    longest = time.perf_counter() - begun
    whole = Run(Path(settings.output), settings)
    cut = settings.changed(output=str(Path(settings.output).with_name("cut")))
    done, runs, places, identical = 0, 0, [], True
    while done < kills:
        shutil.rmtree(cut.output, ignore_errors=True)
        finished = False
        while not finished:
            # Short enough that a run is killed several times before it gets to its end.
            delay = chance.uniform(0, longest) if done < kills else None
            finished = _attempt(context, cut, delay)
            if not finished:
                done += 1
                places.append(len(Run(Path(cut.output), cut).log))
        runs += 1
        identical = identical and _same(whole, Run(Path(cut.output), cut))
    return {"kills": done, "runs": runs, "resumed_at": places, "identical": identical}


def _attempt(
    context: multiprocessing.context.BaseContext, settings: TrainSettings, delay: float | None
) -> bool:
    """Whether the run ended within ``delay`` seconds; otherwise it was killed."""
    process = context.Process(target=_train, args=(settings,))
    process.start()
    process.join(delay)
    if process.is_alive():
        process.kill()
        process.join()
    if process.exitcode not in (0, -9):
        raise RuntimeError(f"the run in {settings.output} failed with exit status {process.exitcode}")
    return process.exitcode == 0


def _train(settings: TrainSettings) -> None:
    torch.set_num_threads(1)  # bits may depend on how work is split over threads
    train(settings, progress=False)


def _same(first: Run, second: Run) -> bool:
    mine, other = load_file(first.weights), load_file(second.weights)
    logs = [[line | {"seconds": 0} for line in run.log] for run in (first, second)]
    return (
        mine.keys() == other.keys()
        and all(torch.equal(tensor, other[name]) for name, tensor in mine.items())
        and logs[0] == logs[1]
        and first.heldout == second.heldout
    )


if __name__ == "__main__":
    main()
