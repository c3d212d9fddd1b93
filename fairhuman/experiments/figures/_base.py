"""The training of the embedded base, and detection in its samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ._marks import counts, draw_estimates, label, legend_below
from ._registry import drawn_from
from ._style import PAGE, colour


@drawn_from("base/training", "base_training")
def base_training_figure(values: Mapping[str, Any]) -> tuple[Figure, dict[str, Any]]:
    """Reconstruction of the autoencoder and loss of the UNet over the minutes of their training.

    Args:
        values: Of the result ``base/training``.

    Returns:
        The figure, and the curves it shows.
    """
    denoiser = pd.DataFrame(values["denoiser"]["curve"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.4))
    passed = 0.0
    for part, shown in (("autoencoder", "global"), ("refinement", "hand")):
        if part not in values:
            continue
        curve = pd.DataFrame(values[part]["curve"])
        for side, stretch in curve.groupby("side"):
            line = "-" if side == curve.side.max() else ":"
            name = f"{part}, {'whole images' if line == '-' else f'crops of {side:g}²'}"
            left.plot(passed + stretch.minutes, stretch.psnr, line, color=colour(shown), label=name)
        passed += values[part]["minutes"]
    left.legend(loc="lower right", fontsize="small")
    left.set(title="Autoencoder", xlabel="minutes", ylabel="PSNR of reconstructions (dB)")
    right.plot(denoiser.minutes, denoiser.loss, color=colour("global"))
    for steps in values["denoiser"].get("continued", ()):
        began = denoiser.minutes[denoiser.step <= steps].max()
        right.axvline(began, color=colour("base"), linewidth=0.8)
        right.annotate(
            " continued", (began, 0.98), xycoords=("data", "axes fraction"), va="top", fontsize="small"
        )
    right.set(title="UNet and text encoders", xlabel="minutes", ylabel="loss (Eq. 1, v-prediction)")
    right.set_yscale("log")
    right.yaxis.set_major_formatter("{x:.2g}")
    right.yaxis.set_minor_formatter("{x:.2g}")
    return figure, {
        part: values[part] for part in ("autoencoder", "refinement", "denoiser") if part in values
    }


@drawn_from("base/judgement", "base_detection")
def base_detection_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """What detectors find in renders, in their reconstructions and in samples, by the area of the region.

    Args:
        values: Of the result ``base/judgement``: ``detection``, rows of
            :func:`fairhuman.evaluation.evaluate_detection` by area, with the column ``system``.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["detection"])
    data = data[(data.metric == "rate") & data.detector.isin(["face", "hand"])].reset_index(drop=True)
    systems = list(dict.fromkeys(data.system))
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.5), sharex=True)
    for panel, detector in zip(panels, ("face", "hand"), strict=True):
        subset = data[data.detector == detector]
        draw_estimates(panel, subset, "area", list(dict.fromkeys(subset.area)), systems)
        panel.set(title=label(detector).capitalize(), xlim=(-0.02, 1.02))
        panel.set_xlabel(f"detection rate ({counts(subset)})")
    panels[0].set_ylabel("area of the region")
    legend_below(figure, panels[0])
    return figure, data


_CURVES = (
    # recipe, measure, what is drawn, line and marker; the earlier one was not judged on crops
    ("present", "crop", "on enlarged crops", "o-"),
    ("present", "image", "in whole images", "o:"),
    ("earlier", "image", "earlier recipe, in whole images", "s:"),
)


@drawn_from("base/progress*", "base_progress")
def base_progress_figure(results: Sequence[Mapping[str, Any]]) -> tuple[Figure, pd.DataFrame]:
    """Detection rates in samples against the views that the UNet had seen, and in renders.

    Args:
        results: Values of judgements of one training at several stages, as ``benchmarks/base.py`` stores them
            (``images_seen``, ``detection``, ``anatomy``), and of the earlier recipe's ``base/progress``,
            which holds its stages together.

    Returns:
        The figure, and its rows: ``recipe``, ``measure``, ``detector``, ``system``, ``images_seen`` and the
        estimate's fields.

    Raises:
        ValueError: A judgement that was not of a training.
    """
    data = pd.concat([_stages(values) for values in results], ignore_index=True)
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.6), sharey=True)
    for panel, detector in zip(panels, ("face", "hand"), strict=True):
        of_panel = data[data.detector == detector]
        for recipe, measure, name, line in _CURVES:
            curve = of_panel[(of_panel.recipe == recipe) & (of_panel.measure == measure)]
            drawn = curve[curve.system == "samples"].sort_values("images_seen")
            if drawn.empty:
                continue
            hue = colour(detector if recipe == "present" else "base")
            errors = np.clip([drawn.value - drawn.low, drawn.high - drawn.value], 0, None)
            panel.errorbar(drawn.images_seen / 1000, drawn.value, errors, fmt=line, color=hue, label=name)
            ceiling = float(curve[curve.system == "renders"].value.iloc[-1])
            panel.axhline(ceiling, linestyle=line[1:], color=colour("renders"), linewidth=0.8)
            panel.annotate("renders", (0.02, ceiling), (0, -9), ("axes fraction", "data"), "offset points",
                           fontsize=7)  # fmt: skip
        panel.set(
            title=label(detector).capitalize(),
            xlabel=f"images seen, thousands ({counts(of_panel)})",
            ylim=(0, 1.02),
        )
        panel.set_xlim(left=0)
    panels[0].set_ylabel("share found in samples")
    legend_below(figure, panels[0])
    return figure, data


def _stages(values: Mapping[str, Any]) -> pd.DataFrame:
    if "renders" in values:
        rows = pd.concat([pd.DataFrame(values[name]).assign(system=system) for name, system in
                          (("renders", "renders"), ("detection", "samples"))])  # fmt: skip
        return rows.assign(recipe="earlier", measure="image")[_STAGE]
    if "images_seen" not in values:
        raise ValueError("results: each must be of a training, with images_seen, found one without")
    whole = pd.DataFrame(values["detection"])
    whole = whole[(whole.metric == "rate") & (whole.area == "all") & whole.detector.isin(["face", "hand"])]
    crops = pd.DataFrame(values["anatomy"])
    crops = crops[(crops.by == "all") & crops.measure.isin(["face on crop", "hand on crop"])]
    crops = crops.assign(detector=crops.measure.str.split().str[0], measure="crop")
    rows = pd.concat([whole.assign(measure="image"), crops])
    return rows.assign(recipe="present", images_seen=values["images_seen"])[_STAGE]


_STAGE = ["recipe", "measure", "detector", "system", "images_seen", "value", "low", "high", "n"]
