"""Judges an autoencoder before a UNet is trained on its latents.

    python benchmarks/autoencoder.py HELDOUT [--base FOLDER | --run FOLDER] [--images 200]

Writes results/base/<name>.json: share of the latents' energy at high frequencies, error under a mirror,
fidelity of reconstructions, of decoded half-size latents and of decoded noisy latents, principal components
that hold 98 % of the variance, and what detectors find in reconstructions beside the renders themselves, by
area. Prints a line per gate with the value, the bound and whether it holds; exits 1 where one does not.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from fairhuman.data import HumanFolder
from fairhuman.detectors import detect
from fairhuman.evaluation import evaluate_detection, expected_regions
from fairhuman.evaluation.latents import components_for, high_frequency_share, mirror_error, psnr, scaled
from fairhuman.models import load_base
from fairhuman.results import write_result
from fairhuman.training.base import load_autoencoder
from fairhuman.training.base._corpus import to_pixels

GATES = (
    ("high_frequency_share", "at most", 0.10),
    ("mirror_error", "at most", 0.05),
    ("half_scale_psnr", "at least", 28.0),
    ("face_rate", "at least", 0.98),
    ("hand_rate", "at least", 0.91),
)
"""What must hold before a UNet is trained; rates are those of reconstructions over those of renders."""


@torch.no_grad()
def main() -> None:
    arguments = _arguments()
    torch.set_flush_denormal(True)
    vae = load_base(arguments.base).vae if arguments.run is None else load_autoencoder(arguments.run)
    data = HumanFolder(arguments.heldout, regions=("face", "hand"))
    people = [data[index] for index in range(min(arguments.images, len(data)))]
    renders = np.stack([person.image for person in people])
    pixels = to_pixels(torch.from_numpy(renders).permute(0, 3, 1, 2))
    latents, mirrored = _encode(vae, pixels), _encode(vae, pixels.flip(-1))
    restored = _decode(vae, latents)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    deviation = latents.std(dim=(0, 2, 3), keepdim=True)
    measured = {
        "high_frequency_share": high_frequency_share(latents),
        "energy_above_0.35": high_frequency_share(latents, 0.35),
        "mirror_error": mirror_error(mirrored, latents),
        "psnr": psnr(restored, pixels),
        "half_scale_psnr": psnr(_decode(vae, scaled(latents, 0.5)), scaled(pixels, 0.5)),
        "psnr_noise_0.1": psnr(_decode(vae, latents + 0.1 * deviation * noise), pixels),
        "psnr_noise_0.2": psnr(_decode(vae, latents + 0.2 * deviation * noise), pixels),
        "components_98": components_for(latents),
        "latent_channels": latents.shape[1],
        "detection": [],
    }
    truth, rates = expected_regions(data.records[: len(people)]), {}
    restored = ((restored.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    for system, images in (("renders", renders), ("reconstructions", restored)):
        table = evaluate_detection(detect(list(images), workers=1), truth, by_area=True)
        measured["detection"] += table.assign(system=system).to_dict("records")
        for row in table[table.metric == "rate"].itertuples():
            rates[system, row.detector, row.area] = row.value
            print(f"{system:16} {row.detector:6} {row.area:10} {row.value:.3f} n={row.n}")
    for region in ("face", "hand"):
        measured[f"{region}_rate"] = rates["reconstructions", region, "all"] / rates["renders", region, "all"]
    for name, value in measured.items():
        if not isinstance(value, list):
            print(f"{name:22} {value:.4f}")
    held = []
    for name, side, bound in GATES:
        held.append(measured[name] <= bound if side == "at most" else measured[name] >= bound)
        print(f"{'holds' if held[-1] else 'FAILS'}: {name} {measured[name]:.4f}, {side} {bound}")
    parameters = {"images": len(people), "heldout": Path(arguments.heldout).name}
    print(write_result("base", arguments.name, measured, parameters=parameters, samples=len(people), seed=0))
    sys.exit(not all(held))


def _encode(vae, pixels):
    return torch.cat([vae.encode(part).latent_dist.mean for part in pixels.split(8)])


def _decode(vae, latents):
    return torch.cat([vae.decode(part).sample for part in latents.split(8)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("heldout", help="data set that the autoencoder was not trained on")
    parser.add_argument("--base", help="folder of the pipeline; by default the embedded one")
    parser.add_argument(
        "--run", help="folder of a training of the base; its autoencoder as it stands is judged"
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--name", default="autoencoder", help="name of the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
