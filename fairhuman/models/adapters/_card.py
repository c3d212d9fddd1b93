"""Model cards of adapters: description, training facts and loading code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fairhuman.files import write_text

if TYPE_CHECKING:
    from fairhuman.models.adapters._interface import Adapter

__all__ = ["write_card"]

_CONDITION = """
The condition image shows {what}, as `fairhuman.data.condition_image` draws it.
"""


def write_card(folder: Path, adapter: Adapter, facts: Mapping[str, Any]) -> Path:
    """Write ``README.md`` atomically, with the metadata header that model hubs read.

    Args:
        folder: Folder of the weights.
        adapter: The adapter to describe.
        facts: Training setting → value.
    """
    base = facts.get("base") or "the base embedded in fairhuman"
    header = {"library_name": "diffusers", "tags": ["fairhuman", "stable-diffusion-xl", adapter.kind]}
    if "/" in str(facts.get("base")):  # a repository's name
        header["base_model"] = str(base)
    count = sum(parameter.numel() for parameter in adapter.parameters.values())
    rows = "\n".join(f"| {name} | {_shown(value)} |" for name, value in facts.items())
    text = f"""---
{yaml.safe_dump(header, sort_keys=False).strip()}
---

# {adapter.title} for Stable Diffusion XL pipelines

{count:,} parameters, trained with regional objectives by fairhuman on {base}.
{_CONDITION.format(what=adapter.shown()) if adapter.conditions else ""}
```python
{adapter.usage}
```

| setting | value |
|---|---|
{rows}

It was trained on images of people; its effect on other images was not examined. Its use with a base
is subject to the base's licence and limitations.
"""
    return write_text(folder / "README.md", text)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(entry) for entry in value) or "none"
    return "none" if value is None else str(value)
