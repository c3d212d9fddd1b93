"""Sampling: images from prompts, each with its own random generator."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from fairhuman.data import HumanFolder, JointTransform, condition_image, condition_pixels
from fairhuman.files import check_same, is_begun, write_json, write_text, written_whole
from fairhuman.images import as_rgb
from fairhuman.models import fingerprint_base, load_base, prompt_arguments
from fairhuman.models.adapters import fingerprint_adapters, load_adapter
from fairhuman.profiles import unknown
from fairhuman.seeds import sample_generator
from fairhuman.text import read_text
from fairhuman.training import adapter_at, checkpoint_at

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.models.adapters import Adapter

__all__ = [
    "ImageSample",
    "condition_batch",
    "condition_pictures",
    "read_prompts",
    "sample",
    "sample_file",
    "sample_with",
]

logger = logging.getLogger(__name__)

SCHEDULERS = ("unipc", "keep")
PRECISIONS = ("no", "bf16")
_LISTING, _SETTINGS = "metadata.jsonl", "sampling.json"


@dataclass(frozen=True)
class ImageSample:
    """A generated image and its origin.

    Attributes:
        text: The prompt.
        prompt_index: Index of the prompt.
        seed: The seed.
        image: The image, or ``None`` if it is only on disk.
        path: Its file, or ``None`` if it is only in memory.
    """

    text: str
    prompt_index: int
    seed: int
    image: Image.Image | None = None
    path: Path | None = None

    def load(self) -> Image.Image:
        """The image, from memory or from disk."""
        if self.image is not None:
            return self.image
        if self.path is None:
            raise ValueError("image: is neither in memory nor on disk")
        return Image.fromarray(as_rgb(self.path))


def sample(
    pipeline: StableDiffusionXLPipeline,
    prompts: Sequence[str],
    out: str | os.PathLike[str] | None = None,
    *,
    seeds: Sequence[int] = (0,),
    steps: int = 30,
    guidance: float = 7.5,
    batch: int = 8,
    size: int | None = None,
    adapter_scale: float = 1.0,
    negative_prompt: str | None = None,
    scheduler: str = "unipc",
    precision: str = "no",
    chunks: int = 1,
    further: Callable[[Sequence[int]], Mapping[str, Any]] | None = None,
    origin: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> list[ImageSample]:
    """Generate an image for every prompt and seed.

    The initial noise depends only on the seed and the prompt's index, and is generated on the CPU. Order,
    batch size, device and interruptions do not change it. (In the authors' script, all prompts share one
    generator, so each image depends on the previous ones.)

    Args:
        pipeline: A base, with or without a LoRA, fused or not. Its scheduler is restored afterwards.
        prompts: Prompts, none empty.
        out: Folder for the images, in Hugging Face ImageFolder format: ``images/`` and ``metadata.jsonl``. An
            interrupted run is resumed; a folder with other content is refused.
        seeds: Distinct seeds ≥ 0.
        steps: Denoising steps, ≥ 1.
        guidance: Classifier-free guidance scale; values up to 1 disable it.
        batch: Batch size, ≥ 1.
        size: Image side length in pixels, a multiple of the autoencoder's and the UNet's factors. Default:
            the base's.
        adapter_scale: LoRA strength β (Eq. 12); ignored without a LoRA and for a fused one.
        negative_prompt: Negative prompt. Default: the base's empty conditioning.
        scheduler: ``unipc``, as in the paper's evaluation, or ``keep`` for the pipeline's own.
        precision: ``no`` uses the pipeline's precision; ``bf16`` multiplies matrices in bfloat16, which
            halves the time on processors with bfloat16 instructions.
        chunks: Number of text encoder windows per prompt (see :func:`fairhuman.models.encode_texts`), ≥ 1: as
            in the LoRA's training, or more for long prompts.
        further: Maps a batch's prompt indices to additional arguments of the pipeline call, such as condition
            images.
        origin: Identifies the system in the folder's records, for example by the names of base and LoRA. A
            folder started by another system is refused.
        progress: Show a progress bar on a terminal.

    Returns:
        The samples, by seed and then in prompt order; with images in memory unless ``out`` is given.

    Raises:
        ValueError: A value is out of range, or ``out`` has other content.
    """
    if isinstance(prompts, str):
        raise ValueError(f"prompts: must be a list of prompts, got the string {prompts!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision: {unknown(precision, PRECISIONS)}")
    prompts, seeds = list(prompts), list(seeds)
    size = pipeline.unet.config.sample_size * pipeline.vae_scale_factor if size is None else size
    factor = pipeline.vae_scale_factor * 2 ** (len(pipeline.unet.config.block_out_channels) - 1)
    options = {
        "prompts": prompts,
        "seeds": seeds,
        "steps": steps,
        "guidance": guidance,
        "size": size,
        "adapter_scale": adapter_scale,
        "negative_prompt": negative_prompt,
        "scheduler": scheduler,
        **({} if precision == "no" else {"precision": precision}),
        **({} if chunks == 1 else {"chunks": chunks}),
        **(origin or {}),
    }
    _check(options, batch, chunks, factor)
    folder = None if out is None else _Folder(Path(out), options)
    wanted = [ImageSample(text, i, seed) for seed in seeds for i, text in enumerate(prompts)]
    todo = [item for item in wanted if folder is None or not folder.has(item)]
    found: dict[tuple[int, int], ImageSample] = {}
    arguments = {
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "height": size,
        "width": size,
    }
    if _has_adapter(pipeline):
        arguments["cross_attention_kwargs"] = {"scale": adapter_scale}
    half = torch.autocast(pipeline.device.type, torch.bfloat16, enabled=precision == "bf16")
    with _quiet(pipeline), _scheduled(pipeline, scheduler), half:
        for part in _batches(todo, batch, progress):
            images = pipeline(
                **prompt_arguments(
                    pipeline,
                    [item.text for item in part],
                    negative_prompt,
                    chunks,
                    adapter_scale if _has_adapter(pipeline) else None,
                ),
                generator=[sample_generator(item.seed, item.prompt_index) for item in part],
                **arguments,
                **({} if further is None else further([item.prompt_index for item in part])),
            ).images
            for item, image in zip(part, images, strict=True):
                if folder is not None:
                    folder.add(item, image)
                else:
                    found[item.seed, item.prompt_index] = replace(item, image=image)
    if folder is not None:
        folder.finish(wanted)
        return [replace(item, path=folder.path(item)) for item in wanted]
    return [found[item.seed, item.prompt_index] for item in wanted]


def sample_file(
    prompts: Sequence[str],
    out: str | os.PathLike[str],
    *,
    base: str | None = None,
    adapter: str | os.PathLike[str] | None = None,
    conditions: str | os.PathLike[str] | None = None,
    adapter_scale: float = 1.0,
    **options: Any,
) -> Path:
    """Run :func:`sample` into a folder, with base and adapter loaded from disk; on a GPU if available.

    Args:
        prompts, out: As for :func:`sample`.
        base: Folder or repository of the base. Default: the embedded base.
        adapter: A run folder, saved weights, or a checkpoint. Default: none. For an incomplete run, the
            newest checkpoint is used.
        conditions: A data set whose i-th image provides pose or depth for the i-th prompt, for conditioned
            adapters.
        adapter_scale: β of Eq. 12.
        options: Further arguments of :func:`sample`.

    Returns:
        The folder of the images.

    Raises:
        ValueError, FileNotFoundError: Conditions are missing, too few or not supported by the adapter; the
            adapter does not fit the base; or :func:`sample` raises. Nothing is written then.
    """
    pipeline = load_base(base, device="cuda" if torch.cuda.is_available() else "cpu")
    checkpoint = checkpoint_at(adapter)
    if checkpoint is not None:
        logger.warning("adapter: %s is not finished; taken as at %s", checkpoint.parents[1], checkpoint.name)
        loaded = adapter_at(pipeline, checkpoint)
        for parameter in loaded.parameters.values():
            parameter.requires_grad_(
                False
            )  # as a finished adapter's: torch rounds otherwise where it is True
    else:
        loaded = None if adapter is None else load_adapter(pipeline, adapter)
    reads = () if loaded is None else loaded.conditions
    asked = None
    if conditions is not None:
        if not reads:
            raise ValueError(f"conditions: must be None for an adapter without conditions, got {conditions}")
        asked = HumanFolder(conditions, (), reads)
    origin = {"base": base, "adapter": adapter and str(adapter), "conditions": conditions and str(conditions)}
    # The content at these paths may change between two runs that fill one folder.
    origin["base_content"] = fingerprint_base(base)
    weights = checkpoint or adapter
    if loaded is not None and weights is not None:
        origin["adapter_content"] = fingerprint_adapters([weights], loaded.kind)
    sample_with(pipeline, loaded, prompts, out, scale=adapter_scale, asked=asked, origin=origin, **options)
    return Path(out)


def sample_with(
    pipeline: StableDiffusionXLPipeline,
    adapter: Adapter | None,
    prompts: Sequence[str],
    out: str | os.PathLike[str] | None = None,
    *,
    scale: float = 1.0,
    asked: HumanFolder | None = None,
    origin: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[ImageSample]:
    """Run :func:`sample` with any adapter, or with the base alone.

    Args:
        pipeline: The base.
        adapter: Adapter on the base, left at strength ``scale``; ``None`` for the base alone.
        prompts, out, origin: As for :func:`sample`.
        scale: β of Eq. 12.
        asked: For an adapter conditioned on pose or depth, a data set whose i-th image provides them for the
            i-th prompt.
        options: Further arguments of :func:`sample`.

    Raises:
        ValueError: Required conditions are missing or too few, or :func:`sample` raises.
    """
    origin = {"adapter_scale": scale} | dict(origin or {})
    if adapter is None:
        return sample(pipeline, prompts, out, origin=origin, **options)
    reads = adapter.conditions
    if reads and (asked is None or len(asked) < len(prompts)):
        count = "none" if asked is None else f"{len(asked)} for {len(prompts)} prompts"
        raise ValueError(f"asked: {adapter.kind} needs {' and '.join(reads)}, got {count}")
    size = options.get("size") or pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    adapter.scale = scale  # so the call itself leaves its factor at 1

    def further(indices: Sequence[int]) -> dict[str, Any]:
        given = {} if asked is None or not reads else condition_batch(asked, indices, reads, size)
        return adapter.arguments(given)

    return sample(adapter.sampler(), prompts, out, further=further, origin=origin, **options)


def condition_batch(
    asked: HumanFolder, indices: Sequence[int], names: Sequence[str], size: int
) -> dict[str, torch.Tensor]:
    """Condition images of some records, name → shape (count, 3, size, size), values in [0, 1].

    Args:
        asked: Data set, read with these conditions.
        indices: Indices of the records.
        names: ``pose``, ``depth``.
        size: Side length in pixels; non-square images are cropped as in training.
    """
    transform = JointTransform(size)
    shown = [transform(asked[index], torch.Generator()) for index in indices]
    return {
        name: torch.stack([condition_pixels(name, getattr(one, name)) for one in shown]) / 255
        for name in names
    }


def condition_pictures(asked: HumanFolder, indices: Sequence[int], size: int) -> list[Image.Image]:
    """The conditions of some records as images to look at: the pose drawn over the depth.

    Args:
        asked: Data set, read with the conditions to show.
        indices: Indices of the records.
        size: Side length in pixels.
    """
    pictures = condition_batch(asked, indices, asked.conditions, size)
    shown = condition_image(pictures.get("pose"), pictures.get("depth"))
    return [Image.fromarray((255 * one).round().byte().permute(1, 2, 0).numpy()) for one in shown]


def read_prompts(path: str | os.PathLike[str]) -> list[str]:
    """Read prompts from a file: one per line, or the ``text`` of each line of a ``.jsonl`` file, such as a
    data set's ``metadata.jsonl``. Empty lines are skipped.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not text, has no prompts, or has a line without ``text``; the message names
            the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"prompts: no such file: {path}")
    try:
        text, note = read_text(path)
    except ValueError as error:
        raise ValueError(f"prompts: {error}") from error
    if note:
        logger.warning("prompts: %s: %s", path, note)
    # Not splitlines for JSON lines: it also splits at characters that JSON leaves unescaped.
    lines = text.split("\n") if path.suffix == ".jsonl" else text.splitlines()
    prompts = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        prompts.append(_text(line, f"{path}, line {number}") if path.suffix == ".jsonl" else line.strip())
    if not prompts:
        raise ValueError(f"prompts: {path} has none")
    return prompts


