"""Our LoRA training compared with diffusers' script: loss curves, and how many images per second.

    python benchmarks/diffusers_script.py train_text_to_image_lora_sdxl.py --data runs/quick/humans/train

The script lies in examples/text_to_image of huggingface/diffusers and is run as it is. Both train the same
LoRA on the same base and images by AdamW at a constant rate, clipped at norm 1, with the plain loss of Eq. 1
and no regions. Images, timesteps and noises are drawn differently: curves can only agree as far as
seeds do. Every run is a separate process with the given number of threads. Of torchvision, which the
script imports, it uses five transforms of Pillow images; where the package is missing, a stand-in of these is
put in its place. Writes ``results/benchmarks/diffusers_script.json``.
"""

import argparse
import enum
import importlib.machinery
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd

KINDS = ("theirs", "ours", "ours-cached")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("script", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="by default the embedded one")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", nargs=3, metavar=("KIND", "SEED", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, seed, folder = given.one
        lines = (theirs if kind == "theirs" else ours)(given, kind, int(seed), Path(folder))
        (Path(folder) / f"{kind}-{seed}.json").write_text(json.dumps(lines))
        return
    compare(given)


def compare(given: argparse.Namespace) -> None:
    """Run everything and store what was found."""
    from fairhuman.results import write_result

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_images(given.data, folder / "images", given.images, 0)
        copy_images(given.data, folder / "heldout", given.images, given.images)
        rows = []
        for seed in range(given.seeds):
            for kind in KINDS:  # in turn, so that a machine that slows down slows all
                rows += run(given, kind, seed, folder)
        table = pd.DataFrame(rows)
        losses = {kind or "base": heldout(given, kind, folder) for kind in ("theirs", "ours", None)}
    figures = {
        "curves": curves(table, given.steps),
        "heldout": losses,
        "throughput": throughput(table, given.batch_size),
    }
    parameters = {name: value for name, value in vars(given).items() if name not in ("script", "one", "data")}
    path = write_result(
        "benchmarks", "diffusers_script", figures, parameters=parameters, samples=given.seeds, seed=0
    )
    print(path, json.dumps(figures["throughput"]), json.dumps(figures["heldout"]), sep="\n")


def copy_images(data: Path, out: Path, count: int, first: int) -> None:
    """Images and captions alone, as both read them; masks are not needed."""
    (out / "images").mkdir(parents=True)
    lines = (data / "metadata.jsonl").read_text().splitlines()[first : first + count]
    if len(lines) < count:
        raise SystemExit(f"--data: {data} has too few images for {first + count}")
    entries = [json.loads(line) for line in lines]
    for entry in entries:
        shutil.copy(data / entry["file_name"], out / "images")
    kept = [
        {"file_name": f"images/{Path(entry['file_name']).name}", "text": entry["text"]} for entry in entries
    ]
    (out / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))


