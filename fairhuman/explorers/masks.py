"""Region masks on the latent grid (notebook 03)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray
from PIL import Image

from fairhuman.data import HumanSample
from fairhuman.experiments.figures import PAGE, colour
from fairhuman.explorers._explorer import Explorer
from fairhuman.explorers._pictures import url
from fairhuman.profiles import unknown
from fairhuman.regions import box_mask, latent_mask
from fairhuman.sheet import jpeg

__all__ = ["MaskExplorer"]

_OUTLINES, _WAYS, _SIDES = ("outline", "box"), ("mean", "nearest"), (2, 4, 8, 16, 32, 64)


class MaskExplorer(Explorer):
    """Region masks, as outlines or boxes, resampled to latent grids of several sizes.

    Args:
        samples: At least one, all of the same size, divisible by 64, and with the same regions.
        picture: Index of the sample.
        region: One of their regions. Default: the last.
        outline: ``outline``, the region's outline, or ``box``, the boxes around it.
        way: ``mean`` of a cell's pixels, or ``nearest``: see :func:`fairhuman.regions.latent_mask`.
        side: Side length of a cell in pixels, a power of two from 2 to 64.
        shift: Shift of the image to the right in pixels, from 0 to 31.

    Raises:
        ValueError: The samples are invalid.
        traitlets.TraitError: Another value is out of range.
    """

    name = "masks"
    state = ("picture", "region", "outline", "way", "side", "shift")
    data = ("pictures",)

    pictures = traitlets.List().tag(sync=True)
    picture = traitlets.Int(0, min=0).tag(sync=True)
    region = traitlets.Unicode().tag(sync=True)
    outline = traitlets.Enum(_OUTLINES, "outline").tag(sync=True)
    way = traitlets.Enum(_WAYS, "mean").tag(sync=True)
    side = traitlets.Enum(_SIDES, 8).tag(sync=True)
    shift = traitlets.Int(0, min=0, max=31).tag(sync=True)

    def __init__(self, samples: Sequence[HumanSample], **start: Any) -> None:
        if not samples:
            raise ValueError("samples: at least one is needed, got none")
        self._samples = list(samples)
        first = self._samples[0]
        for number, one in enumerate(self._samples):
            if one.size != first.size or one.size[0] % 64 or one.size[1] % 64:
                raise ValueError(f"samples: need one size that 64 divides, got {one.size} at {number}")
            if list(one.masks) != list(first.masks) or not one.masks:
                names = [*first.masks]
                raise ValueError(f"samples: need the regions {names}, got {[*one.masks]} at {number}")
        start = {"region": list(first.masks)[-1]} | start
        super().__init__(pictures=[_packed(one) for one in self._samples], **start)

    @traitlets.validate("picture")
    def _check_picture(self, proposal: Any) -> int:
        if proposal["value"] >= len(self._samples):
            raise traitlets.TraitError(
                f"picture: must be below {len(self._samples)}, got {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.validate("region")
    def _check_region(self, proposal: Any) -> str:
        if proposal["value"] not in self._samples[0].masks:
            raise traitlets.TraitError(f"region: {unknown(proposal['value'], self._samples[0].masks)}")
        return proposal["value"]

    def mask(self, outline: str | None = None, way: str | None = None) -> NDArray[np.float32]:
        """The current mask on the latent grid, shape (h, w), values in [0, 1].

        Args:
            outline, way: Use these instead of the current values.
        """
        sample = self._samples[self.picture]
        pixels = _pixels(sample, self.region, outline or self.outline)
        moved = torch.zeros_like(pixels)
        moved[:, self.shift :] = pixels[:, : pixels.shape[1] - self.shift]
        size = (moved.shape[0] // self.side, moved.shape[1] // self.side)
        mode = "soft" if (way or self.way) == "mean" else "hard"
        return latent_mask(moved[None, None], size, mode)[0, 0].numpy()

    def _drawn(self) -> plt.Figure:
        figure, panels = plt.subplots(1, 5, figsize=(PAGE, 1.7))
        sample = self._samples[self.picture]
        moved = np.full_like(sample.image, 255)
        moved[:, self.shift :] = sample.image[:, : sample.size[1] - self.shift]
        panels[0].imshow(moved)
        panels[0].set_title(f"{self.region}: mask and grid")
        shades = LinearSegmentedColormap.from_list("cells", ["#F4F4F4", colour(self.region)])
        whole = float(_pixels(sample, self.region, "outline").mean())
        for panel, (outline, way) in zip(panels[1:], product(_OUTLINES, _WAYS), strict=True):
            grid = self.mask(outline, way)
            panel.imshow(grid, cmap=shades, vmin=0, vmax=1)
            panel.set_title(f"{outline}, {way}" + (f"\n{grid.mean() / whole:.0%} of area" if whole else ""))
        for panel in panels:
            panel.set_axis_off()
        return figure


def _pixels(sample: HumanSample, region: str, outline: str) -> torch.Tensor:
    if outline == "box":
        return box_mask(_boxes(sample, region), sample.size)[0]
    return torch.from_numpy(sample.masks[region].astype(np.float32) / 255)


def _boxes(sample: HumanSample, region: str) -> list[list[int]]:
    """Boxes around a region's parts in whole pixels; for hands, left and right."""
    found = [box for name, box in sample.boxes.items() if box and name.split("_")[-1] == region]
    whole = [[round(value) for value in box] for box in found]
    return [[x0, y0, x1, y1] for x0, y0, x1, y1 in whole if x0 < x1 and y0 < y1]


def _packed(sample: HumanSample) -> dict[str, Any]:
    """Image and masks in the browser's format."""
    return {
        "text": sample.text,
        "image": url("jpeg", jpeg(Image.fromarray(sample.image))),
        "masks": {name: url("png", _grey(mask)) for name, mask in sample.masks.items()},
        "boxes": {name: _boxes(sample, name) for name in sample.masks},
    }


def _grey(mask: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(mask).save(file, format="png", optimize=True)
    return file.getvalue()
