"""Judges a base on people it never saw: its autoencoder's ceiling, and what detectors find in its samples.

    python benchmarks/base.py HELDOUT [--training TRAIN] [--base FOLDER | --run FOLDER] [--images 200]

Writes results/base/<name>.json: peak signal-to-noise ratio of reconstructions, over the whole image and
inside the masks of faces and hands; detection rates on renders, on their reconstructions and on samples
drawn for their captions, with intervals and split by the region's area; agreement of samples and renders
with their captions, as the attribute reader sees them; distances of samples and of held-out renders to the
nearest training image; the time per sampled image. With --run, the base is the state of a training's latest
checkpoint, so that these figures can be followed while it trains.
"""

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch

from fairhuman.data import HumanFolder
from fairhuman.detectors import detect
from fairhuman.evaluation import estimate_mean, evaluate_detection, expected_regions
from fairhuman.evaluation.reader import AttributeReader, caption_agreement
from fairhuman.experiments.figures import save
from fairhuman.experiments.memorisation import compare_to_training, pixel_vectors
from fairhuman.models import load_base
from fairhuman.results import write_result
from fairhuman.sampling import sample
from fairhuman.sheet import contact_sheet
from fairhuman.training.base import load_training

logger = logging.getLogger(__name__)


def main() -> None:
    arguments = _arguments()
    torch.set_flush_denormal(True)
    data = HumanFolder(arguments.heldout, regions=("face", "hand"))
    judged = range(len(data))[arguments.skip :][: arguments.images]
    people, records = ([part[index] for index in judged] for part in (data, data.records))
    captions, count = [data.captions[index] for index in judged], len(judged)
    pipeline, trained = (
        (load_base(arguments.base), None) if arguments.run is None else load_training(arguments.run)
    )
    renders = np.stack([person.image for person in people])
    restored = reconstruct(pipeline, renders)
    began = time.perf_counter()
    drawn = sample(
        pipeline,
        captions,
        arguments.out,
        seeds=(arguments.seed,),
        steps=arguments.steps,
        guidance=arguments.guidance,
        batch=8,
    )
    seconds = (time.perf_counter() - began) / count
    samples = [np.asarray(image.load().convert("RGB")) for image in drawn]
    truth = expected_regions(records)
    figures = {
        "psnr": psnr_estimates(renders, restored, people),
        "seconds_per_image": seconds,
        "denoiser_steps": trained,
        "detection": [],
        "agreement": [],
    }
    for system, images in (("renders", renders), ("samples", samples)):
        table = caption_agreement(list(images), captions)
        figures["agreement"] += table.assign(system=system).to_dict("records")
        for row in table.itertuples():
            print(f"{system:16} {row.attribute:11} {row.value:.3f}, chance {row.chance:.3f} n={row.n}")
    if arguments.training:
        training = HumanFolder(arguments.training, regions=())
        figures["memorisation"] = memorisation(samples, renders, training)
        for view, found in figures["memorisation"].items():
            print(f"{view}: {found['nearer']['value']:.3f} of samples nearer than 95 % of held-out renders")
    for system, images in (("renders", renders), ("reconstructions", restored), ("samples", samples)):
        table = evaluate_detection(detect(list(images), workers=2), truth, by_area=True)
        figures["detection"] += table.assign(system=system).to_dict("records")
        for row in table[(table.metric == "rate") & (table.area == "all")].itertuples():
            print(f"{system:16} {row.detector:11} {row.value:.3f} [{row.low:.3f}, {row.high:.3f}] n={row.n}")
    for region, estimate in figures["psnr"].items():
        print(f"PSNR {region:6} {estimate['value']:.2f} dB [{estimate['low']:.2f}, {estimate['high']:.2f}]")
    print(f"{seconds:.2f} s an image")
    parameters = {**vars(arguments), "out": None}
    for name in ("heldout", "training", "base", "run"):
        parameters[name] = Path(parameters[name]).name if parameters[name] else None
    print(
        write_result(
            "base", arguments.name, figures, parameters=parameters, samples=count, seed=arguments.seed
        )
    )
    if arguments.sheet:
        shown = min(arguments.sheet, count)
        sheet = contact_sheet(samples[:shown], captions[:shown], columns=8, tile=192)
        print(save(sheet, "base_samples", {"captions": captions[:shown]}))
        if arguments.training:
            sheet, words = nearest_sheet(samples[:16], figures["memorisation"], training)
            print(save(sheet, "base_nearest", {"words": words}))


def memorisation(samples: list[np.ndarray], renders: np.ndarray, training: HumanFolder) -> dict:
    """Distances to the nearest training image, in pixels and in the attribute reader's features."""
    known = [training[index].image for index in range(len(training))]
    features = AttributeReader.load().features
    return {
        view: compare_to_training(*(vectors(list(images)) for images in (samples, renders, known)))
        for view, vectors in (("pixels", pixel_vectors), ("features", features))
    }


def nearest_sheet(samples: list[np.ndarray], found: dict, training: HumanFolder):
    """Samples, each beside the training image that the reader's features call the nearest."""
    nearest = found["features"]["nearest"][: len(samples)]
    pairs = [image for i, shown in zip(nearest, samples, strict=True) for image in (shown, training[i].image)]
    words = [word for i in nearest for word in ("sample", f"nearest: {training.captions[i]}")]
    return contact_sheet(pairs, words, columns=8, tile=160), words


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
    parser.add_argument("--run", help="folder of a training of the base; its latest checkpoint is judged")
    parser.add_argument("--training", help="data set that the base was trained on, to look for copies")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--skip", type=int, default=0, help="leave out the first so many of HELDOUT")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="judgement", help="name of the result")
    parser.add_argument("--out", help="keep the samples in this folder, and continue there if cut off")
    parser.add_argument("--sheet", type=int, default=0, help="save a contact sheet of so many samples")
    return parser.parse_args()


if __name__ == "__main__":
    main()