def _text(line: str, place: str) -> str:
    try:
        text = json.loads(line)["text"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{place}: must be a JSON object with 'text'") from error
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{place}: 'text' must be a non-empty string, got {text!r}")
    return text.strip()


def _check(options: Mapping[str, Any], batch: int, chunks: int, factor: int) -> None:
    prompts, seeds, size = options["prompts"], options["seeds"], options["size"]
    if not prompts:
        raise ValueError("prompts: must have at least one, got none")
    for index, text in enumerate(prompts):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"prompts[{index}]: must be a non-empty string, got {text!r}")
    if (
        not seeds
        or len(set(seeds)) != len(seeds)
        or not all(isinstance(seed, int) and seed >= 0 for seed in seeds)
    ):
        raise ValueError(f"seeds: must be distinct integers ≥ 0, at least one, got {seeds}")
    for name, value in (("steps", options["steps"]), ("batch", batch), ("chunks", chunks)):
        if value < 1:
            raise ValueError(f"{name}: must be ≥ 1, got {value}")
    for name in ("guidance", "adapter_scale"):
        if not np.isfinite(options[name]):
            raise ValueError(f"{name}: must be finite, got {options[name]}")
    if size < factor or size % factor:
        raise ValueError(f"size: must be a positive multiple of {factor} for this base, got {size}")
    if options["scheduler"] not in SCHEDULERS:
        raise ValueError(f"scheduler: {unknown(options['scheduler'], SCHEDULERS)}")


