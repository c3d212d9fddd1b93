"""Judges a base as the eye does, on people it never saw, beside their renders and reconstructions.

    python benchmarks/base.py HELDOUT [--base FOLDER | --run FOLDER] [--systems renders reconstructions]

Samples are drawn for the captions of HELDOUT by the embedded base, by the one in a folder, or by a training
as its latest checkpoint stands. Writes results/base/<name>.json:

- ``anatomy``: faces and hands one by one, by area and by framing (see fairhuman.evaluation.anatomy): found in
  the enlarged crop, the primary measure, by MediaPipe and by a second detector, found in the whole image,
  shaped as renders are, as many hands and such fingers as were asked for;
- ``against_renders``: the same, paired by prompt, less that of the renders, and over it;
- ``gates``: what a base must reach, with the value and whether the interval supports it;
- ``detection``: detectors on whole images, as every system of the evaluation is judged;
- ``agreement`` with the captions as the attribute reader sees it, for every pose and gesture; ``psnr`` of
  reconstructions; ``memorisation``, with --training; ``seconds_per_image``; ``images_seen``.

Samples and findings are kept in --cache and looked up there, so that judging again is cheap and a judgement
that was cut off continues. Of renders and reconstructions alone nothing is sampled.
"""

import argparse
import hashlib
import logging
import time
from pathlib import Path

import numpy as np
import torch

from fairhuman.data import HumanFolder
from fairhuman.detectors import detect, has_second_detector
from fairhuman.evaluation import estimate_mean, evaluate_detection, expected_regions
from fairhuman.evaluation.anatomy import FaceShapes, anatomy_rates, compare_anatomy, judge_anatomy
from fairhuman.evaluation.reader import AttributeReader, caption_agreement
from fairhuman.experiments.base import base_gates
from fairhuman.experiments.figures import save
from fairhuman.experiments.memorisation import compare_to_training, pixel_vectors
from fairhuman.models import load_base
from fairhuman.profiles import run_directory
from fairhuman.results import write_result
from fairhuman.sampling import sample
from fairhuman.sheet import contact_sheet
from fairhuman.training.base import BaseSettings, load_training, views_seen

SYSTEMS = ("renders", "reconstructions", "samples")

logger = logging.getLogger(__name__)


def main() -> None:
    arguments = _arguments()
    torch.set_flush_denormal(True)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if not has_second_detector():
        raise SystemExit("the second face detector is not installed: pip install 'fairhuman[second]'")
    cache = Path(arguments.cache or run_directory("base", "judged"))
    looking = {"workers": arguments.workers, "cache": cache / "detections"}
    data = HumanFolder(arguments.heldout, regions=("face", "hand"))
    judged = range(len(data))[arguments.skip :][: arguments.images]
    people, records = ([part[index] for index in judged] for part in (data, data.records))
    captions, count = [record.text for record in records], len(judged)
    figures = {"anatomy": [], "against_renders": [], "detection": [], "agreement": []}
    images = {"renders": [person.image for person in people]}
    if set(arguments.systems) - {"renders"}:
        pipeline = load_base(arguments.base) if arguments.run is None else _trained(arguments, figures)
    if "reconstructions" in arguments.systems:
        restored = reconstruct(pipeline, np.stack(images["renders"]))
        figures["psnr"] = psnr_estimates(np.stack(images["renders"]), restored, people)
        images["reconstructions"] = list(restored)
    if "samples" in arguments.systems:
        images["samples"], figures["seconds_per_image"] = draw(pipeline, captions, cache, arguments)
    # One that is not asked for is judged all the same where others are held against it.
    shapes, reader = FaceShapes.load(), AttributeReader.load(arguments.reader)
    truth, anatomy = expected_regions(records), {}
    for system, pictures in images.items():
        anatomy[system] = judge_anatomy(pictures, records, shapes=shapes, **looking)
        rows = {
            "anatomy": anatomy_rates(anatomy[system], seed=arguments.seed),
            "detection": evaluate_detection(detect(pictures, **looking), truth, by_area=True),
            "agreement": caption_agreement(pictures, captions, reader=reader, by_value=True),
        }
        if system != "renders":
            rows["against_renders"] = compare_anatomy(anatomy["renders"], anatomy[system])
        for name, table in rows.items():
            figures[name] += table.assign(system=system).to_dict("records")
        _print(system, rows)
    figures["placed"] = [
        {"system": system, "kind": kind, "placed": by, "regions": int(number)}
        for system, seen in anatomy.items()
        for (kind, by), number in seen.regions.groupby(["kind", "placed"]).size().items()
    ]
    if "samples" in images:
        figures["gates"] = base_gates(anatomy["renders"], anatomy["samples"], figures["agreement"])
        for gate in figures["gates"]:
            held = "reached" if gate["reached"] else "missed"
            sure = "open" if gate["supported"] is None else "supported"
            print(f"{held:8} {sure:10} {gate['gate']}: {gate['value']:.3f}, asked {gate['asked']}")
        _sheets(arguments, cache, images["samples"], captions, people, figures)
    parameters = {name: value for name, value in vars(arguments).items() if name != "cache"}
    for name in ("heldout", "training", "base", "run", "reader"):
        parameters[name] = Path(parameters[name]).name if parameters[name] else None
    parameters["heldout_seed"] = data.records[0].metadata.get("seed")
    print(
        write_result(
            "base", arguments.name, figures, parameters=parameters, samples=count, seed=arguments.seed
        )
    )


