"""The three scores of the paper's Table 1 behind one interface: one number per image and prompt."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fairhuman.evaluation.preference._image_reward import reward_network
from fairhuman.evaluation.preference._open_clip import clip_from_open_clip
from fairhuman.evaluation.preference._pixels import crop_centre, fit_and_pad
from fairhuman.evaluation.preference._weights import Published, find, read_state
from fairhuman.images import ImageLike
from fairhuman.profiles import unknown

_CLIP = ("openai/clip-vit-large-patch14", "32bd64288804d66eefd0ccbe215aa642df71cc41")
_CLIP_WORDS = Published(*_CLIP, ("vocab.json", "merges.txt"), 2)
_BERT_WORDS = Published(
    "google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594", ("vocab.txt",), 1
)


class Scorer(ABC):
    """A model that scores an image and its prompt.

    Args:
        model: The network.
        tokenizer: A tokenizer of transformers.
        device: Where to compute.
    """

    name: str
    """Its name in tables and results."""
    in_the_paper: float = 100.0
    """Factor on the score in the paper's tables."""
    model: Any
    """The network; each scorer knows its parts."""

    def __init__(self, model: nn.Module, tokenizer: Any, device: str | torch.device = "cpu") -> None:
        self.model, self.tokenizer, self.device = model.to(device), tokenizer, torch.device(device)

    @torch.inference_mode()
    def score(
        self, images: Sequence[ImageLike], prompts: Sequence[str], *, batch: int = 16, progress: bool = False
    ) -> np.ndarray:
        """One score per image, in the model's unit, independent of the batch and of other images.

        Args:
            images: Paths, PIL images or arrays.
            prompts: The prompt of each.
            batch: Batch size, ≥ 1.
            progress: Show a progress bar on a terminal.

        Returns:
            Shape (images,), float64.

        Raises:
            ValueError: The numbers of images and prompts differ, a prompt is empty, or an image is
                unreadable.
        """
        if len(images) != len(prompts):
            raise ValueError(f"prompts: one for each of {len(images)} images, got {len(prompts)}")
        for index, prompt in enumerate(prompts):
            if not isinstance(prompt, str) or not prompt.strip():
                raise ValueError(f"prompts[{index}]: must be a non-empty string, got {prompt!r}")
        if batch < 1:
            raise ValueError(f"batch: must be ≥ 1, got {batch}")
        from tqdm import tqdm

        values = []
        with tqdm(total=len(images), desc=self.name, unit="image", disable=None if progress else True) as bar:
            for start in range(0, len(images), batch):
                part = slice(start, start + batch)
                pixels = torch.stack([self.pixels(image) for image in images[part]]).to(self.device)
                words = self.tokenizer(
                    list(prompts[part]),
                    padding="max_length",
                    truncation=True,
                    max_length=self.longest(),
                    return_tensors="pt",
                ).to(self.device)
                values.append(self.rate(pixels, words.input_ids, words.attention_mask).double().cpu())
                bar.update(len(pixels))
        return torch.cat(values).numpy() if values else np.empty(0)

    @abstractmethod
    def pixels(self, image: ImageLike) -> Tensor:
        """The image as the network takes it, of shape (3, side, side)."""

    @abstractmethod
    def longest(self) -> int:
        """Maximum prompt length in tokens; longer prompts are truncated."""

    @abstractmethod
    def rate(self, pixels: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Scores of a batch, shape (batch,)."""

    @classmethod
    @abstractmethod
    def load(
        cls,
        weights: str | os.PathLike[str] | None = None,
        *,
        words: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
        download: bool = False,
    ) -> Scorer:
        """Load the published weights, of the pinned revision or from a folder.

        Args:
            weights: Folder of the published files. Default: the hub's cache.
            words: Folder of the tokenizer's files. Default: ``weights`` if it has them, otherwise the hub's
                cache.
            device: Device of the model.
            download: Download files missing in the hub's cache.

        Raises:
            MissingWeights: A file is missing; the message explains how to get it.
            ValueError: A file does not contain the model's weights.
        """


class ClipScore(Scorer):
    """Cosine between CLIP's features of image and prompt (ViT-L/14 of OpenAI), without a floor at zero."""

    name = "clip_score"
    weights = Published(*_CLIP, ("config.json", "model.safetensors"), 1710)

    def pixels(self, image: ImageLike) -> Tensor:
        return crop_centre(image, self.model.config.vision_config.image_size)

    def longest(self) -> int:
        return self.model.config.text_config.max_position_embeddings

    def rate(self, pixels: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        # No mask: attention is causal, so nothing before the end token sees the padding.
        seen = self.model.get_image_features(pixel_values=pixels).pooler_output
        read = self.model.get_text_features(input_ids=tokens).pooler_output
        return nn.functional.cosine_similarity(seen, read)

    @classmethod
    def load(cls, weights=None, *, words=None, device="cpu", download=False):
        from transformers import CLIPModel

        folder = find(cls.weights, weights, download)
        model = CLIPModel.from_pretrained(folder, use_safetensors=True, local_files_only=True).eval()
        return cls(model, _clip_words(words, weights, download), device)


class Hps(ClipScore):
    """Human Preference Score v2.1 (Wu et al. 2023): the cosine of an open_clip ViT-H/14 tuned on choices."""

    name = "hps_v2.1"
    weights = Published(
        "xswu/HPSv2", "697403c78157020a1ae59d23f111aa58ced35b0a", ("HPS_v2.1_compressed.pt",), 1970
    )

    def pixels(self, image: ImageLike) -> Tensor:
        return fit_and_pad(image, self.model.config.vision_config.image_size)

    @classmethod
    def load(cls, weights=None, *, words=None, device="cpu", download=False):
        state = read_state(find(cls.weights, weights, download) / cls.weights.files[0])
        return cls(clip_from_open_clip(state), _clip_words(words, weights, download), device)


class ImageReward(Scorer):
    """ImageReward v1.0 (Xu et al. 2023): a reward in deviations from the mean of the authors' images."""

    name = "image_reward"
    weights = Published(
        "THUDM/ImageReward", "5736be03b2652728fb87788c9797b0570450ab72", ("ImageReward.pt",), 1790
    )
    tokens = 35
    """Longest prompt, as in the released code."""

    def pixels(self, image: ImageLike) -> Tensor:
        return crop_centre(image, self.model.vision.config.image_size)

    def longest(self) -> int:
        return min(self.tokens, self.model.text.config.max_position_embeddings)

    def rate(self, pixels: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.model(pixels, tokens, mask)

    @classmethod
    def load(cls, weights=None, *, words=None, device="cpu", download=False):
        state = read_state(find(cls.weights, weights, download) / cls.weights.files[0])
        return cls(reward_network(state), _bert_words(words, weights, download), device)


SCORERS: dict[str, type[Scorer]] = {scorer.name: scorer for scorer in (Hps, ImageReward, ClipScore)}


def load_scorer(name: str, weights: str | os.PathLike[str] | None = None, **options: Any) -> Scorer:
    """Load one of ``hps_v2.1``, ``image_reward`` and ``clip_score``; see :meth:`Scorer.load`.

    Raises:
        ValueError: Unknown name, or what :meth:`Scorer.load` refuses.
    """
    if name not in SCORERS:
        raise ValueError(f"metric: {unknown(name, SCORERS)}")
    return SCORERS[name].load(weights, **options)


def _clip_words(words, weights, download: bool):
    from transformers import CLIPTokenizer

    return _words(CLIPTokenizer.from_pretrained, _CLIP_WORDS, words, weights, download)


def _bert_words(words, weights, download: bool):
    from transformers import BertTokenizer

    return _words(BertTokenizer.from_pretrained, _BERT_WORDS, words, weights, download)


def _words(read: Callable[[Path], Any], published: Published, words, weights, download: bool) -> Any:
    beside = weights is not None and (Path(weights) / published.files[0]).is_file()
    return read(find(published, weights if words is None and beside else words, download))
