"""LoRA: low-rank updates of attention layers, in the layout of ``pipe.load_lora_weights``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from safetensors import SafetensorError
from torch import Tensor

from fairhuman.files import written_whole
from fairhuman.models._batch import Batch
from fairhuman.models._prompts import encode_texts
from fairhuman.models.adapters._card import write_card
from fairhuman.models.adapters._interface import Adapter
from fairhuman.settings import require

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = ["ATTENTION", "LORA_FILE", "LoRA", "check_targets", "linear_layers", "load_lora", "read_lora"]

LORA_FILE = "pytorch_lora_weights.safetensors"
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_TEXT_ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
_ENCODERS = ("text_encoder", "text_encoder_2")
_ALPHAS = (
    "{file} must have one alpha for all layers, got one for each, as in kohya's layout; "
    "`python -m fairhuman convert --layout diffusers` converts it"
)


class LoRA(Adapter):
    """A new LoRA on a pipeline with frozen weights.

    A is initialised from a Gaussian with standard deviation 1 / rank and B with zeros, as in diffusers'
    training scripts, so the initial output equals the base's.

    Args:
        pipeline: The base.
        rank: Rank of the updates, ≥ 1.
        alpha: The output is scaled by alpha / rank; ``None`` means alpha = rank.
        rslora: Scale by alpha / √rank instead (Kalajdzievski, 2023).
        dora: Learn each output's magnitude separately from its direction (Liu et al., 2024).
        targets: Name suffixes of the UNet's linear layers to adapt.
        text_encoders: Also adapt the attention layers of both text encoders.
        seed: Seed of the initial weights.
        start: A LoRA to continue from (run folder or file), instead of random weights.

    Raises:
        ValueError: A target matches no linear layer, or ``start`` has a different rank, scale or layers.
    """

    kind = "lora"
    title = "LoRA"
    summary = "a LoRA: low-rank updates of the attention layers"
    weights = LORA_FILE
    usage = """\
from diffusers import StableDiffusionXLPipeline

