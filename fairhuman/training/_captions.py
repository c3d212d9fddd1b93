"""Caption changes in training: trigger word, shuffled tags, dropout."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

__all__ = ["Captions"]


@dataclass(frozen=True)
class Captions:
    """Caption changes. The trigger is added first, so it counts as a tag.

    Attributes:
        trigger: Word prepended to captions that lack it, ignoring case; ``None`` for none.
        shuffle: Whether comma-separated tags are shuffled each time.
        keep: Number of leading tags that keep their place.
        dropout: Probability that the caption is dropped.

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
        """Whether captions change randomly."""
        return self.shuffle or self.dropout > 0

    def fixed(self, caption: str) -> str:
        """The caption with the trigger, before random changes."""
        word = self.trigger
        if word is None or re.search(rf"(?<!\w){re.escape(word)}(?!\w)", caption, re.IGNORECASE):
            return caption
        return f"{word}, {caption}"

    def drawn(self, caption: str, generator: torch.Generator) -> str | None:
        """The caption after random changes; ``None`` if dropped."""
        if torch.rand((), generator=generator).item() < self.dropout:
            return None
        if not self.shuffle:
            return caption
        tags = [tag.strip() for tag in caption.split(",") if tag.strip()]
        kept, others = tags[: self.keep], tags[self.keep :]
        order = torch.randperm(len(others), generator=generator).tolist()
        return ", ".join([*kept, *(others[place] for place in order)])
