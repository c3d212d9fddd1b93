"""Conversion between LoRA files of kohya's sd-scripts (also A1111, ComfyUI) and of diffusers.

Source: the key names and ``ss_*`` metadata of sd-scripts' ``networks/lora.py`` and ``sdxl_original_unet.py``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fairhuman.files import written_whole
from fairhuman.models._base import bare_parts
from fairhuman.models._original import original_unet_name, unet_names
from fairhuman.models.adapters._lora import LORA_FILE, effective_alpha, portable
from fairhuman.settings import require

__all__ = ["LAYOUTS", "convert_lora"]

LAYOUTS = ("kohya", "diffusers")

_PREFIXES = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
_UNREAD = {
    "dora_scale": "a DoRA",
    "magnitude_vector": "a DoRA",
    "lora_mid": "a LoCon",
    "hada_": "a LoHa",
    "lokr_": "a LoKr",
    ".diff": "a full difference of weights",
}


@dataclass(frozen=True)
class Layers:
    """A LoRA independent of file layout.

    Attributes:
        down: (part, module) → A, shape (rank, in); part is ``unet``, ``text_encoder`` or ``text_encoder_2``.
        up: (part, module) → B, shape (out, rank).
        alpha: Alpha of all layers.
    """

    down: dict[tuple[str, str], Tensor]
    up: dict[tuple[str, str], Tensor]
    alpha: float

    @property
    def rank(self) -> int:
        return len(next(iter(self.down.values())))


def convert_lora(
    lora: str | os.PathLike[str],
    out: str | os.PathLike[str],
    layout: str,
    *,
    base: str | os.PathLike[str] | None = None,
) -> Path:
    """Write a LoRA file in another layout, with bit-identical weights.

    Args:
        lora: A run folder, or a file in either layout.
        out: New ``.safetensors`` file.
        layout: ``kohya`` for sd-scripts, A1111 and ComfyUI; ``diffusers`` for ``load_lora_weights``.
        base: The LoRA's base, which determines layer names; its weights are not read. ``None`` selects the
            embedded base.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: The LoRA or base does not exist.
        ValueError: ``out`` exists; or the file is not a plain LoRA (DoRA, LoCon and others are named),
            already has that layout, has a layer missing in the base, or has several alphas or ranks.
    """
    require("layout", layout in LAYOUTS, f"must be one of {', '.join(LAYOUTS)}", layout)
    file, out = Path(lora), Path(out)
    file = file / LORA_FILE if file.is_dir() else file
    if not file.is_file():
        raise FileNotFoundError(f"LoRA: no such file: {file}")
    if out.exists() or out.suffix != ".safetensors":
        raise ValueError(f"out: must be a new file that ends in .safetensors, got {str(out)!r}")
    try:
        with safe_open(file, "pt") as content:
            state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
            metadata = content.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"LoRA: cannot read {file}: {error}") from error
    for mark, kind in _UNREAD.items():
        if any(mark in name for name in state):
            raise ValueError(f"LoRA: {file} must be a plain LoRA, it is {kind}")
    there = "kohya" if any(name.startswith(tuple(_PREFIXES.values())) for name in state) else "diffusers"
    if there == layout:
        raise ValueError(f"layout: {file} has the layout {layout!r} already")
    parts = bare_parts(base)
    if layout == "kohya":
        layers = _from_diffusers(state, metadata, file)
        _check_fit(layers, parts, file)
        state, told = _to_kohya(layers, parts, Path(lora).stem)
    else:
        layers = _from_kohya(state, parts, file)
        _check_fit(layers, parts, file)
        state, told = _to_diffusers(layers)
    with written_whole(out) as partial:
        save_file(state, partial, metadata=told)
    return out


def _kohya_names(parts: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """(part, module) → name without dots, the UNet's in SDXL's original layout."""
    blocks, names = unet_names(parts["unet"].config), {}
    for part, model in parts.items():
        for module in _linear(part, model):
            name = original_unet_name(module, blocks) if part == "unet" else module
            if name is not None:
                names[part, module] = _PREFIXES[part] + name.replace(".", "_")
    return names


def _from_diffusers(state: Mapping[str, Tensor], metadata: Mapping[str, str], file: Path) -> Layers:
    down, up = {}, {}
    for name, tensor in state.items():
        part, _, rest = name.partition(".")
        module, mark, end = rest.partition(".lora")
        side = {"down": down, "up": up, "A": down, "B": up}.get(
            re.split(r"[._]", end.removesuffix(".weight"))[-1]
        )
        if part not in _PREFIXES or not mark or side is None or tensor.ndim != 2:
            raise ValueError(f"LoRA: {file} must hold matrices of linear layers alone, got {name}")
        side[part, portable(part, module)] = tensor
    config = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    rank = _ranks(down, up, file)
    alphas = [effective_alpha(config, part) for part in {part for part, _ in down}]
    return Layers(down, up, _one_alpha([rank if alpha is None else alpha for alpha in alphas], file))


def _from_kohya(state: Mapping[str, Tensor], parts: Mapping[str, Any], file: Path) -> Layers:
    known = _kohya_names(parts)
    modules = {name: key for key, name in known.items()}
    # Old sd-scripts and other trainers use diffusers' names for the UNet's layers.
    modules |= {_PREFIXES[part] + module.replace(".", "_"): (part, module) for part, module in known}
    down, up, alphas = {}, {}, {}
    for name, tensor in state.items():
        short, _, end = name.partition(".")
        if short == "bundle_emb":
            raise ValueError(f"LoRA: {file} must hold a LoRA alone, it brings an embedding: {name}")
        if short not in modules:
            raise ValueError(f"LoRA: {file} changes a layer that the base lacks: {short}")
        side = {"lora_down.weight": down, "lora_up.weight": up, "alpha": alphas}.get(end)
        if side is None or (side is not alphas and tensor.ndim != 2):
            raise ValueError(f"LoRA: {file} must hold matrices of linear layers alone, got {name}")
        side[modules[short]] = tensor
    rank = _ranks(down, up, file)
    found = [float(alphas[key]) if key in alphas else float(rank) for key in down]
    return Layers(down, up, _one_alpha(found, file))


def _one_alpha(found: Sequence[float], file: Path) -> float:
    """The common alpha of all layers; half precision may have rounded some."""
    if max(found) - min(found) > 1e-3 * max(found):
        raise ValueError(f"LoRA: {file} must have one alpha for all layers, got {sorted(set(found))}")
    return float(max(found))


def _ranks(down: Mapping, up: Mapping, file: Path) -> int:
    """The common rank of all layers; weights must be finite."""
    if not down or down.keys() != up.keys():
        alone = sorted(map(str, down.keys() ^ up.keys()))
        raise ValueError(f"LoRA: {file} must hold two matrices per layer, got {alone[:1] or 'none'}")
    for key, tensor in [*down.items(), *up.items()]:
        if not tensor.isfinite().all():
            raise ValueError(f"LoRA: {file} must hold finite weights, got others in {'.'.join(key)}")
    ranks = {len(tensor) for tensor in down.values()} | {tensor.shape[1] for tensor in up.values()}
    if len(ranks) > 1:
        raise ValueError(f"LoRA: {file} must have one rank for all layers, got {sorted(ranks)}")
    return ranks.pop()


def _check_fit(layers: Layers, parts: Mapping[str, Any], file: Path) -> None:
    """Check that a LoRA fits the base."""
    for (part, module), down in layers.down.items():
        linear = _linear(part, parts[part]).get(module)
        if linear is None:
            raise ValueError(f"LoRA: {file} changes a layer that the base lacks: {part}.{module}")
        shape, wanted = (len(layers.up[part, module]), down.shape[1]), tuple(linear.weight.shape)
        if shape != wanted:
            raise ValueError(
                f"LoRA: {file} must fit the base, where {part}.{module} has shape {wanted}, got {shape}"
            )


def _linear(part: str, model: torch.nn.Module) -> dict[str, torch.nn.Linear]:
    """Module → linear layer; text encoder modules have the names used in files."""
    found = {name: layer for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    return {portable(part, name): layer for name, layer in found.items()}


def _to_kohya(
    layers: Layers, parts: Mapping[str, Any], title: str
) -> tuple[dict[str, Tensor], dict[str, str]]:
    names, state = _kohya_names(parts), {}
    for key, tensor in layers.down.items():
        if key not in names:
            raise ValueError(f"LoRA: SDXL's original layout has no name for {'.'.join(key)}")
        state[f"{names[key]}.lora_down.weight"] = tensor.contiguous()
        state[f"{names[key]}.lora_up.weight"] = layers.up[key].contiguous()
        state[f"{names[key]}.alpha"] = torch.tensor(layers.alpha)
    return state, {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(layers.rank),
        "ss_network_alpha": f"{layers.alpha:g}",
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_v2": "False",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.title": title,
    }


def _to_diffusers(layers: Layers) -> tuple[dict[str, Tensor], dict[str, str]]:
    from peft import LoraConfig

    state: dict[str, Tensor] = {}
    config: dict[str, Any] = {}
    for part in sorted({part for part, _ in layers.down}):
        middle = "lora" if part == "unet" else "lora_linear_layer"
        modules = [module for there, module in layers.down if there == part]
        for module in modules:
            state[f"{part}.{module}.{middle}.down.weight"] = layers.down[part, module].contiguous()
            state[f"{part}.{module}.{middle}.up.weight"] = layers.up[part, module].contiguous()
        # Short enough to be a suffix of the names in every version of transformers.
        targets = sorted(module.removeprefix("text_model.encoder.") for module in modules)
        options: Any = {"r": layers.rank, "lora_alpha": layers.alpha, "target_modules": targets}
        told = LoraConfig(**options).to_dict() | {"target_modules": targets}
        config |= {f"{part}.{name}": value for name, value in told.items()}
    return state, {"format": "pt", "lora_adapter_metadata": json.dumps(config, indent=2, sort_keys=True)}