pipe = StableDiffusionXLPipeline.from_pretrained(BASE)
pipe.load_lora_weights(THIS_FOLDER)
image = pipe("a person waving", cross_attention_kwargs={"scale": 1.0}).images[0]"""

    def __init__(
        self,
        pipeline: StableDiffusionXLPipeline,
        *,
        rank: int = 16,
        alpha: float | None = None,
        rslora: bool = False,
        dora: bool = False,
        targets: Sequence[str] = ATTENTION,
        text_encoders: bool = False,
        seed: int = 0,
        start: str | os.PathLike[str] | None = None,
    ) -> None:
        self.pipeline, self._name = pipeline, "default"
        self._encoders: tuple[str, ...] = _ENCODERS if text_encoders else ()
        linear_layers(pipeline.unet, targets)  # refuses what matches none
        parts = {"unet": targets} | dict.fromkeys(self._encoders, _TEXT_ATTENTION)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for part, names in parts.items():
                _add(getattr(pipeline, part), rank, alpha, names, rslora, dora)
        self._scale = 1.0
        if start is not None:
            _start_from(self, Path(start))

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        check_targets(options["targets"])
        # transformers 5.23 loses the magnitudes of a text encoder's DoRA when loading it.
        rule = "must be false with text_encoders, whose DoRA is lost on loading"
        require("dora", not (options["dora"] and options["text_encoders"]), rule, options["dora"])

    @classmethod
    def load(
        cls,
        pipeline: StableDiffusionXLPipeline,
        path: str | os.PathLike[str],
        conditions: Sequence[str] | None = None,
    ) -> Self:
        self = cls.__new__(cls)
        self.pipeline, self._name, self._scale = pipeline, "lora", 1.0
        load_lora(pipeline, path, self._name)
        self._encoders = tuple(part for part in _ENCODERS if hasattr(getattr(pipeline, part), "peft_config"))
        return self

    @property
    def parameters(self) -> dict[str, Tensor]:
        found = {name: p for name, p in self.unet.named_parameters() if p.requires_grad}
        for part in self._encoders:
            named = getattr(self.pipeline, part).named_parameters()
            found |= {f"{part}.{name}": p for name, p in named if p.requires_grad}
        return found

    @property
    def scale(self) -> float:
        return self._scale

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale = value
        if value == 0:  # a factor of 0 would leave the magnitudes that a DoRA has learnt
            self.pipeline.disable_lora()
        else:
            self.pipeline.enable_lora()
            self.pipeline.set_adapters(self._name, value)

    def predict(self, batch: Batch) -> Tensor:
        if self._encoders:  # the cached embeddings are the base's
            chunks = batch.tokens.shape[1] // self.pipeline.tokenizer.model_max_length
            tokens, pooled = encode_texts(self.pipeline, batch.texts, chunks)
            batch = replace(batch, tokens=tokens.to(self.pipeline.text_encoder_2.dtype), pooled=pooled)
        return batch.predict(self.unet)

    @torch.no_grad()
    def predict_base(self, batch: Batch) -> Tensor:
        self.unet.disable_lora()  # a scale of 0 would leave the magnitudes that a DoRA has learnt
        try:
            return batch.predict(self.unet)
        finally:
            self.unet.enable_lora()

    def save(self, folder: Path, facts: Mapping[str, Any]) -> Path:
        from diffusers import StableDiffusionXLPipeline

        layers = {}
        for part in ("unet", *self._encoders):
            module = getattr(self.pipeline, part)
            layers[f"{part}_lora_layers"] = _named(module, part)
            config = module.peft_config[self._name].to_dict()
            config["base_model_name_or_path"] = None  # a path of this machine, for text encoders
            layers[f"{part}_lora_adapter_metadata"] = config
        write_card(folder, self, facts)
        with written_whole(folder / LORA_FILE) as partial:
            StableDiffusionXLPipeline.save_lora_weights(folder, weight_name=partial.name, **layers)
        return folder / LORA_FILE

    def sampler(self) -> StableDiffusionXLPipeline:
        return self.pipeline

    def remove(self) -> None:
        self.pipeline.unload_lora_weights()


def load_lora(pipeline: StableDiffusionXLPipeline, path: str | os.PathLike[str], name: str = "lora") -> None:
    """Attach a trained LoRA to a pipeline, replacing any other.

    Equivalent to diffusers' ``pipeline.load_lora_weights``, with specific error messages.

    Args:
        pipeline: The base the LoRA was trained on.
        path: A run folder or a safetensors file.
        name: Name of the adapter on the pipeline.

    Raises:
        FileNotFoundError: The file does not exist, or the run is incomplete.
        ValueError: The LoRA does not fit this base.
    """
    file = _file(Path(path))
    state, alphas, metadata = _state(file, pipeline.unet)
    pipeline.unload_lora_weights()
    try:
        given = {"adapter_name": name, "metadata": metadata, "_pipeline": pipeline}
        pipeline.load_lora_into_unet(state, alphas, pipeline.unet, **given)
        for part in _ENCODERS:
            if any(key.startswith(f"{part}.") for key in state):
                module = getattr(pipeline, part)
                pipeline.load_lora_into_text_encoder(state, alphas, module, prefix=part, **given)
    except (RuntimeError, ValueError, KeyError) as error:
        pipeline.unload_lora_weights()
        raise ValueError(f"LoRA: {file} does not fit this base: {error}") from error


def read_lora(path: Path, unet: torch.nn.Module) -> tuple[dict[str, Tensor], float | None]:
    """Read the UNet's part of a LoRA without attaching it.

    Args:
        path: A run folder or a safetensors file.
        unet: The base's UNet.

    Returns:
        Layer, ``.lora_A.weight`` or ``.lora_B.weight`` → tensor; and alpha, ``None`` if the file has none.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a LoRA, adapts more than the UNet, or has per-layer alphas.
    """
    file = _file(path)
    state, alphas, metadata = _state(file, unet)
    if alphas:
        raise ValueError(f"LoRA: {_ALPHAS.format(file=file)}")
    if any("magnitude_vector" in name for name in state):
        raise ValueError(f"LoRA: {file} must be a plain LoRA, it is a DoRA")
    short = {"lora.down": "lora_A", "lora.up": "lora_B"}
    found = {}
    for name, tensor in state.items():
        part, _, key = name.partition(".")
        if part != "unet":
            raise ValueError(f"LoRA: {file} also changes {part}; only the UNet's layers can be used here")
        for old, new in short.items():
            key = key.replace(f".{old}.weight", f".{new}.weight")
        found[key] = tensor
    return found, effective_alpha(metadata or {}, "unet")


def effective_alpha(metadata: Mapping[str, Any], part: str) -> float | None:
    """The alpha of a part, whose output is scaled by alpha / rank; ``None`` if not specified.

    Args:
        metadata: peft's settings, with names prefixed by their part.
        part: ``unet``, ``text_encoder`` or ``text_encoder_2``.

    Raises:
        ValueError: Layers have individual alphas or ranks.
    """
    for name in ("alpha_pattern", "rank_pattern"):
        if metadata.get(f"{part}.{name}"):
            raise ValueError(f"LoRA: {name} must be empty, got {metadata[f'{part}.{name}']}")
    alpha = metadata.get(f"{part}.lora_alpha")
    if alpha is None or not metadata.get(f"{part}.use_rslora"):
        return alpha
    return alpha * metadata[f"{part}.r"] ** 0.5


def _file(path: Path) -> Path:
    file = path / LORA_FILE if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"LoRA: no such file: {file}")
    return file


def _state(file: Path, unet: torch.nn.Module) -> tuple[dict[str, Tensor], dict[str, float] | None, Any]:
    """Weights, per-layer alphas and metadata of a LoRA file, as read by ``load_lora_weights``."""
    from diffusers import StableDiffusionXLPipeline

    try:
        state, alphas, metadata = StableDiffusionXLPipeline.lora_state_dict(
            str(file.parent),
            weight_name=file.name,
            use_safetensors=True,
            return_lora_metadata=True,
            unet_config=unet.config,
        )
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"LoRA: cannot read {file}: {error}") from error
    if not state or not all("lora" in name for name in state):
        raise ValueError(f"LoRA: {file} must hold the weights of a LoRA, got {sorted(state)[:3]}")
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise ValueError(f"LoRA: {file} must hold finite weights, got others in {name}")
    split = {name: name.partition(".") for name in state}
    named = {f"{part}.{portable(part, rest)}": state[name] for name, (part, _, rest) in split.items()}
    return named, alphas, metadata


def _named(module: Any, part: str) -> dict[str, Tensor]:
    """The weights of a part's LoRA under their names in the file, without the part's prefix."""
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    named = convert_state_dict_to_diffusers(get_peft_model_state_dict(module))
    return {portable(part, name): tensor for name, tensor in named.items()}


def portable(part: str, name: str) -> str:
    """A name within a pipeline part, as in files: transformers 5.6 removed a level from the first text
    encoder's names that other tools expect."""
    return f"text_model.{name}" if part == "text_encoder" and name.startswith("encoder.") else name


