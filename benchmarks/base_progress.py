"""What detectors find in samples of a base at several stages of its training.

    python benchmarks/base_progress.py HELDOUT --runs FOLDER FOLDER ... [--images 100]

Each FOLDER is a run of `python -m fairhuman train base` as it stood at some time: its settings, latents and
the UNet's checkpoint; of a run that went on from another, --before says how many images had been seen by
then. Writes results/base/progress.json: detection rates with intervals, on the captions of
the last images of HELDOUT, beside those of the renders themselves.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from fairhuman.data import HumanFolder
from fairhuman.detectors import detect
from fairhuman.evaluation import evaluate_detection, expected_regions
from fairhuman.results import write_result
from fairhuman.sampling import sample
from fairhuman.training.base import BaseSettings, load_training, views_seen


def main() -> None:
    arguments = _arguments()
    torch.set_flush_denormal(True)
    data = HumanFolder(arguments.heldout, regions=("face", "hand"))
    judged = range(len(data))[-arguments.images :]
    records = [data.records[index] for index in judged]
    captions = [data.captions[index] for index in judged]
    truth = expected_regions(records)
    figures = {"renders": _rates([data[index].image for index in judged], truth), "detection": []}
    for run in arguments.runs:
        pipeline, _ = load_training(run)
        settings = BaseSettings.from_yaml(f"{run}/settings.yaml")
        seen = views_seen(Path(run) / "denoiser") + (arguments.before if settings.start else 0)
        drawn = sample(pipeline, captions, None, seeds=(0,), steps=30, guidance=arguments.guidance, batch=8)
        images = [np.asarray(image.load().convert("RGB")) for image in drawn]
        for row in _rates(images, truth):
            figures["detection"].append(row | {"images_seen": seen})
            print(f"{seen:7} images, {row['detector']}: {row['value']:.3f} n={row['n']}", flush=True)
    parameters = {"images": len(judged), "steps": 30, "guidance": arguments.guidance}
    print(write_result("base", "progress", figures, parameters=parameters, samples=len(judged), seed=0))


def _rates(images: list[np.ndarray], truth) -> list[dict]:
    table = evaluate_detection(detect(images, workers=2), truth)
    chosen = (table.metric == "rate") & (table.area == "all") & table.detector.isin(["face", "hand"])
    return table[chosen].to_dict("records")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("heldout", help="data set that the base was not trained on")
    parser.add_argument("--runs", nargs="+", required=True, help="folders of the run at several stages")
    parser.add_argument(
        "--before", type=int, default=0, help="images seen by the start of runs that have one"
    )
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--guidance", type=float, default=4.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
