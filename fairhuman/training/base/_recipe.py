"""The whole training of the base, from a data set to a pipeline on disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import yaml
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from fairhuman.data import HumanFolder
from fairhuman.files import check_same, is_begun, write_text, written_whole
from fairhuman.models import build_autoencoder, build_pipeline, load_base
from fairhuman.models._quiet import quiet
from fairhuman.seeds import START, generator
from fairhuman.training._checkpoint import latest_checkpoint, load_checkpoint
from fairhuman.training.base._autoencoder import train_autoencoder
from fairhuman.training.base._corpus import Corpus
from fairhuman.training.base._denoiser import LatentSet, take_average, train_denoiser
from fairhuman.training.base._latents import encode_corpus, normalise_latents, reduced_autoencoder
from fairhuman.training.base._optimizers import Optimizers
from fairhuman.training.base._settings import BaseSettings
from fairhuman.training.base._state import Average, load_state

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

SETTINGS_FILE = "settings.yaml"
AUTOENCODER, DENOISER, PIPELINE = "autoencoder", "denoiser", "pipeline"
REFINEMENT = "refinement"
_SAMPLE = 256  # images whose latents' principal components are taken
VOCABULARY = "token_embedding"  # its rows are the words of the tokenizer, which a start brings along
LATENTS, SMALL = "latents.safetensors", "latents_small.safetensors"


def train_base(
    settings: BaseSettings,
    words: Iterable[str] | None = None,
    progress: bool = True,
    minutes: float | None = None,
) -> Path | None:
    """Train autoencoder, text encoders and UNet, or resume an interrupted training.

    The run's folder holds ``settings.yaml``, ``autoencoder/`` and ``denoiser/`` with a log and a
    checkpoint each, the cached latents, and at the end ``pipeline/``, which
    :func:`fairhuman.models.load_base` and plain diffusers load. The result depends on the settings alone
    (on one machine); steps may be changed as long as neither the old nor the new decay has begun.

    Args:
        settings: The run.
        words: Words that the tokenizers keep whole; by default those of captions of rendered people and of
            the training set.
        progress: Show progress bars.
        minutes: Stop the UNet at the first checkpoint after so many minutes of its training; the same call
            takes it up again.

    Returns:
        The folder of the pipeline, or None where the training was stopped before its end.

    Raises:
        ValueError, FileNotFoundError: Something asked for is wrong or missing; nothing has been written.
    """
    output = check_output(settings)
    if (output / PIPELINE / "model_index.json").is_file():
        return output / PIPELINE
    start = started_pipeline(settings)
    torch.set_flush_denormal(True)  # denormal weights slow some processors down many times
    size = settings.architecture.image_size
    corpora = [Corpus.read(settings.data, size)]
    if settings.small:
        corpora.append(Corpus.read(settings.small, size // 2))
    words = _words(words, [text for corpus in corpora for text in corpus.captions])
    write_text(output / SETTINGS_FILE, yaml.safe_dump(settings.to_dict(), sort_keys=False))
    vae = start.vae if start else first_autoencoder(corpora[0], settings, output / AUTOENCODER, progress)
    if settings.refinement.steps:
        vae = train_autoencoder(
            corpora[0], settings, output / REFINEMENT, progress, start=vae, chosen=settings.refinement
        )
    # A start's latents are normalised already, and its UNet knows them so.
    latents = [_latents(vae, corpora[0], settings, output, normalise=start is None)]
    latents += [_small_latents(vae, corpus, settings, output) for corpus in corpora[1:]]
    sets = [
        LatentSet(part, corpus.captions, corpus.images.shape[-1])
        for part, corpus in zip(latents, corpora, strict=True)
    ]
    pipeline = untrained_pipeline(settings, words, vae) if start is None else start
    pipeline.register_modules(vae=vae.eval().requires_grad_(False))
    deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    if train_denoiser(pipeline, sets, settings, output / DENOISER, progress, deadline):
        return export(pipeline, output / PIPELINE)
    return None


def first_autoencoder(corpus: Corpus, settings: BaseSettings, folder: Path, progress: bool) -> AutoencoderKL:
    """The autoencoder trained from nothing, or from another base's, reduced to the channels asked for."""
    into = None
    if settings.autoencoder_start:
        vae = started_autoencoder(settings.autoencoder_start)
        into = build_autoencoder(settings.architecture)
        if vae.config.latent_channels > into.config.latent_channels:
            latents = encode_corpus(vae, corpus.first(_SAMPLE), settings.precision)
            into = reduced_autoencoder(vae, latents, into)
        else:
            into.load_state_dict(vae.state_dict())
    return train_autoencoder(corpus, settings, folder, progress, start=into)