def check_targets(targets: Sequence[str]) -> None:
    """Check that a list of layers is not empty.

    Raises:
        ValueError: It is empty.
    """
    require("targets", bool(targets), "must name at least one layer", targets)


def linear_layers(unet: torch.nn.Module, targets: Sequence[str]) -> list[str]:
    """Names of the UNet's linear layers that end in a target.

    Raises:
        ValueError: A target matches none.
    """
    linear = [name for name, module in unet.named_modules() if isinstance(module, torch.nn.Linear)]
    for target in targets:
        if not any(f".{name}".endswith(f".{target}") for name in linear):
            raise ValueError(f"targets: no linear layer of the UNet is called {target!r}")
    return [name for name in linear if f".{name}".endswith(tuple(f".{target}" for target in targets))]


def _add(
    module: Any, rank: int, alpha: float | None, targets: Sequence[str], rslora: bool, dora: bool
) -> None:
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig

    module.requires_grad_(False)
    module.add_adapter(
        LoraConfig(
            r=rank,
            lora_alpha=rank if alpha is None else alpha,  # ty: ignore[invalid-argument-type]: takes floats, too
            init_lora_weights="gaussian",
            target_modules=list(targets),
            use_rslora=rslora,
            use_dora=dora,
        )
    )
    cast_training_params(module, dtype=torch.float32)


def _start_from(lora: LoRA, path: Path) -> None:
    """Copy a trained LoRA's weights; its file must have the same layers, rank and scale."""
    file = _file(path)
    state, alphas, metadata = _state(file, lora.unet)
    if alphas:
        raise ValueError(f"start: {_ALPHAS.format(file=file)}")
    extra = sorted({name.split(".")[0] for name in state} - {"unet", *lora._encoders})
    if extra:
        raise ValueError(f"start: {file} also changes {', '.join(extra)}; set text_encoders to true")
    for part in ("unet", *lora._encoders):
        module = getattr(lora.pipeline, part)
        config = module.peft_config[lora._name]
        named = {f"{part}.{name}": tensor for name, tensor in _named(module, part).items()}
        for name, tensor in named.items():
            if name not in state or state[name].shape != tensor.shape:
                found = "is absent" if name not in state else f"has shape {tuple(state[name].shape)}"
                raise ValueError(
                    f"start: {file} does not fit a LoRA of rank {config.r} on these layers: "
                    f"{name} {found}, must have {tuple(tensor.shape)}"
                )
        asked = config.lora_alpha * (config.r**0.5 if config.use_rslora else 1)
        there = effective_alpha(metadata or {}, part)
        if there is not None and not math.isclose(there, asked, rel_tol=1e-6):
            raise ValueError(f"start: {file} has alpha {there:g}, the settings {asked:g} (rslora included)")
        left = sorted(name for name in state if name.startswith(f"{part}.") and name not in named)
        if left:
            raise ValueError(f"start: {file} also holds {left[0]}, which a LoRA with these settings lacks")
        with torch.no_grad():
            for name, tensor in named.items():
                tensor.copy_(state[name])
