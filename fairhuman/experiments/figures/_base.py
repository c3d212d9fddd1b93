"""How the embedded base was trained, and what it makes of people it never saw."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ._evaluation import draw_estimates, label
from ._registry import drawn_from
from ._style import PAGE, colour


@drawn_from("base/training", "base_training")
def base_training_figure(figures: Mapping[str, Any]) -> tuple[Figure, dict[str, Any]]:
    """Reconstruction of the autoencoder and loss of the UNet over the minutes of their training.

    Args:
        figures: Of the result ``base/training``.

    Returns:
        The figure, and the curves it shows.
    """
    denoiser = pd.DataFrame(figures["denoiser"]["curve"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.4))
    passed = 0.0
    for part, shown in (("autoencoder", "global"), ("refinement", "hand")):
        if part not in figures:
            continue
        curve = pd.DataFrame(figures[part]["curve"])
        for side, stretch in curve.groupby("side"):
            line = "-" if side == curve.side.max() else ":"
            name = f"{part}, {'whole images' if line == '-' else f'crops of {side:g}²'}"
            left.plot(passed + stretch.minutes, stretch.psnr, line, color=colour(shown), label=name)
        passed += figures[part]["minutes"]
    left.legend(loc="lower right", fontsize="small")
    left.set(title="Autoencoder", xlabel="minutes", ylabel="PSNR of reconstructions (dB)")
    right.plot(denoiser.minutes, denoiser.loss, color=colour("global"))
    for steps in figures["denoiser"].get("continued", ()):
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
        part: figures[part] for part in ("autoencoder", "refinement", "denoiser") if part in figures
    }


@drawn_from("base/judgement", "base_detection")
def base_detection_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """What detectors find in renders, in their reconstructions and in samples, by the area of the region.

    Args:
        figures: Of the result ``base/judgement``: ``detection``, rows of
            :func:`fairhuman.evaluation.evaluate_detection` by area, with the column ``system``.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(figures["detection"])
    data = data[(data.metric == "rate") & data.detector.isin(["face", "hand"])].reset_index(drop=True)
    systems = list(dict.fromkeys(data.system))
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.5), sharex=True)
    for panel, detector in zip(panels, ("face", "hand"), strict=True):
        own = data[data.detector == detector]
        draw_estimates(panel, own, "area", list(dict.fromkeys(own.area)), systems)
        panel.set(title=label(detector).capitalize(), xlabel="detection rate", xlim=(-0.02, 1.02))
    panels[0].set_ylabel("area of the region")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(systems))
    return figure, data


@drawn_from("base/progress", "base_progress")
def base_progress_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """What detectors find in samples as the UNet trains, beside what they find in renders.

    Args:
        figures: Of the result ``base/progress``: ``detection``, rows with ``images_seen``, and ``renders``.

    Returns:
        The figure, and its rows.
    """
    data, renders = pd.DataFrame(figures["detection"]), pd.DataFrame(figures["renders"])
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.3), sharey=True)
    for panel, detector in zip(panels, ("face", "hand"), strict=True):
        own = data[data.detector == detector].sort_values("images_seen")
        errors = (own.value - own.low, own.high - own.value)
        panel.errorbar(own.images_seen / 1000, own.value, errors, fmt="o-", color=colour(detector))
        ceiling = float(renders[renders.detector == detector].value.iloc[0])
        panel.axhline(ceiling, color=colour("renders"), linewidth=0.8)
        panel.annotate("renders", (0.02, ceiling), (0, -2), xycoords=("axes fraction", "data"),
                       textcoords="offset points", va="top", fontsize="small")  # fmt: skip
        panel.set(title=label(detector).capitalize(), xlabel="images seen (thousands)", ylim=(0, 1.02))
        panel.set_xlim(left=0)
    panels[0].set_ylabel("detection rate in samples")
    return figure, data
