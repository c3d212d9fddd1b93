"""Figures come out the same every time, from stored results, and claim no more than intervals allow."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fairhuman.detectors import Detection, Face, Hand
from fairhuman.evaluation import compare_losses, compare_systems, evaluate_detection
from fairhuman.experiments import figures
from fairhuman.experiments.figures import (
    drawn_profiles,
    latex_table,
    markdown_table,
    redraw,
    save,
    stored,
    supported_best,
)
from fairhuman.results import read_result, write_result


def system(face_rate, hand_rate, images=40):
    """Detections in an easy order: the same images are hard for every system."""
    box, found = (0.0, 0.0, 1.0, 1.0), []
    for ease in (np.arange(images) + 0.5) / images:
        faces = (Face(0.5 + 0.4 * ease, box, np.zeros((6, 2))),) if ease < face_rate else ()
        hands = (Hand(0.9, "left", box, np.zeros((21, 3))),) if ease < hand_rate else ()
        found.append(Detection(64, 64, faces, faces, hands))
    return found


def losses(shift):
    rows = [(i, region, 0.1 + 0.01 * (7 * i % 11)) for i in range(30) for region in ("global", "face")]
    return pd.DataFrame(rows, columns=["image", "region", "loss"]).assign(
        loss=lambda table: shift * table.loss
    )


@pytest.fixture(scope="module")
def evaluation():
    systems = {
        "base": system(0.3, 0.1),
        "lora-ls": system(0.32, 0.1),
        "lora-mpd": system(0.9, 0.12),
        "renders": system(1.0, 0.8),
    }
    figures = compare_systems(systems, ceiling="renders")
    areas = np.linspace(0.005, 0.08, 40)
    truth = pd.DataFrame(
        {
            f"{region}_{what}": value
            for region in ("face", "hand")
            for what, value in (("area", areas), ("expected", True))
        }
    )
    figures["render_areas"] = evaluate_detection(systems["renders"], truth, by_area=True).to_dict("records")
    return figures | compare_losses(
        {name: losses(s) for name, s in (("base", 1), ("lora-ls", 0.9), ("lora-mpd", 0.85))}
    )


@pytest.fixture
def results(workspace, evaluation):
    write_result("quick", "evaluation", evaluation, parameters={}, samples=40, seed=0)
    return workspace


def test_a_figure_drawn_twice_is_the_same_file(results):
    first = {path.name: path.read_bytes() for path in redraw("quick")}
    second = {path.name: path.read_bytes() for path in redraw("quick")}
    assert first == second
    assert {"evaluation_detection.png", "evaluation_detection.pdf", "evaluation_detection.csv"} <= set(first)


def test_every_figure_lies_beside_its_data(results):
    for path in redraw("quick"):
        assert path.parent == results / "figures"
        if path.suffix in (".png", ".pdf"):
            assert len(stored(path.stem)) > 0
    drawn = stored("evaluation_detection")
    told = pd.DataFrame(read_result("quick", "evaluation")["values"]["detection"])
    told = told[told.area == "all"].reset_index(drop=True)
    pd.testing.assert_series_equal(drawn.value, told.value.astype(float), rtol=1e-6)


def test_profiles_do_not_overwrite_each_other_s_figures(results, evaluation, monkeypatch):
    quick = {path: path.read_bytes() for path in redraw("quick")}
    write_result("full", "evaluation", evaluation | {"level": 0.9}, parameters={}, samples=40, seed=0)
    full = redraw("full")
    assert {path.parent for path in full} == {results / "figures" / "full"}
    assert {path: path.read_bytes() for path in quick} == quick
    monkeypatch.setenv("FAIRHUMAN_PROFILE", "full")  # as in a notebook of that profile
    assert save(Image.new("RGB", (8, 8)), "sheet", {})[0].parent == results / "figures" / "full"
    assert drawn_profiles() == ["full", "quick"]


def test_what_belongs_to_no_profile_is_drawn_in_one_place(workspace):
    curve = [{"minutes": m, "psnr": 20 + m, "loss": 1 / m, "side": 64} for m in (1, 2, 3)]
    parts = {name: {"curve": curve, "minutes": 3} for name in ("autoencoder", "denoiser")}
    write_result("base", "training", parts, parameters={}, samples=3, seed=0)
    write_result("full", "other", {}, parameters={}, samples=1, seed=0)
    assert {path.relative_to(workspace / "figures").name for path in redraw("full")} == {
        f"base_training.{ending}" for ending in ("png", "pdf", "json")
    }
    assert stored("base_training", workspace / "figures") == parts


def test_other_results_give_other_figures(results, evaluation):
    before = {path.name: path.read_bytes() for path in redraw("quick")}
    changed = evaluation | {"detection": [row | {"value": 0.5} for row in evaluation["detection"]]}
    write_result("quick", "evaluation", changed, parameters={}, samples=40, seed=0)
    after = {path.name: path.read_bytes() for path in redraw("quick")}
    different = {name for name in before if before[name] != after[name]}
    assert different == {
        *(f"evaluation_detection.{ending}" for ending in ("png", "pdf", "csv")),
        "table1_miniature.md",
        "table1_miniature.tex",
    }


def test_the_pipeline_has_the_medians_of_the_mpd_run():
    names = ("global", "face", "hand")
    rows = [
        {"run": run, "step": step, "objective": name, "norm": 0.1**i * (1 + step), "weight": 10.0**i}
        | {"mpd_share": (0.2, 0.3, 0.5)[i]}
        for run, steps in (("lora-ls", (9,)), ("lora-mpd", (0, 1, 5)))
        for step in steps
        for i, name in enumerate(names)
    ]
    figure, data = figures.pipeline_figure({"gradients": rows})
    assert data.objective.tolist() == [*names]
    assert data.norm.tolist() == pytest.approx([2, 0.2, 0.02])
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"20 %", "30 %", "50 %", "0.02", "100"} <= words
    assert min(text.get_fontsize() for text in figure.axes[0].texts) >= 7


def test_an_axis_shows_the_values_it_was_given(evaluation):
    figure, data = figures.detection_figure(evaluation)
    points = {float(x) for panel in figure.axes for line in panel.lines for x in line.get_xdata()}
    assert {float(v) for v in data.value.dropna()} <= points
    plt.close(figure)


def test_only_supported_differences_are_bold(evaluation):
    table = markdown_table(evaluation)
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    assert "**90.0**" in rows["LoRA, MPD"]
    assert "**" not in rows["base"] + rows["LoRA, sum"] + rows["renders"]
    hands = rows["LoRA, MPD"].split("|")[5:8]
    assert not any("**" in cell for cell in hands)  # 12 % against 10 % of 40 images
    assert latex_table(evaluation).count(r"\textbf") == table.count("**") // 2


def test_without_intervals_nothing_is_bold(evaluation):
    poor = compare_systems({"base": system(0, 0, 3), "lora-mpd": system(1, 1, 3)})
    assert "**" not in markdown_table(poor)
    unsure = evaluation | {"differences": [row | {"supported": False} for row in evaluation["differences"]]}
    assert "**" not in markdown_table(unsure)
    assert supported_best(unsure, "face", "rate") is None


def test_better_than_one_but_not_than_all_is_not_best():
    two = compare_systems({"base": system(0.1, 0), "lora-ls": system(0.9, 0), "lora-mpd": system(0.9, 0)})
    assert supported_best(two, "face", "rate") is None
    assert supported_best({"differences": []}, "face", "rate") is None


def test_a_missing_confidence_is_a_dash_and_the_paper_is_quoted_apart():
    table = markdown_table(compare_systems({"base": system(0.5, 0)}))
    ours, papers = table.split("not comparable")
    assert "| –" in ours
    assert "83.67" not in ours
    assert "| SDXL base | 83.67 | 93.18 |" in papers


def test_profiles_without_results_are_named(workspace):
    with pytest.raises(FileNotFoundError, match="results/full: no results; `make reproduce PROFILE=full`"):
        redraw("full")


def test_a_preview_is_smaller_and_keeps_the_colours(workspace):
    figures.style()
    figure, axes = plt.subplots(figsize=(6.9, 3))
    axes.imshow(np.linspace(0, 1, 10_000).reshape(100, 100), extent=(0, 1, 0, 1), cmap="viridis")
    axes.plot([0.2], [0.5], "o", color=figures.COLOURS["mpd"])
    path = next(path for path in save(figure, "drawn", pd.DataFrame({"x": [0]})) if path.suffix == ".png")
    small = Image.open(io.BytesIO(figures.preview(path))).convert("RGB")
    assert small.width <= 900 and len(figures.preview(path)) < path.stat().st_size
    blue = np.array([int(figures.COLOURS["mpd"][place : place + 2], 16) for place in (1, 3, 5)])
    assert np.abs(np.asarray(small, int) - blue).max(axis=2).min() <= 12


def test_images_and_mappings_are_saved_too(workspace):
    paths = save(Image.new("RGB", (8, 8), "red"), "sheet", {"captions": ["a man"], "seed": 0})
    assert [path.name for path in paths] == ["sheet.json", "sheet.jpg"]
    assert stored("sheet") == {"captions": ["a man"], "seed": 0}
    assert not Image.open(paths[1]).getexif()
    assert not list(paths[0].parent.glob("*.partial"))


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a.png"])
def test_names_that_are_paths_are_refused(workspace, name):
    with pytest.raises(ValueError, match="name: must consist of letters"):
        save(Image.new("RGB", (8, 8)), name, {})
    assert not (workspace / "figures").exists()


def test_two_functions_cannot_draw_one_figure():
    with pytest.raises(ValueError, match="'evaluation_losses' is already drawn by losses_figure"):

        @figures.drawn_from("evaluation", "evaluation_losses")
        def another(data):
            return plt.figure(), data


def test_colours_can_be_told_apart_by_lightness_or_hue():
    """No two names that appear together share a colour."""
    for group in (
        ("global", "face", "hand", "foot", "eyes"),
        ("ls", "mpd", "base", "renders", "closed_form"),
    ):
        assert len({figures.colour(name) for name in group}) == len(group)
    assert figures.colour("lora-ls") == figures.colour("ls")
    assert figures.colour("unheard of") == figures.colour("something else")