def _trained(arguments: argparse.Namespace, figures: dict):
    """The base as its training stands, and into the figures how far that is."""
    pipeline, figures["denoiser_steps"] = load_training(arguments.run)
    settings = BaseSettings.from_yaml(f"{arguments.run}/settings.yaml")
    seen = views_seen(Path(arguments.run) / "denoiser")
    figures["images_seen"] = seen + (arguments.before if settings.start else 0)
    return pipeline


def draw(pipeline, captions: list[str], cache: Path, arguments: argparse.Namespace):
    """Samples for the captions, from the cache where they are there, and the seconds that a new one took."""
    digest = hashlib.sha256("\n".join(captions).encode())
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2):
        for tensor in part.state_dict().values():
            digest.update(tensor.contiguous().view(torch.uint8).numpy())
    options = {name: getattr(arguments, name) for name in ("steps", "guidance", "precision")}
    digest.update(repr((options, arguments.seed)).encode())
    folder = cache / "samples" / digest.hexdigest()[:16]
    there = len(list(folder.glob("images/*.png")))
    began = time.perf_counter()
    drawn = sample(
        pipeline, captions, folder, seeds=(arguments.seed,), batch=arguments.batch, progress=True, **options
    )
    new = len(captions) - there
    seconds = (time.perf_counter() - began) / new if new else None
    return [np.asarray(image.load()) for image in drawn], seconds


def _sheets(arguments, cache: Path, samples, captions, people, figures) -> None:
    shown = min(arguments.sheet, len(samples))
    sheet = contact_sheet(samples[:shown], captions[:shown], columns=8, tile=192) if shown else None
    if sheet is not None:
        path = cache / f"{arguments.name}.png"
        sheet.save(path)
        print(path)
    if arguments.publish and sheet is not None:
        print(save(sheet, "base_samples", {"captions": captions[:shown]}))
    if arguments.training:
        training = HumanFolder(arguments.training, regions=())
        renders = np.stack([person.image for person in people])
        figures["memorisation"] = memorisation(samples, renders, training)
        for view, found in figures["memorisation"].items():
            print(f"{view}: {found['nearer']['value']:.3f} of samples nearer than 95 % of held-out renders")
        if arguments.publish:
            sheet, words = nearest_sheet(samples[:16], figures["memorisation"], training)
            print(save(sheet, "base_nearest", {"words": words}))


def _print(system: str, rows: dict) -> None:
    table = rows["anatomy"]
    for row in table[table.by != "framing"].itertuples():
        interval = f"[{row.low:.3f}, {row.high:.3f}]"
        print(f"{system:16} {row.measure:30} {row.group:7} {row.value:.3f} {interval} n={row.n}")
    for row in rows["agreement"].itertuples():
        print(f"{system:16} {row.attribute:12} {row.asked:18} {row.value:.3f} n={row.n}")


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
    parser.add_argument("heldout", help="renders that the base was not trained on")
    parser.add_argument("--base", help="folder of the pipeline; by default the embedded one")
    parser.add_argument("--run", help="folder of a training of the base; its latest checkpoint is judged")
    parser.add_argument("--before", type=int, default=0, help="images seen before a run that had a start")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--training", help="data set that the base was trained on, to look for copies")
    parser.add_argument("--reader", help="weights of the attribute reader; by default the package's")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--skip", type=int, default=0, help="leave out the first so many of HELDOUT")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of torch; by default as many as it takes")
    parser.add_argument("--workers", type=int, default=1, help="processes of the detectors")
    parser.add_argument("--name", default="judgement", help="name of the result")
    parser.add_argument("--cache", help="folder of samples, findings and sheets; by default runs/base/judged")
    parser.add_argument("--sheet", type=int, default=64, help="so many uncurated samples on a PNG in --cache")
    parser.add_argument("--publish", action="store_true", help="save the sheets in figures/ as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
