"""The derivation's figures: what Eq. 10 and ``least_squares`` give, against the optimum of Eq. 5."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from fairhuman.experiments.ablations import SETTINGS

from ._marks import legend_below
from ._registry import drawn_from
from ._style import PAGE, colour

_STRATEGIES = {"mpd": SETTINGS["mpd"].label} | {
    one.changes["strategy"]: one.label
    for one in SETTINGS.values()
    if {*one.changes} == {"strategy"} and one.longer == 1
}
_METHODS = {
    "exact": ("exact (Eq. 8)", colour("mpd"), "o"),
    "closed_form": ("closed form (Eq. 10)", colour("closed_form"), "s"),
    "plain_sum": ("plain sum", colour("ls"), "^"),
    "max_min": ("max-min (MGDA)", colour("base"), "D"),
    "upgrad": ("UPGrad", colour("hand"), "v"),
    "pcd": ("PCD", colour("face"), "+"),
    "sdmgrad": ("SDMGrad", colour("max_min"), "x"),
}
_OBJECTIVES = {"global": "s", "face": "o", "hand": "^"}


@drawn_from("mpd_derivation", "derivation_rates")
def rates_figure(values: Mapping[str, Any]) -> tuple[Figure, dict[str, Any]]:
    """Rates of descent that two objectives can have at once, with the methods' choices.

    Args:
        values: Of the result ``mpd_derivation``: ``planes``, by title.

    Returns:
        The figure, and the planes.
    """
    planes = values["planes"]
    figure, panels = plt.subplots(1, len(planes), figsize=(PAGE, 2.7), squeeze=False)
    for panel, (title, plane) in zip(panels[0], planes.items(), strict=True):
        x, y = np.asarray(plane["ellipse"])
        panel.fill(x, y, color="#EEF3F8", zorder=0)
        panel.plot(x, y, "-", color=colour("base"), linewidth=1)
        _delay_contours(panel, x.max(), y.max(), plane["cost"])
        panel.axhline(0, color="black", linewidth=0.6)
        panel.axvline(0, color="black", linewidth=0.6)
        for name, point in plane["points"].items():
            words, shade, marker = _METHODS[name]
            panel.plot(
                *point, marker, color=shade, markersize=7, label=words, markerfacecolor="none",
                markeredgewidth=1.4, zorder=5,
            )  # fmt: skip
        _name_coinciding(panel, plane["points"])
        panel.set(title=title, xlabel="rate of objective 1, g₁ᵀd")
        panel.set(xlim=(-0.35 * x.max(), 1.12 * x.max()), ylim=(-0.35 * y.max(), 1.12 * y.max()))
    panels[0, 0].set_ylabel("rate of objective 2, g₂ᵀd")
    legend_below(figure, panels[0, 0], 4)
    return figure, {"planes": planes}


def _name_coinciding(panel: Any, points: Mapping[str, Sequence[float]]) -> None:
    """Words at a point where several methods lie, whose marks hide one another."""
    short = {name: _METHODS[name][0].partition(" (")[0] for name in points}
    places: dict[tuple[float, ...], list[str]] = {}
    for name, point in points.items():
        places.setdefault(tuple(np.round(point, 6)), []).append(short[name])
    for place, names in places.items():
        if len(names) > 1:
            others = [name for name in short.values() if name not in names]
            words = f"all but {', '.join(others)}" if len(others) < len(names) else " = ".join(names)
            panel.annotate(
                words, place, (-8, -4), textcoords="offset points", ha="right", va="top", fontsize=7
            )


@drawn_from("mpd_derivation", "derivation_strategies")
def strategies_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """What each strategy would have done at the recorded steps, nearest to the exact direction first.

    Args:
        values: Of the result ``mpd_derivation``: ``strategies`` as rows.

    Returns:
        The figure, and its rows.
    """
    rows = sorted(values["strategies"], key=lambda row: -row["cosine"])
    places, names = np.arange(len(rows)), [row["strategy"] for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 0.8 + 0.19 * len(rows)), sharey=True)
    mean, low = (np.array([row[key] for row in rows]) for key in ("cosine", "cosine_5"))
    left.hlines(places, low, mean, color=colour("mpd"), linewidth=1)
    left.plot(mean, places, "o", color=colour("mpd"))
    for (objective, marker), shift in zip(_OBJECTIVES.items(), (-0.22, 0, 0.22), strict=True):
        shares = [row["ascends"][objective] for row in rows]
        right.plot(shares, places + shift, marker, color=colour(objective), label=objective)
    left.set_yticks(places, [_STRATEGIES.get(name, name) for name in names])
    left.set(ylim=(len(rows) - 0.5, -0.5), xlabel="cosine, mean and 5th percentile")
    right.set(xlabel="steps in which it ascends")
    left.set_title("With the exact direction")
    right.set_title("Each objective")
    right.xaxis.set_major_locator(MultipleLocator(0.05))
    right.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_below(figure, right)
    return figure, pd.json_normalize(rows)


def _delay_contours(panel: Any, right: float, top: float, optimum: float) -> None:
    x, y = np.meshgrid(np.linspace(1e-3, 1.12, 300) * right, np.linspace(1e-3, 1.12, 300) * top)
    levels = [optimum * factor for factor in (0.7, 1, 1.5, 3)]
    panel.contour(x, y, 1 / x + 1 / y, levels=levels, colors=colour("mpd"), linewidths=0.7, alpha=0.7)


@drawn_from("mpd_derivation", "derivation_dimension")
def dimension_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Eq. 10 and the plain sum on random gradients: excess of Eq. 5, negative weights, ascents.

    Args:
        values: Of the result ``mpd_derivation``: ``by_dimension`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = _with_infinities(values["by_dimension"])
    figure, panels = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    for method in ("closed_form", "plain_sum"):
        words, shade, marker = _METHODS[method]
        rows = data[data.method == method]
        excess, ceiling = rows[["excess", "excess_95"]].astype(float), 20
        panels[0].plot(rows.dimension, excess.excess, f"{marker}-", color=shade, label=words)
        panels[0].fill_between(
            rows.dimension, excess.excess, excess.excess_95.clip(upper=ceiling), color=shade, alpha=0.15, lw=0
        )
        panels[2].plot(rows.dimension, rows.ascends, f"{marker}-", color=shade)
        panels[1].plot(rows.dimension, rows.negative_weight, f"{marker}-", color=shade)
    panels[0].set(title="Eq. 5 above its optimum", yscale="log", ylim=(1e-6, 20))
    panels[0].set_ylabel("median to 95th percentile")
    panels[1].set(title="A weight is negative")
    panels[2].set(title="An objective ascends")
    for panel in panels:
        panel.set(xscale="log", xlabel="dimension of the gradients")
        ticks = sorted(data.dimension.unique())
        panel.set_xticks(ticks, [f"{tick}" for tick in ticks])
        panel.minorticks_off()
    for panel in panels[1:]:
        panel.set_ylim(-0.02, 0.5)
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_below(figure, panels[0])
    return figure, data


@drawn_from("mpd_derivation", "derivation_maps")
def maps_figure(values: Mapping[str, Any]) -> tuple[Figure, dict[str, Any]]:
    """Where Eq. 10 fails, over the cosine of global and local gradients and their ratio of norms.

    Args:
        values: Of the result ``mpd_derivation``: ``maps``, one for each cosine of the local gradients.

    Returns:
        The figure, and the maps.
    """
    maps = values["maps"]
    figure, panels = plt.subplots(1, len(maps), figsize=(PAGE, 2.9), sharey=True, squeeze=False)
    for panel, one in zip(panels[0], maps, strict=True):
        rho, ratio = np.asarray(one["rho"], float), np.asarray(one["log10_ratio"], float)
        excess, smallest, worst = (_grid(one[name]) for name in ("excess", "smallest", "worst"))
        drawn = np.where(np.isnan(worst), np.nan, np.where(np.isnan(excess), 1e3, np.clip(excess, 1e-5, 10)))
        panel.pcolormesh(rho, ratio, drawn, norm=LogNorm(1e-5, 10), rasterized=True, cmap="cividis")
        negative = np.where(np.isnan(smallest), 1, smallest)
        ascends = np.where(np.isnan(worst), 1, worst)
        panel.contour(rho, ratio, negative, levels=[0], colors="white", linewidths=1.3)
        panel.contourf(rho, ratio, ascends, levels=[-1, 0], colors=[colour("ls")], alpha=0.9)
        cosine = f"{one['correlation']:+.1f}".replace("-", "−").replace("+0.0", "0")
        panel.set(title=f"cosine of face and hand {cosine}", xlabel="cosine with the global gradient")
        panel.set(xlim=(-1, 1), facecolor="#DDDDDD")
        panel.set_yticks([-2, -1, 0, 1, 2], ["0.01", "0.1", "1", "10", "100"])
        panel.grid(visible=False)
    panels[0, 0].set_ylabel("norm of local to global gradient")
    figure.colorbar(
        panels[0, 0].collections[0], ax=panels[0, -1], label="Eq. 5 above its optimum", extend="both"
    )
    return figure, {"maps": maps}


@drawn_from("mpd_derivation", "derivation_shrinking")
def shrinking_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """What ``least_squares`` makes of small gradients: direction and length against the exact ones.

    Args:
        values: Of the result ``mpd_derivation``: ``shrinking`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["shrinking"])
    size = 10.0**data.log10_size
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.4))
    for panel, column, title in (
        (panels[0], "cosine", "Cosine with the exact direction"),
        (panels[1], "length", "Length relative to the exact direction"),
    ):
        low, high = data[f"{column}_5"], data[f"{column}_95"]
        panel.fill_between(
            size, low, high, color=colour("least_squares"), alpha=0.3, lw=0, label="5th to 95th percentile"
        )
        panel.plot(
            size, data[column], "o-", color=colour("least_squares"), label="least squares, median", zorder=3
        )
        panel.axhline(1, color=colour("mpd"), label="exact", zorder=1)
        panel.set(title=title, xscale="log", xlabel="norm of the global gradient")
        panel.invert_xaxis()
    panels[0].set_ylim(0, 1.05)
    panels[1].set_yscale("log")
    legend_below(figure, panels[0])
    return figure, data


@drawn_from("mpd_derivation", "derivation_condition")
def condition_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """The methods over the condition number of the Gram matrix, and the exact solver's residual.

    Args:
        values: Of the result ``mpd_derivation``: ``by_condition`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = _with_infinities(values["by_condition"])
    figure, panels = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    for method, rows in data.groupby("method", sort=False):
        words, shade, marker = _METHODS[method]
        condition = 10.0**rows.log10_condition
        panels[0].plot(condition, rows.cosine, f"{marker}-", color=shade, label=words)
        panels[0].fill_between(condition, rows.cosine_5, rows.cosine_95, color=shade, alpha=0.12, lw=0)
        panels[1].plot(condition, rows.ascends, f"{marker}-", color=shade)
    rows = data[data.method == "exact"]
    condition = 10.0**rows.log10_condition
    panels[2].plot(condition, rows.residual, "o-", color=colour("mpd"), label="of the solution")
    panels[2].plot(condition, rows.floor, "--", color=colour("base"), label="of rounding alone")
    panels[2].legend()
    panels[0].set(title="Cosine with the optimum", ylim=(0, 1.05))
    panels[1].set(title="An objective ascends", ylim=(-0.03, 1))
    panels[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[2].set(title="Residual of Eq. 8", yscale="log")
    for panel in panels:
        panel.set(xscale="log", xlabel="condition number")
    legend_below(figure, panels[0])
    return figure, data


@drawn_from("mpd_derivation", "derivation_stationary")
def stationary_figure(values: Mapping[str, Any]) -> tuple[Figure, dict[str, Any]]:
    """MPD descent into a Pareto stationary point that another point dominates.

    Args:
        values: Of the result ``mpd_derivation``: ``double_well``.

    Returns:
        The figure, and the wells.
    """
    wells = values["double_well"]
    theta, losses = np.asarray(wells["theta"]), np.asarray(wells["losses"])
    path = np.asarray(wells["path"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.4))
    for loss, shade, name in zip(losses, ("black", "darkgrey"), ("loss 1", "loss 2"), strict=True):
        left.plot(theta, loss, "-", color=shade, label=name)
        left.plot(path, np.interp(path, theta, loss), "-", color=shade, linewidth=3.5, alpha=0.35)
        left.plot(path[-1], np.interp(path[-1], theta, loss), "o", color=shade)
        left.plot(wells["dominating"], np.interp(wells["dominating"], theta, loss), "*", color=shade, ms=9)
    left.set(title="Two objectives of one variable", xlabel="the variable", ylabel="loss", ylim=(-0.1, 2))
    right.plot(losses[0], losses[1], ".", color=colour("base"), ms=2, label="reachable")
    reached = [np.interp(path, theta, loss) for loss in losses]
    right.plot(*reached, "-", color=colour("mpd"), linewidth=2.5, label="MPD descent")
    right.plot(reached[0][-1], reached[1][-1], "o", color=colour("mpd"), label="its end: stationary")
    best = [np.interp(wells["dominating"], theta, loss) for loss in losses]
    right.plot(*best, "*", color="black", ms=9, label="better for both")
    right.set(
        title="The same, loss against loss",
        xlabel="loss 1",
        ylabel="loss 2",
        xlim=(-0.1, 1.6),
        ylim=(-0.1, 1.6),
    )
    figure.legend(loc="outside lower center", ncols=6, columnspacing=1.2)
    return figure, {"double_well": wells}


def _with_infinities(rows: Any) -> pd.DataFrame:
    """The rows as a table; Eq. 5 is infinite where an objective ascends, which a result stores as null."""
    return pd.DataFrame(rows).fillna(np.inf)


def _grid(values: Any) -> np.ndarray:
    """Rows of numbers as an array; None, as JSON has them, as NaN."""
    return np.asarray(values, dtype=float)