def started_autoencoder(place: str) -> AutoencoderKL:
    """The autoencoder of a base, of a training of one, or of a folder that holds an autoencoder alone."""
    if (Path(place) / SETTINGS_FILE).is_file():
        return load_autoencoder(place)
    if (Path(place) / "config.json").is_file():
        return AutoencoderKL.from_pretrained(place, torch_dtype=torch.float32, use_safetensors=True).eval()
    return load_base(None if place == "embedded" else place).vae


def untrained_pipeline(
    settings: BaseSettings, words: Iterable[str], vae: AutoencoderKL
) -> StableDiffusionXLPipeline:
    """A pipeline with this autoencoder and random UNet and text encoders."""
    seed = generator(settings.seed, START, 1).initial_seed()
    pipeline = build_pipeline(settings.architecture, words, seed)
    pipeline.register_modules(vae=vae.eval().requires_grad_(False))
    return pipeline


def started_pipeline(settings: BaseSettings) -> StableDiffusionXLPipeline | None:
    """The base to continue from, if the settings name one.

    Raises:
        ValueError: Its networks are not of the sizes that the settings say.
    """
    if not settings.start:
        return None
    pipeline = load_base(None if settings.start == "embedded" else settings.start)
    asked = build_pipeline(settings.architecture, ["a"], 0)
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        there, here = (
            {key: tuple(value.shape) for key, value in getattr(one, name).state_dict().items()}
            for one in (pipeline, asked)
        )
        differing = [key for key in here if VOCABULARY not in key and there.get(key) != here[key]]
        if differing:
            key = differing[0]
            raise ValueError(
                f"start: {name} of {settings.start!r} must be of the architecture's size:"
                f" {key} has shape {there.get(key)} there, {here[key]} here"
            )
    return pipeline


def load_autoencoder(folder: str | os.PathLike[str]) -> AutoencoderKL:
    """The averaged autoencoder of a training that may be unfinished.

    Raises:
        FileNotFoundError: The folder holds no run, or a run without a checkpoint of the autoencoder.
    """
    folder = Path(folder)
    settings = BaseSettings.from_yaml(folder / SETTINGS_FILE)
    vae = build_autoencoder(settings.architecture)
    if (folder / LATENTS).is_file():
        stored = load_file(folder / LATENTS)
        stored.pop("latents")
        vae.load_state_dict(stored)
        return vae.eval()
    part = REFINEMENT if latest_checkpoint(folder / REFINEMENT) else AUTOENCODER
    checkpoint = latest_checkpoint(folder / part)
    if checkpoint is None:
        raise FileNotFoundError(f"run: {folder} holds no checkpoint of an autoencoder")
    _, state = load_checkpoint(checkpoint)
    vae.load_state_dict(state["average"][0])
    return vae.eval()


def load_training(
    folder: str | os.PathLike[str], words: Iterable[str] | None = None
) -> tuple[StableDiffusionXLPipeline, int]:
    """A pipeline with the averaged weights of an unfinished training, and the UNet's steps so far.

    Args:
        folder: The run's folder, as :func:`train_base` makes it; its UNet must have a checkpoint.
        words: As :func:`train_base` was given them.

    Raises:
        FileNotFoundError: The folder holds no run, or a run without such a checkpoint.
    """
    folder = Path(folder)
    if latest_checkpoint(folder / DENOISER) is None:
        raise FileNotFoundError(f"run: {folder} holds no checkpoint of a UNet")
    settings = BaseSettings.from_yaml(folder / SETTINGS_FILE)
    vae = load_autoencoder(folder)
    pipeline = started_pipeline(settings)
    if pipeline is None:
        folders = [place for place in (settings.data, settings.small) if place and words is None]
        captions = [text for place in folders for text in HumanFolder(place, regions=()).captions]
        pipeline = untrained_pipeline(settings, _words(words, captions), vae)
    pipeline.register_modules(vae=vae)
    modules = [pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2]
    average = Average(modules, 0.0)
    optimizers = Optimizers(modules[0], modules[1:], settings.denoiser)
    step = load_state(folder / DENOISER, modules, average, optimizers.all)
    take_average(pipeline, average)
    return pipeline, step


