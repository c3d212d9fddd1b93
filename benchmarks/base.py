"""Judges a base on people it never saw: its autoencoder's ceiling, and what detectors find in its samples.

    python benchmarks/base.py HELDOUT [--base FOLDER] [--images 200] [--guidance 4] [--name base]

Writes results/base/<name>.json: peak signal-to-noise ratio of reconstructions, over the whole image and
inside the masks of faces and hands; detection rates on renders, on their reconstructions and on samples
drawn for their captions, with intervals and split by the region's area; the time per sampled image.
"""

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch

from fairhuman.data import HumanFolder
from fairhuman.evaluation import detect, estimate_mean, evaluate_detection, expected_regions
from fairhuman.figures import save
from fairhuman.models import load_base
from fairhuman.results import write_result
from fairhuman.sampling import sample
from fairhuman.sheet import contact_sheet

logger = logging.getLogger(__name__)


def main() -> None:
    arguments = _arguments()
    torch.set_flush_denormal(True)
    data = HumanFolder(arguments.heldout, regions=("face", "hand"))
    count = min(arguments.images, len(data))
    people = [data[index] for index in range(count)]
    pipeline = load_base(arguments.base)
    renders = np.stack([person.image for person in people])
    restored = reconstruct(pipeline, renders)
    began = time.perf_counter()
    drawn = sample(
        pipeline,
        data.captions[:count],
        arguments.out,
        seeds=(arguments.seed,),
        steps=arguments.steps,
        guidance=arguments.guidance,
        batch=8,
    )
    seconds = (time.perf_counter() - began) / count
    samples = [np.asarray(image.load().convert("RGB")) for image in drawn]
    truth = expected_regions(data.records[:count])
    figures = {
        "psnr": psnr_estimates(renders, restored, people),
        "seconds_per_image": seconds,
        "detection": [],
    }
    for system, images in (("renders", renders), ("reconstructions", restored), ("samples", samples)):
        table = evaluate_detection(detect(list(images), workers=2), truth, by_area=True)
        figures["detection"] += table.assign(system=system).to_dict("records")
        for row in table[(table.metric == "rate") & (table.area == "all")].itertuples():
            print(f"{system:16} {row.detector:11} {row.value:.3f} [{row.low:.3f}, {row.high:.3f}] n={row.n}")
    for region, estimate in figures["psnr"].items():
        print(f"PSNR {region:6} {estimate['value']:.2f} dB [{estimate['low']:.2f}, {estimate['high']:.2f}]")
    print(f"{seconds:.2f} s an image")
    parameters = {**vars(arguments), "heldout": Path(arguments.heldout).name, "out": None}
    parameters["base"] = "embedded" if arguments.base is None else Path(arguments.base).name
    print(
        write_result(
            "base", arguments.name, figures, parameters=parameters, samples=count, seed=arguments.seed
        )
    )
    if arguments.sheet:
        shown = min(arguments.sheet, count)
        sheet = contact_sheet(samples[:shown], data.captions[:shown], columns=8, tile=192)
        print(save(sheet, "base_samples", {"captions": data.captions[:shown]}))


@torch.no_grad()
def reconstruct(pipeline, images: np.ndarray, batch: int = 8) -> np.ndarray:
    """Images (count, h, w, 3) uint8 through the autoencoder and back."""
    restored = []
    for start in range(0, len(images), batch):
        pixels = torch.from_numpy(images[start : start + batch]).permute(0, 3, 1, 2).float() / 127.5 - 1
        output = pipeline.vae.decode(pipeline.vae.encode(pixels).latent_dist.mean).sample
        restored.append(
            ((output.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        )
    return np.concatenate(restored)


def psnr_estimates(images: np.ndarray, restored: np.ndarray, people) -> dict:
    """Mean over images of the peak signal-to-noise ratio in dB; of regions over the images that have them."""
    errors = ((images.astype(np.float64) - restored) ** 2).mean(axis=-1)
    ratios = {"image": [10 * np.log10(255**2 / max(error.mean(), 1e-9)) for error in errors]}
    for region in ("face", "hand"):
        inside = [person.masks[region] > 127 for person in people]
        ratios[region] = [
            10 * np.log10(255**2 / max(error[mask].mean(), 1e-9))
            for error, mask in zip(errors, inside, strict=True)
            if mask.any()
        ]
    return {region: estimate_mean(values).stored() for region, values in ratios.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("heldout", help="data set that the base was not trained on")
    parser.add_argument("--base", help="folder of the pipeline; by default the embedded one")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="judgement", help="name of the result")
    parser.add_argument("--out", help="keep the samples in this folder, and continue there if cut off")
    parser.add_argument("--sheet", type=int, default=0, help="save a contact sheet of so many samples")
    return parser.parse_args()


if __name__ == "__main__":
    main()
