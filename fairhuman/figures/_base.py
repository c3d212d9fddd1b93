"""How the embedded base was trained."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

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
    right.set(title="UNet and text encoders", xlabel="minutes", ylabel="loss (Eq. 1, v-prediction)")
    right.set_yscale("log")
    right.yaxis.set_major_formatter("{x:.2g}")
    right.yaxis.set_minor_formatter("{x:.2g}")
    return figure, {
        part: figures[part] for part in ("autoencoder", "refinement", "denoiser") if part in figures
    }
