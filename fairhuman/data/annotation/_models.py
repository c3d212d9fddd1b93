"""Depth and caption models of the ``transformers`` library, from local folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

__all__ = ["CaptionModel", "DepthModel", "check_model"]

_MOST_TOKENS: Final = 77  # what SDXL's text encoders read of a caption
# Local files only, without a folder's own code; otherwise transformers asks on a terminal.
_SAFELY: Final = {"local_files_only": True, "trust_remote_code": False}
_FARTHEST: Final = 65_535  # millimetres that 16 bits hold
# Networks whose output is a distance in metres; all others, but for those whose configuration says so, give
# inverse distances up to an unknown factor.
_METRIC: Final = frozenset({"depth_pro", "glpn", "zoedepth"})


def check_model(name: str, folder: str) -> None:
    """Check before any work that a folder contains a model.

    Raises:
        FileNotFoundError: The folder is missing or has no model; the message explains how to get one.
    """
    path = Path(folder)
    if not (path / "config.json").is_file() or not any(path.glob("*.safetensors")):
        raise FileNotFoundError(
            f"{name}: {folder} holds no config.json with weights in *.safetensors; download a model with "
            "hf download MODEL --local-dir FOLDER"
        )


class DepthModel:
    """A depth estimator, called on one image at a time."""

    def __init__(self, folder: str, device: str) -> None:
        from transformers import AutoImageProcessor, AutoModelForDepthEstimation

        self._processor = AutoImageProcessor.from_pretrained(folder, **_SAFELY)
        self._network = _loaded(AutoModelForDepthEstimation, folder, device)
        config = self._network.config
        kind = getattr(config, "depth_estimation_type", None)
        self.metric = kind == "metric" or config.model_type in _METRIC

    def __call__(self, picture: Image.Image) -> NDArray[np.uint16]:
        """Depth in millimetres, shape (H, W), at least 1. For inverse-depth models, only ratios are
        meaningful: the nearest point is placed at 1 m and the far limit at 65 m."""
        values = self._predict(picture)
        metres = values if self.metric else 1 / np.maximum(values / max(values.max(), 1e-6), 1e-6)
        return np.clip(np.rint(1000 * metres), 1, _FARTHEST).astype(np.uint16)

    def inverse(self, picture: Image.Image) -> NDArray[np.float32]:
        """Unrounded inverse depth, shape (H, W): in 1/m, at most 1000, for metric models; otherwise up to an
        unknown scale and shift."""
        values = self._predict(picture)
        return 1 / np.maximum(values, 1e-3) if self.metric else values

    @torch.no_grad()
    def _predict(self, picture: Image.Image) -> NDArray[np.float32]:
        """The network's output at the image's size."""
        inputs = self._processor(images=picture, return_tensors="pt").to(self._network.device)
        outputs = self._network(**inputs)
        found = self._processor.post_process_depth_estimation(outputs, [(picture.height, picture.width)])
        return found[0]["predicted_depth"].float().cpu().numpy()


class CaptionModel:
    """A vision-language model that captions images one at a time, with greedy decoding.

    Args:
        folder: The model's folder.
        prompt: Its prompt; a captioning model needs none.
        device: Its device.
    """

    def __init__(self, folder: str, prompt: str | None, device: str) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self._processor = AutoProcessor.from_pretrained(folder, **_SAFELY)
        self._network = _loaded(AutoModelForImageTextToText, folder, device)
        self._prompt = prompt
        if getattr(self._processor, "chat_template", None):
            self._prompt = prompt or "Describe this photograph in one sentence."

    @torch.no_grad()
    def __call__(self, picture: Image.Image) -> str:
        """The caption; empty if the model returns nothing."""
        inputs = self._inputs(picture).to(self._network.device)
        written = self._network.generate(**inputs, max_new_tokens=_MOST_TOKENS, do_sample=False)[0]
        asked = inputs.get("input_ids")
        if asked is not None and torch.equal(written[: asked.shape[1]], asked[0]):
            written = written[asked.shape[1] :]  # what the model was asked comes first in its answer
        return " ".join(self._processor.decode(written, skip_special_tokens=True).split())

    def _inputs(self, picture: Image.Image) -> Any:
        if not getattr(self._processor, "chat_template", None):
            return self._processor(images=picture, text=self._prompt, return_tensors="pt")
        content = [{"type": "image", "image": picture}, {"type": "text", "text": self._prompt}]
        return self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )


def _loaded(family: Any, folder: str, device: str) -> Any:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # each process would draw one over the bar of all images
    try:
        network = family.from_pretrained(folder, use_safetensors=True, **_SAFELY)
    finally:
        if shown:
            logging.enable_progress_bar()
    return network.to(device).eval()
