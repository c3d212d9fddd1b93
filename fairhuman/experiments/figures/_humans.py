"""The data set's figures: an image taken apart into its annotation, and how large faces and hands are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from ._marks import legend_below
from ._registry import drawn_from
from ._style import PAGE, colour

if TYPE_CHECKING:
    from fairhuman.data import HumanSample

_COLUMNS = ("image", "regions", "pose", "depth")


def annotation_figure(samples: Sequence[HumanSample]) -> Figure:
    """Each sample in a row: the image, the masks over it, the pose drawing, the depth.

    Args:
        samples: Read with pose and depth, and masks of the regions to show.
    """
    side = PAGE / len(_COLUMNS)
    figure, panels = plt.subplots(
        len(samples), len(_COLUMNS), figsize=(PAGE, (side + 0.2) * len(samples) + 0.2), squeeze=False
    )
    for row, sample in zip(panels, samples, strict=True):
        row[0].imshow(sample.image)
        draw_regions(row[1], sample)
        row[2].imshow(sample.pose)
        if sample.depth is not None:
            _draw_depth(row[3], sample.depth)
        # As a title, a caption wider than its panel would push the panels apart.
        place = {"transform": row[0].transAxes, "fontsize": 7, "va": "bottom", "in_layout": False}
        row[0].text(0, 1.03, sample.text, **place)
        for panel in row:
            panel.set_axis_off()
    handles = [Rectangle((0, 0), 1, 1, color=colour(name)) for name in samples[0].masks]
    figure.legend(handles, list(samples[0].masks), loc="outside lower center", ncols=len(handles))
    return figure


def draw_regions(ax: Axes, sample: HumanSample, strength: float = 0.6) -> None:
    """The image in grey with each region's mask over it in the region's colour."""
    grey = sample.image.mean(axis=-1, keepdims=True).repeat(3, axis=-1) / 255
    shown = 0.35 + 0.65 * grey
    for name, mask in sample.masks.items():
        share = strength * (mask[..., None] / 255)
        shown = (1 - share) * shown + share * np.array(to_rgb(colour(name)))
    ax.imshow(shown)


def boxes_figure(
    images: Sequence[np.ndarray],
    annotated: Sequence[Sequence[float]],
    detected: Sequence[Sequence[float]],
    titles: Sequence[str],
) -> Figure:
    """Images in a row with the box of the face's mask (solid) and the detector's (dashed).

    Args:
        images: (H, W, 3) uint8 arrays.
        annotated, detected: One box (x0, y0, x1, y1) in pixels an image.
        titles: A few words above each image.
    """
    figure, panels = plt.subplots(1, len(images), figsize=(PAGE, PAGE / len(images) + 0.35), squeeze=False)
    for panel, image, mask, found, title in zip(panels[0], images, annotated, detected, titles, strict=True):
        panel.imshow(image)
        _outline(panel, mask, colour("face"), "-", "mask")
        _outline(panel, found, colour("mpd"), "--", "detector")
        panel.set_title(title, fontweight="normal", fontsize=7)
        panel.set_axis_off()
    legend_below(figure, panels[0][0])
    return figure


@drawn_from("humans", "humans_areas")
def areas_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """How much of an image its face and its hands cover: the share of images that have less.

    Args:
        values: Of the result ``humans``: ``areas``, region to one share of the image for each image.

    Returns:
        The figure, and one row per image and region.
    """
    areas = {name: np.sort(np.asarray(shares, dtype=float)) for name, shares in values["areas"].items()}
    figure, panels = plt.subplots(1, len(areas), figsize=(PAGE, 2.0), sharey=True, squeeze=False)
    for panel, (name, shares) in zip(panels[0], areas.items(), strict=True):
        there = shares[shares > 0]
        panel.hist(there, bins=np.geomspace(1e-4, 1, 33), color=colour(name))
        panel.set(xscale="log", xlim=(4e-4, 0.9), xlabel="share of the image", title=name.capitalize())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        absent = f"none visible: {np.mean(shares == 0):.0%}"
        panel.annotate(absent, (0.02, 0.9), xycoords="axes fraction", fontsize=7)
    panels[0][0].set_ylabel("images")
    rows = [{"region": name, "area": value} for name, shares in areas.items() for value in shares]
    return figure, pd.DataFrame(rows)


def _draw_depth(ax: Axes, depth: np.ndarray) -> None:
    # Millimetres; what is no person stays white. Near is bright.
    metres = np.ma.masked_equal(depth, 0) / 1000
    ax.imshow(metres, cmap="cividis_r")
    if metres.count():
        near_far = f"{metres.min():.2f} to {metres.max():.2f} m"
        ax.set_title(near_far, fontweight="normal", fontsize=7, loc="right")


def _outline(ax: Axes, box: Sequence[float], line: str, linestyle: str, label: str) -> None:
    x0, y0, x1, y1 = box
    # Pixel column c covers [c, c + 1) in the annotation, [c - 0.5, c + 0.5) in Matplotlib.
    style: dict[str, Any] = {
        "fill": False,
        "edgecolor": line,
        "linestyle": linestyle,
        "linewidth": 1.3,
        "label": label,
    }
    ax.add_patch(Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, **style))
