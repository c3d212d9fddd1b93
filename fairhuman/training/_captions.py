"""What a training makes of a caption: a trigger word, tags in another order, or nothing at all."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

__all__ = ["Captions"]


@dataclass(frozen=True)
class Captions:
    """How captions change. The trigger comes first, so that it counts among the tags.

    Attributes:
        trigger: Word put before a caption that lacks it, whatever its case; ``None`` for none.
        shuffle: Whether what stands between commas comes in another order each time.
        keep: How many tags at the start stay where they are.
        dropout: Probability that there is no caption.

    >>> Captions(trigger="ohwx").fixed("a man, hands")
    'ohwx, a man, hands'
    >>> Captions(shuffle=True, keep=1).drawn("a man, hands, smiling", torch.Generator().manual_seed(0))
    'a man, smiling, hands'
    """

    trigger: str | None = None
    shuffle: bool = False
    keep: int = 0
    dropout: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether a caption is another one from draw to draw."""
        return self.shuffle or self.dropout > 0

    def fixed(self, caption: str) -> str:
        """What is the same each time: the caption with the trigger."""
        word = self.trigger
        if word is None or re.search(rf"(?<!\w){re.escape(word)}(?!\w)", caption, re.IGNORECASE):
            return caption
        return f"{word}, {caption}"

    def drawn(self, caption: str, generator: torch.Generator) -> str | None:
        """What chance makes of that; ``None`` where the caption is dropped."""
        if torch.rand((), generator=generator).item() < self.dropout:
            return None
        if not self.shuffle:
            return caption
        tags = [tag.strip() for tag in caption.split(",") if tag.strip()]
        kept, others = tags[: self.keep], tags[self.keep :]
        order = torch.randperm(len(others), generator=generator).tolist()
        return ", ".join([*kept, *(others[place] for place in order)])