def _has_adapter(pipeline: StableDiffusionXLPipeline) -> bool:
    # A fused LoRA leaves its layers in place; scaling them would have no effect and only warn.
    return bool(pipeline.get_active_adapters()) and not getattr(pipeline, "num_fused_loras", 0)


@contextmanager
def _scheduled(pipeline: StableDiffusionXLPipeline, name: str) -> Iterator[None]:
    from diffusers import UniPCMultistepScheduler

    scheduler = pipeline.scheduler
    if name == "unipc":
        pipeline.scheduler = UniPCMultistepScheduler.from_config(scheduler.config)
    try:
        yield
    finally:
        pipeline.scheduler = scheduler


@contextmanager
def _quiet(pipeline: StableDiffusionXLPipeline) -> Iterator[None]:
    config = getattr(pipeline, "_progress_bar_config", {})
    pipeline.set_progress_bar_config(disable=True)  # one bar over all images says more than one per batch
    try:
        yield
    finally:
        pipeline.set_progress_bar_config(**config)


def _batches(items: list[ImageSample], size: int, progress: bool) -> Iterator[list[ImageSample]]:
    from tqdm import tqdm

    with tqdm(total=len(items), desc="sample", unit="image", disable=None if progress else True) as bar:
        for start in range(0, len(items), size):
            part = items[start : start + size]
            yield part
            bar.update(len(part))


