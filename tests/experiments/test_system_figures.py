"""Table 1 of all systems says what its result says, and what it cannot say."""

import pytest

from fairhuman.experiments.figures._systems import METRICS, systems_figure, systems_latex, systems_markdown
from fairhuman.experiments.systems import SYSTEMS


@pytest.fixture
def told():
    """A result in which ControlNet-Union makes more hands, and no face is found in MoLE's images."""
    pairs = {"mole": "base", "lora-mpd": "base", "controlnet-union": "controlnet-default",
             "controlnet-mpd": "controlnet-default"}  # fmt: skip
    systems = {
        name: {
            "title": one.title,
            "scales": list(one.scales),
            "reference": pairs.get(name),
            "paper": dict(one.paper),
        }
        for name, one in SYSTEMS.items()
    } | {"renders": {"title": "renders", "scales": [], "reference": None, "paper": {}}}
    rows = [
        {"system": name, "metric": metric, "value": 0.5, "low": 0.4, "high": 0.6, "n": 256}
        for name in systems
        for metric in METRICS
        if not (metric.startswith("pose") and name == "base")
    ]
    for row in rows:
        if (row["system"], row["metric"]) == ("mole", "face confidence"):
            row.update(value=None, low=None, high=None)
    differences = [
        {
            "reference": first,
            "system": name,
            "metric": "hand rate",
            "supported": name == "controlnet-union",
        }
        for name, first in pairs.items()
    ]
    # Better than its rival is not better than its reference.
    rival = {"reference": "mole", "system": "lora-mpd", "metric": "hand rate", "supported": True}
    return {"systems": systems, "rows": rows, "differences": [*differences, rival], "absent": []}


def cells(text, first):
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_every_cell_is_the_results(told):
    text = systems_markdown(told)
    places = list(told["systems"])
    hands = dict(zip(places, cells(text, "hands found, %"), strict=True))
    assert hands["controlnet-union"] == "50.0 [40.0, 60.0] *"
    assert sum("*" in cell for cell in hands.values()) == 1
    assert cells(text, "face confidence (paper's), %")[places.index("mole")] == "–"
    assert cells(text, "joints within a tenth, %")[places.index("base")] == "–"
    assert "256 prompts" in text and "from “base” or, with conditions, “ControlNet, default”" in text


def test_the_papers_rows_are_quoted_as_its_own(told):
    text = systems_markdown(told)
    below = text[text.index("The paper's Table 1, not comparable") :]
    assert cells(below, "FairHuman LoRA") == ["32.73", "154.60", "27.20", "46.11", "94.03", "85.31", "–"]
    assert cells(below, "FairHuman ControlNet")[-1] == "2.35"
    assert "renders" not in below


def test_latex_has_the_same_rows(told):
    text = systems_latex(told)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert r"hands found, \% & " in text and "β" not in text and "×" not in text
    assert all(one.title in text[text.index("paper's Table 1") :] for one in SYSTEMS.values())


def test_points_are_filled_where_a_difference_is_supported(told):
    figure, data = systems_figure(told)
    assert set(data.system) == set(told["systems"])
    filled = [
        (panel.get_title(loc="left") or panel.get_title(), line.get_ydata()[0])
        for panel in figure.axes
        for line in panel.get_lines()
        if line.get_marker() not in ("None", "|") and line.get_markerfacecolor() != "white"
    ]
    assert filled == [("hands found, %", list(told["systems"]).index("controlnet-union"))]
