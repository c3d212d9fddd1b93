"""LoRA: low-rank updates of the attention layers, in the layout that ``pipe.load_lora_weights`` reads."""

from __future__ import annotations

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


class LoRA(Adapter):
    """A new LoRA on a pipeline, whose own weights are frozen.

    A starts from a Gaussian of deviation 1 / rank and B from zero, as in diffusers' training scripts, so
    the output is at first the base's.

    Args:
        pipeline: The base.
        rank: Rank of the updates, ≥ 1.
        alpha: The output is scaled by alpha / rank; ``None`` means alpha = rank.
        targets: Endings of the names of the UNet's linear layers that get one.
        text_encoders: Put one on the attention layers of both text encoders too.
        seed: Decides the start alone.
        start: A LoRA to go on from, a run's folder or a file, instead of a random one.

    Raises:
        ValueError: A target matches no linear layer; ``start`` has another rank, scale or other layers.
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
        targets: Sequence[str] = ATTENTION,
        text_encoders: bool = False,
        seed: int = 0,
        start: str | os.PathLike[str] | None = None,
    ) -> None:
        self.pipeline, self._name = pipeline, "default"
        self._encoders = _ENCODERS if text_encoders else ()
        linear_layers(pipeline.unet, targets)  # refuses what matches none
        parts = {"unet": targets} | dict.fromkeys(self._encoders, _TEXT_ATTENTION)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for part, names in parts.items():
                _add(getattr(pipeline, part), rank, alpha, names)
        self._scale = 1.0
        if start is not None:
            _start_from(self, Path(start))

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        check_targets(options["targets"])

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
        self.pipeline.set_adapters(self._name, value)

    def predict(self, batch: Batch) -> Tensor:
        if self._encoders:  # the cached embeddings are the base's
            tokens, _, pooled, _ = self.pipeline.encode_prompt(
                list(batch.texts), device=self.unet.device, do_classifier_free_guidance=False
            )
            batch = replace(batch, tokens=tokens, pooled=pooled)
        return batch.predict(self.unet)

    def save(self, folder: Path, facts: Mapping[str, Any]) -> Path:
        from diffusers import StableDiffusionXLPipeline
        from diffusers.utils import convert_state_dict_to_diffusers
        from peft.utils import get_peft_model_state_dict

        layers = {}
        for part in ("unet", *self._encoders):
            module = getattr(self.pipeline, part)
            layers[f"{part}_lora_layers"] = convert_state_dict_to_diffusers(get_peft_model_state_dict(module))
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
    """Put a trained LoRA on a pipeline, in place of any other.

    The same as diffusers' ``pipeline.load_lora_weights``, with errors that say what is wrong.

    Args:
        pipeline: The base the LoRA was trained on.
        path: A run's folder or a safetensors file.
        name: What the adapter is called on the pipeline.

    Raises:
        FileNotFoundError: No such file, or a run that is not complete.
        ValueError: It does not fit this base.
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
    """The UNet's part of a LoRA on disk, without putting it on.

    Args:
        path: A run's folder or a safetensors file.
        unet: Of the base.

    Returns:
        Layer, ``.lora_A.weight`` or ``.lora_B.weight`` → tensor; and alpha, ``None`` if the file has none.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is no LoRA, not on the UNet alone, or has an alpha for each layer.
    """
    file = _file(path)
    state, alphas, metadata = _state(file, unet)
    if alphas:
        raise ValueError(f"LoRA: {file} must have one alpha for all layers, got {len(alphas)}")
    short = {"lora.down": "lora_A", "lora.up": "lora_B"}
    found = {}
    for name, tensor in state.items():
        part, _, key = name.partition(".")
        if part != "unet":
            raise ValueError(f"LoRA: {file} also changes {part}; only the UNet's layers can be used here")
        for old, new in short.items():
            key = key.replace(f".{old}.weight", f".{new}.weight")
        found[key] = tensor
    return found, (metadata or {}).get("unet.lora_alpha")


def _file(path: Path) -> Path:
    file = path / LORA_FILE if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"LoRA: no such file: {file}")
    return file


def _state(file: Path, unet: torch.nn.Module) -> tuple[dict[str, Tensor], dict[str, float] | None, Any]:
    """Weights, alphas of single layers and metadata of a LoRA's file, as ``load_lora_weights`` reads it."""
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
    return state, alphas, metadata


def check_targets(targets: Sequence[str]) -> None:
    """Refuse an empty list of layers.

    Raises:
        ValueError: It is empty.
    """
    require("targets", bool(targets), "must name at least one layer", targets)


def linear_layers(unet: torch.nn.Module, targets: Sequence[str]) -> list[str]:
    """Names of the UNet's linear layers that end as the targets say.

    Raises:
        ValueError: A target matches none.
    """
    linear = [name for name, module in unet.named_modules() if isinstance(module, torch.nn.Linear)]
    for target in targets:
        if not any(f".{name}".endswith(f".{target}") for name in linear):
            raise ValueError(f"targets: no linear layer of the UNet is called {target!r}")
    return [name for name in linear if f".{name}".endswith(tuple(f".{target}" for target in targets))]


def _add(module: torch.nn.Module, rank: int, alpha: float | None, targets: Sequence[str]) -> None:
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig

    module.requires_grad_(False)
    module.add_adapter(
        LoraConfig(
            r=rank,
            lora_alpha=rank if alpha is None else alpha,
            init_lora_weights="gaussian",
            target_modules=list(targets),
        )
    )
    cast_training_params(module, dtype=torch.float32)


def _start_from(lora: LoRA, path: Path) -> None:
    """Copy a trained LoRA's weights; its file must have the very layers, rank and scale."""
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    file = _file(path)
    state, alphas, metadata = _state(file, lora.unet)
    if alphas:
        raise ValueError(f"start: {file} must have one alpha for all layers, got {len(alphas)}")
    for part in ("unet", *lora._encoders):
        module = getattr(lora.pipeline, part)
        config = module.peft_config[lora._name]
        named = convert_state_dict_to_diffusers(get_peft_model_state_dict(module))
        named = {f"{part}.{name}": tensor for name, tensor in named.items()}
        for name, tensor in named.items():
            if name not in state or state[name].shape != tensor.shape:
                found = "is absent" if name not in state else f"has shape {tuple(state[name].shape)}"
                raise ValueError(
                    f"start: {file} does not fit a LoRA of rank {config.r} on these layers: "
                    f"{name} {found}, must have {tuple(tensor.shape)}"
                )
        there = (metadata or {}).get(f"{part}.lora_alpha", config.lora_alpha)
        if there != config.lora_alpha:
            raise ValueError(f"start: {file} has alpha {there}, the settings {config.lora_alpha}")
        with torch.no_grad():
            for name, tensor in named.items():
                tensor.copy_(state[name])
    extra = sorted({name.split(".")[0] for name in state} - {"unet", *lora._encoders})
    if extra:
        raise ValueError(f"start: {file} also changes {', '.join(extra)}; set text_encoders to true")
