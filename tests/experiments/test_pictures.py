"""Figures show the values they were given, and keep a place for what could not be measured."""

import math

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from fairhuman.experiments import figures


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def points(ax):
    """Horizontal places of all points drawn, with error bars or without."""
    return [float(x) for line in ax.lines for x in line.get_xdata() if line.get_marker() in ("o", "s", "D")]


def test_efficiency_shows_sizes_times_and_the_papers():
    sizes = [{"method": "FairHuman LoRA", "parameters": 10, "MiB float32": 40.0, "MiB bf16": 20.0},
             {"method": "MoLE", "parameters": 30, "MiB float32": 120.0, "MiB bf16": 60.0}]  # fmt: skip
    times = [{"method": name, "ratio": ratio, "quartile_1": ratio - 0.1, "quartile_3": ratio + 0.1}
             for name, ratio in (("base", 1.0), ("LoRA", 1.2), ("MoLE", 1.7))]  # fmt: skip
    figure, data = figures.efficiency_figure({"sdxl": sizes, "time": times})
    left, right = figure.axes
    assert sorted(bar.get_width() for bar in left.patches) == [20, 40, 60, 120]
    assert points(left) == [1413.12, 2611.75]
    assert {1.0, 1.2, 1.7, 1.4, 3.0} <= set(points(right))
    assert data.panel.tolist() == ["size"] * 2 + ["time"] * 3


def test_a_way_of_stepping_that_was_not_measured_is_left_out():
    over = {name: {"median": value, "quartile_1": value, "quartile_3": value}
            for name, value in (("ordinary", 1.0), ("exact", 1.8), ("released", 3.1))}  # fmt: skip
    figure, data = figures.step_cost_figure({"time_over_ordinary": over})
    assert points(figure.axes[0]) == [1.0, 1.8, 3.1]
    assert data.name.tolist() == ["sum, ordinary", "MPD, exact", "as released"]


def test_systems_keep_their_places_in_every_panel():
    none = {"low": math.nan, "high": math.nan, "n": 12, "interval": "none", "level": 0.95, "note": ""}
    rows = [
        {"system": system, "group": group, "subject": subject, "metric": metric, "value": value, **none}
        for system, value in (("base", 0.4), ("controlnet-mpd", 0.8))
        for group, subject, metric in (
            ("distance", "whole", "kernel"), ("distance", "whole", "Fréchet"), ("distance", "hand", "kernel"),
            ("caption", "framing", "agreement"), ("pose", "body", "pck"), ("pose", "body", "pixels"),
        )
    ]  # fmt: skip
    rows[2]["value"] = math.nan  # no hand was found in the base's images
    figure, data = figures.image_metrics_figure({"systems": ["base", "controlnet-mpd"], "rows": rows})
    titles = [[tick.get_text() for tick in ax.get_yticklabels()] for ax in figure.axes]
    assert titles == [["whole image", "hands found"], ["framing"], ["right within a tenth"]]
    assert [len([x for x in points(ax) if not math.isnan(x)]) for ax in figure.axes] == [3, 2, 2]
    assert set(data.metric) == {"kernel", "agreement", "pck"}
    assert isinstance(data, pd.DataFrame) and len(data) == 8
    assert [text.get_text() for text in figure.axes[0].texts] == ["12 are too few"]
