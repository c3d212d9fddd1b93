"""MoLE: a face and a hand expert on every linear layer of the UNet's transformers (Zhu et al., 2024).

MoLE has three stages. The first fine-tunes a whole base and is not repeated here. The second trains two LoRAs
with the targets in :data:`TRANSFORMER`, one on faces and one on hands, as ordinary runs of the adapter
``lora``. The third, this adapter, adds gates for both and trains the gates on whole people. In the authors'
text, the experts are frozen at this stage; their released code trains them as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fairhuman.files import written_whole
from fairhuman.models._batch import Batch
from fairhuman.models.adapters._card import write_card
from fairhuman.models.adapters._interface import Adapter
from fairhuman.models.adapters._lora import ATTENTION, check_targets, linear_layers, read_lora
from fairhuman.models.adapters._mole_layer import EXPERTS, GatedLinear
from fairhuman.settings import require

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = ["MOLE_FILE", "TRANSFORMER", "MoLE"]

MOLE_FILE = "mole.safetensors"
_RANK = 16
TRANSFORMER = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
"""Name suffixes of all linear layers of a transformer block and its projections."""


class MoLE(Adapter):
    """Two low-rank experts with local and global gates on a pipeline with frozen weights.

    Args:
        pipeline: The base.
        rank: Rank of both experts, ≥ 1; ``None`` means that of ``start``, or 16.
        alpha: Their outputs are scaled by alpha / rank; ``None`` means alpha = rank.
        targets: Name suffixes of the UNet's linear layers that get experts.
        experts: LoRAs of the second stage (run folders or files) for faces and for hands. They define rank
            and alpha and must adapt the layers in ``targets``.
        gates_only: Freeze the experts and train only the gates.
        seed: Seed of the initial weights.
        start: A MoLE to continue from (run folder or file); it defines layers, ranks and alphas.

    Raises:
        ValueError: A target matches no layer; experts or ``start`` do not fit.
        FileNotFoundError: A file does not exist.
    """

    kind = "mole"
    title = "MoLE"
    summary = "MoLE: gated face and hand experts"
    weights = MOLE_FILE
    usage = """\
from fairhuman.models import load_base
from fairhuman.models.adapters import load_adapter