def run(given: argparse.Namespace, kind: str, seed: int, folder: Path) -> list[dict[str, object]]:
    """One run in a separate process."""
    words = [sys.executable, __file__, *sys.argv[1:], "--one", kind, str(seed), str(folder)]
    threads = {"OMP_NUM_THREADS": str(given.threads), "MKL_NUM_THREADS": str(given.threads)}
    done = subprocess.run(words, env=os.environ | threads, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{kind}, seed {seed}:\n{done.stderr[-3000:]}")
    return json.loads((folder / f"{kind}-{seed}.json").read_text())


def theirs(given: argparse.Namespace, kind: str, seed: int, folder: Path) -> list[dict[str, object]]:
    """Run the script as it is and note what it logs."""
    import accelerate
    import transformers
    from diffusers import StableDiffusionXLPipeline  # noqa: F401 - asks for torchvision before the stand-in
    from transformers import CLIPTextModelWithProjection  # noqa: F401

    from fairhuman.models import EMBEDDED

    del transformers
    stand_in()
    lines: list[dict[str, object]] = []

    def log(self: object, values: dict[str, float], step: int | None = None, **_: object) -> None:
        if "train_loss" in values:
            now = time.perf_counter()
            lines.append(
                {"kind": kind, "seed": seed, "step": step - 1, "at": now, "loss": values["train_loss"]}
            )

    accelerate.Accelerator.log = log
    sys.argv = [
        str(given.script), "--pretrained_model_name_or_path", str(given.base or EMBEDDED),
        "--train_data_dir", str(folder / "images"), "--output_dir", str(folder / f"theirs-{seed}"),
        "--resolution", str(given.resolution), "--center_crop", "--train_batch_size", str(given.batch_size),
        "--max_train_steps", str(given.steps), "--learning_rate", str(given.learning_rate),
        "--lr_scheduler", "constant", "--lr_warmup_steps", "0", "--rank", str(given.rank),
        "--seed", str(seed), "--checkpointing_steps", str(10 * given.steps),
    ]  # fmt: skip
    os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
    runpy.run_path(str(given.script), run_name="__main__")
    return lines


def ours(given: argparse.Namespace, kind: str, seed: int, folder: Path) -> list[dict[str, object]]:
    """The same by our loop."""
    from fairhuman.training import TrainSettings, train
    from fairhuman.training import _loop as loop

    lines: list[dict[str, object]] = []
    advance = loop.Trainer.advance

    def noted(self: object) -> dict[str, object]:
        line = advance(self)
        entry = {"step": line["step"], "at": time.perf_counter(), "loss": line["losses"]["global"]}
        lines.append({"kind": kind, "seed": seed} | entry)
        return line

    loop.Trainer.advance = noted
    settings = TrainSettings(
        data=folder / "images", base=given.base, output=folder / f"{kind}-{seed}", regions=(), strategy="ls",
        resolution=given.resolution, batch_size=given.batch_size, steps=given.steps, rank=given.rank,
        learning_rate=given.learning_rate, optimizer="adamw", weight_decay=1e-2, clip_norm=1.0,
        cache=kind == "ours-cached", seed=seed,
    )  # fmt: skip
    train(settings, progress=False)
    return lines


def heldout(given: argparse.Namespace, kind: str | None, folder: Path) -> list[float]:
    """Error of each seed's LoRA on images that none was trained on, at the same timesteps and noises."""
    from fairhuman.data import HumanFolder, JointTransform
    from fairhuman.models import load_base
    from fairhuman.models.adapters import load_lora
    from fairhuman.training import Examples, heldout_errors

    pipeline = load_base(given.base)
    examples = Examples(pipeline, HumanFolder(folder / "heldout", ()), JointTransform(given.resolution))
    found = []
    for seed in range(given.seeds) if kind else [None]:
        if kind:
            load_lora(pipeline, folder / f"{kind}-{seed}")
        found.append(heldout_errors(pipeline.unet, examples, draws=4).mean("global"))
    return found


def curves(table: pd.DataFrame, steps: int, parts: int = 6) -> list[dict[str, object]]:
    """Mean loss of each sixth of the steps, its mean and deviation over seeds."""
    table = table[table.kind != "ours-cached"].assign(part=lambda t: t.step * parts // steps)
    means = table.groupby(["kind", "part", "seed"]).loss.mean().groupby(["kind", "part"])
    return means.agg(["mean", "std", "count"]).reset_index().to_dict("records")


def throughput(table: pd.DataFrame, batch_size: int) -> dict[str, object]:
    """Images a second from the median time of a step, first steps left out, and ratios seed by seed."""
    table = table.sort_values(["kind", "seed", "step"])
    seconds = table.groupby(["kind", "seed"])["at"].diff()
    settled = table.assign(seconds=seconds)[table.step >= 5]
    per_seed = settled.groupby(["kind", "seed"]).seconds.median().unstack("kind")
    late = table.step.max() // 2  # by then every image has been encoded once
    cached = table.assign(seconds=seconds)[table.step >= late]
    per_seed["ours-cached"] = cached[cached.kind == "ours-cached"].groupby("seed").seconds.median()
    ratio = per_seed["theirs"] / per_seed["ours"]
    gain = per_seed["ours"] / per_seed["ours-cached"]
    return {
        "images_per_second": (batch_size / per_seed.median()).to_dict(),
        "ours_over_theirs": ratio.tolist(),
        "median_ratio": float(np.median(ratio)),
        "caching_over_not": gain.tolist(),
        "median_caching": float(np.median(gain)),
    }


def stand_in() -> None:
    """Put what the script uses of torchvision into its place, unless the package is there."""
    try:
        import torchvision  # noqa: F401

        return
    except ImportError:
        pass
    import torch
    from PIL import Image

    class Side:
        def __init__(self, size: int, **_: object) -> None:
            self.size = size

    class Resize(Side):
        def __init__(self, size: int, interpolation: enum.Enum) -> None:
            self.size, self.interpolation = size, interpolation

        def __call__(self, image: Image.Image) -> Image.Image:
            factor = self.size / min(image.size)
            size = tuple(max(self.size, int(side * factor)) for side in image.size)
            return image.resize(size, self.interpolation.value)

    class CenterCrop(Side):
        def __call__(self, image: Image.Image) -> Image.Image:
            left, top = (round((side - self.size) / 2) for side in image.size)
            return image.crop((left, top, left + self.size, top + self.size))

    class ToTensor:
        def __call__(self, image: Image.Image) -> torch.Tensor:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous() / 255

    class Normalize:
        def __init__(self, mean: list[float], std: list[float]) -> None:
            self.mean, self.std = mean[0], std[0]

        def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
            return (pixels - self.mean) / self.std

    class Compose:
        def __init__(self, parts: list[object]) -> None:
            self.parts = parts

        def __call__(self, value: object) -> object:
            for part in self.parts:
                value = part(value)
            return value

    modes = {name: getattr(Image.Resampling, name) for name in ("NEAREST", "BILINEAR", "BICUBIC", "LANCZOS")}
    parts = {"Resize": Resize, "CenterCrop": CenterCrop, "ToTensor": ToTensor, "Normalize": Normalize,
             "Compose": Compose, "RandomCrop": Side, "RandomHorizontalFlip": lambda p: None,
             "InterpolationMode": enum.Enum("InterpolationMode", modes)}  # fmt: skip
    functional = _module("torchvision.transforms.functional", crop=None)
    transforms = _module("torchvision.transforms", functional=functional, **parts)
    _module("torchvision", transforms=transforms)


def _module(name: str, **content: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__dict__.update(content)
    sys.modules[name] = module
    return module


if __name__ == "__main__":
    main()