class _Folder:
    """Images on disk: each file is written atomically, the listing last."""

    def __init__(self, root: Path, options: dict[str, Any]) -> None:
        self.root, self.options = root, options
        if is_begun(root, [_SETTINGS]):
            there = json.loads((root / _SETTINGS).read_text())
            check_same(root, there, dict.fromkeys(there) | json.loads(json.dumps(options)))
        write_json(root / _SETTINGS, options)
        (root / "images").mkdir(exist_ok=True)

    def name(self, item: ImageSample) -> str:
        return f"images/{item.prompt_index:06d}-{item.seed}.png"

    def path(self, item: ImageSample) -> Path:
        return self.root / self.name(item)

    def has(self, item: ImageSample) -> bool:
        return self.path(item).is_file()

    def add(self, item: ImageSample, image: Image.Image) -> None:
        with written_whole(self.path(item)) as partial:
            image.save(partial, format="PNG")

    def finish(self, items: list[ImageSample]) -> None:
        shared = {
            key: value for key, value in self.options.items() if key not in ("prompts", "seeds", "size")
        }
        size = self.options["size"]
        lines = []
        for item in items:
            entry = asdict(item) | {"file_name": self.name(item), "width": size, "height": size}
            del entry["image"], entry["path"]
            lines.append(json.dumps(entry | {"source": "sample"} | shared))
        write_text(self.root / _LISTING, "\n".join(lines) + "\n")