pipe = load_base(BASE)
adapter = load_adapter(pipe, THIS_FOLDER)
image = pipe("a person waving").images[0]"""

    def __init__(
        self,
        pipeline: StableDiffusionXLPipeline,
        *,
        rank: int | None = None,
        alpha: float | None = None,
        targets: Sequence[str] = TRANSFORMER,
        experts: Sequence[str | os.PathLike[str]] | None = None,
        gates_only: bool = False,
        seed: int = 0,
        start: str | os.PathLike[str] | None = None,
    ) -> None:
        self.pipeline, self._scale = pipeline, 1.0
        names = linear_layers(pipeline.unet, targets)
        asked, rank = rank, _RANK if rank is None else rank
        scale = float(rank if alpha is None else alpha)
        ranks, alphas, state = (rank, rank), (scale, scale), {}
        if experts is not None:
            (ranks, alphas), state = _from_loras([Path(path) for path in experts], names, pipeline.unet)
        elif start is not None:
            (ranks, alphas, names), state = _from_file(Path(start), pipeline.unet)
            if asked is not None and asked not in ranks:
                found = " and ".join(map(str, ranks))
                raise ValueError(f"rank: must be that of start, whose experts have {found}, got {asked}")
        pipeline.unet.requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = {name: _replace(pipeline.unet, name, ranks, alphas) for name in names}
        self.ranks, self.alphas = tuple(ranks), tuple(alphas)
        named = self._named()
        with torch.no_grad():
            for name, tensor in state.items():
                named[name].copy_(tensor)
        for name, parameter in named.items():
            parameter.requires_grad_(not gates_only or "gate" in name)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        check_targets(options["targets"])
        experts, start, alpha = (options[name] for name in ("experts", "start", "alpha"))
        if experts is not None:
            require("experts", len(experts) == len(EXPERTS), "must be two LoRAs", experts)
            require("start", start is None, "must not be given where experts are", start)
            require("alpha", alpha is None, "must not be given where experts are", alpha)
        if start is not None:
            require("alpha", alpha is None, "must not be given where start is", alpha)

    @classmethod
    def is_at(cls, path: Path) -> bool:
        return super().is_at(path) or (path.is_file() and path.name == cls.weights)

    @classmethod
    def load(
        cls,
        pipeline: StableDiffusionXLPipeline,
        path: str | os.PathLike[str],
        conditions: Sequence[str] | None = None,
    ) -> Self:
        adapter = cls(pipeline, start=path)
        for layer in adapter.layers.values():
            layer.to(pipeline.unet.dtype).requires_grad_(False)
        return adapter

    @property
    def parameters(self) -> dict[str, Tensor]:
        return {name: parameter for name, parameter in self._named().items() if parameter.requires_grad}

    @property
    def scale(self) -> float:
        return self._scale

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale = float(value)
        for layer in self.layers.values():
            layer.beta = self._scale

    def predict(self, batch: Batch) -> Tensor:
        return batch.predict(self.unet)

    def save(self, folder: Path, facts: Mapping[str, Any]) -> Path:
        write_card(folder, self, facts)
        about = {"ranks": self.ranks, "alphas": self.alphas, "layers": list(self.layers)}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._named().items()}
        with written_whole(folder / MOLE_FILE) as partial:
            save_file(tensors, partial, metadata={"mole": json.dumps(about)})
        return folder / MOLE_FILE

    def sampler(self) -> StableDiffusionXLPipeline:
        return self.pipeline

    def remove(self) -> None:
        for name, layer in self.layers.items():
            parent, _, last = name.rpartition(".")
            setattr(self.unet.get_submodule(parent), last, layer.base)
        self.layers = {}

    def _named(self) -> dict[str, nn.Parameter]:
        return {
            f"{name}.{inner}": parameter
            for name, layer in self.layers.items()
            for inner, parameter in layer.named_parameters()
            if not inner.startswith("base.")
        }


def _replace(unet: nn.Module, name: str, ranks: Sequence[int], alphas: Sequence[float]) -> GatedLinear:
    parent, _, last = name.rpartition(".")
    base: Any = unet.get_submodule(name)
    # Always in float32, so that small steps of trained weights are not lost to rounding.
    layer = GatedLinear(base, ranks, alphas)
    for part in (layer.local_gate, layer.experts):
        part.to(base.weight.device, torch.float32)
    setattr(unet.get_submodule(parent), last, layer)
    return layer


def _from_loras(
    paths: list[Path], names: list[str], unet: nn.Module
) -> tuple[tuple[tuple[int, ...], tuple[float, ...]], dict[str, Tensor]]:
    """Ranks, alphas and weights of the second stage's LoRAs."""
    ranks, alphas, found = [], [], {}
    for expert, path in zip(EXPERTS, paths, strict=True):
        state, alpha = read_lora(path, unet)
        given = {key.removesuffix(".lora_A.weight") for key in state if key.endswith(".lora_A.weight")}
        if given != set(names):
            odd = sorted(given ^ set(names))[0]
            raise ValueError(
                f"experts: {path} is a LoRA on other layers ({odd}, for one); train it with targets "
                f"{', '.join(TRANSFORMER)}"
            )
        ranks.append(len(state[f"{names[0]}.lora_A.weight"]))
        alphas.append(float(ranks[-1] if alpha is None else alpha))
        for key, tensor in state.items():
            layer, matrix, _ = key.rsplit(".", 2)
            found[f"{layer}.experts.{expert}.{matrix}.weight"] = tensor
    return (tuple(ranks), tuple(alphas)), found


def _from_file(path: Path, unet: nn.Module) -> tuple[tuple[Any, Any, list[str]], dict[str, Tensor]]:
    """Ranks, alphas, layers and weights of a MoLE."""
    file = path / MOLE_FILE if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"mole: no such file: {file}")
    try:
        with safe_open(file, framework="pt") as content:
            about = json.loads(content.metadata()["mole"])
            state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"mole: {file} is not a MoLE: {error}") from error
    modules = dict(unet.named_modules())
    for name in about["layers"]:
        base, inputs = modules.get(name), state[f"{name}.local_gate.weight"].shape[1]
        outputs = state[f"{name}.experts.{EXPERTS[0]}.global_gate.weight"].shape[1]
        here = (base.in_features, base.out_features) if isinstance(base, nn.Linear) else None
        if here != (inputs, outputs):
            raise ValueError(
                f"mole: was trained for another base: {name} is {(inputs, outputs)} there, {here} here"
            )
    return (tuple(about["ranks"]), tuple(about["alphas"]), about["layers"]), state