def _words(words: Iterable[str] | None, captions: Iterable[str]) -> list[str]:
    """What the tokenizers keep whole: by default the words of rendered people's captions and of these."""
    if words is not None:
        return list(words)
    from fairhuman.humans import caption_vocabulary

    return [*caption_vocabulary(), *captions]


def export(pipeline: StableDiffusionXLPipeline, folder: Path) -> Path:
    """Write the pipeline in half precision, whole or not at all."""
    with written_whole(folder) as partial:
        # The weights in memory go through float16 and back, so that they equal what is on disk.
        with quiet():
            pipeline.to(torch.float16).save_pretrained(partial, safe_serialization=True)
        pipeline.to(torch.float32)
        _declare_float32(partial)
    return folder


def _declare_float32(folder: Path) -> None:
    """Have the text encoders loaded in float32, as the other parts are when nothing is asked for.

    transformers loads in the type that the configuration names, diffusers in float32: a pipeline saved in
    half precision would come back as a mixture that cannot run.
    """
    for path in folder.glob("text_encoder*/config.json"):
        config = json.loads(path.read_text())
        config["dtype"] = "float32"
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def check_output(settings: BaseSettings) -> Path:
    """The output folder, refused when it holds anything but this run. Nothing is written."""
    path = Path(settings.output)
    if not is_begun(path, [SETTINGS_FILE], name="output"):
        return path
    there = BaseSettings.from_yaml(path / SETTINGS_FILE)
    for name, value, other in _differences(there.to_dict(), settings.to_dict()):
        if name not in ("output", "checkpoint_every", "device") and not _may_change(
            path, name, there, settings
        ):
            check_same(path, {name: value}, {name: other})
    return path


def _differences(there: dict, here: dict, prefix: str = "") -> Iterable[tuple[str, object, object]]:
    for name, value in there.items():
        if isinstance(value, dict):
            yield from _differences(value, here[name], f"{prefix}{name}.")
        elif value != here[name]:
            yield f"{prefix}{name}", value, here[name]


def _may_change(path: Path, name: str, there: BaseSettings, here: BaseSettings) -> bool:
    """Whether a training's length may still change: no step has been made that would have differed, and
    nothing that follows it."""
    part, _, field = name.partition(".")
    if part not in (AUTOENCODER, REFINEMENT, DENOISER) or field not in ("steps", "decay", "whole_steps"):
        return False
    if (path / (PIPELINE if part == DENOISER else LATENTS)).exists():
        return False
    checkpoint = latest_checkpoint(path / part)
    done = load_checkpoint(checkpoint)[0] if checkpoint else 0
    plans = [getattr(settings, part) for settings in (there, here)]
    return done <= min(plan.steps - max(plan.decay, getattr(plan, "whole_steps", 0)) for plan in plans)


def _latents(
    vae: AutoencoderKL, corpus: Corpus, settings: BaseSettings, output: Path, normalise: bool
) -> torch.Tensor:
    """Normalised latents of the corpus, and the autoencoder changed accordingly; from disk if there."""
    path = output / LATENTS
    if path.is_file():
        stored = load_file(path)
        latents = stored.pop("latents")
        vae.load_state_dict(stored)
        vae.register_to_config(scaling_factor=1.0)
        return latents
    latents = encode_corpus(vae, corpus, settings.precision, settings.device)
    if normalise:
        latents = normalise_latents(vae, latents)
    _write(path, {"latents": latents.contiguous(), **vae.state_dict()})
    return latents


def _small_latents(vae: AutoencoderKL, corpus: Corpus, settings: BaseSettings, output: Path) -> torch.Tensor:
    """Latents of the images of half the size by the normalised autoencoder; from disk if there."""
    path = output / SMALL
    if not path.is_file():
        _write(path, {"latents": encode_corpus(vae, corpus, settings.precision, settings.device)})
    return load_file(path)["latents"]


def _write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    with written_whole(path) as partial:
        save_file(tensors, partial)
