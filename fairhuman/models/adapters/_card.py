"""The model card beside an adapter's weights: what it is, how it was trained, how diffusers loads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fairhuman.files import write_text

if TYPE_CHECKING:
    from fairhuman.models.adapters._interface import Adapter

__all__ = ["write_card"]

_NAMES = {
    "lora": "LoRA",
    "controlnet": "ControlNet",
    "controlnet-union": "ControlNet-Union",
    "t2i-adapter": "T2I-Adapter",
    "mole": "MoLE",
}
_USE = {
    "lora": """\
from diffusers import StableDiffusionXLPipeline

pipe = StableDiffusionXLPipeline.from_pretrained(BASE)
pipe.load_lora_weights(THIS_FOLDER)
image = pipe("a person waving", cross_attention_kwargs={"scale": 1.0}).images[0]""",
    "controlnet": """\
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline

controlnet = ControlNetModel.from_pretrained(THIS_FOLDER)
pipe = StableDiffusionXLControlNetPipeline.from_pretrained(BASE, controlnet=controlnet)
image = pipe("a person waving", image=condition, controlnet_conditioning_scale=0.5).images[0]""",
    "controlnet-union": """\
from diffusers import ControlNetUnionModel, StableDiffusionXLControlNetUnionPipeline

controlnet = ControlNetUnionModel.from_pretrained(THIS_FOLDER)
pipe = StableDiffusionXLControlNetUnionPipeline.from_pretrained(BASE, controlnet=controlnet)
image = pipe("a person waving", control_image=[pose, depth], control_mode=[0, 1]).images[0]""",
    "t2i-adapter": """\
from diffusers import StableDiffusionXLAdapterPipeline, T2IAdapter

adapter = T2IAdapter.from_pretrained(THIS_FOLDER)
pipe = StableDiffusionXLAdapterPipeline.from_pretrained(BASE, adapter=adapter)
image = pipe("a person waving", image=condition, adapter_conditioning_scale=0.8).images[0]""",
    "mole": """\
from fairhuman.models import load_base
from fairhuman.models.adapters import load_adapter

pipe = load_base(BASE)
adapter = load_adapter(pipe, THIS_FOLDER)
image = pipe("a person waving").images[0]""",
}
_CONDITION = """
The condition image shows {what}, as `fairhuman.data.condition_image` draws it.
"""


def write_card(folder: Path, adapter: Adapter, facts: Mapping[str, Any]) -> Path:
    """Write ``README.md`` with the metadata that model hubs read in its header, whole or not at all.

    Args:
        folder: Where the weights will lie.
        adapter: What is described.
        facts: Setting → value of the training.
    """
    base = facts.get("base") or "the miniature embedded in fairhuman"
    kind = _NAMES[adapter.kind]
    header = {"library_name": "diffusers", "tags": ["fairhuman", "stable-diffusion-xl", adapter.kind]}
    if "/" in str(facts.get("base")):  # a repository's name
        header["base_model"] = str(base)
    count = sum(parameter.numel() for parameter in adapter.parameters.values())
    what = {("pose",): "the pose", ("depth",): "the depth"}.get(adapter.conditions, "the pose over the depth")
    if adapter.kind == "controlnet-union":
        what = " and, in an image of its own, ".join(f"the {name}" for name in adapter.conditions)
    rows = "\n".join(f"| {name} | {_shown(value)} |" for name, value in facts.items())
    text = f"""---
{yaml.safe_dump(header, sort_keys=False).strip()}
---

# {kind} for Stable Diffusion XL pipelines

{count:,} parameters, trained with regional objectives by fairhuman on {base}.
{_CONDITION.format(what=what) if adapter.conditions else ""}
```python
{_USE[adapter.kind]}
```

| setting | value |
|---|---|
{rows}

It was trained on images of people; what it does to other images was not examined. What it adds to a base
is subject to the base's own licence and limits.
"""
    return write_text(folder / "README.md", text)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(entry) for entry in value) or "none"
    return "none" if value is None else str(value)
