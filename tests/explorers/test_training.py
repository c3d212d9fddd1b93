"""The training explorer shows what was logged and sampled at a step and a β, by mouse and keyboard."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import traitlets
from PIL import Image

from fairhuman import explorers
from fairhuman.experiments.strengths import StrengthSample

pytest.importorskip("anywidget")
NAMES = ("global", "face", "hand")
STEPS = 40


def run(weights, gramian=True):
    """A run whose k-th batch has the losses (k + 1) / 100, … and the gradient norms 1, ½, ¼."""
    K = np.diag([1.0, 0.25, 0.0625]).tolist()
    log = [
        {
            "step": step,
            "losses": dict(zip(NAMES, [(step + 1) / 100 / 2**i for i in range(3)], strict=True)),
            "weights": dict(zip(NAMES, weights, strict=True)),
            "gramian": K if gramian else None,
            "finite": step != 7,
        }
        for step in range(STEPS)
    ]
    heldout = [
        {
            "step": step,
            "errors": {"global": [1.0, 1.0], "face": [2.0 - step / 40, None], "hand": [None, None]},
        }
        for step in (0, 20, 40)
    ]
    return SimpleNamespace(log=log, heldout=heldout)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    """Where another test left an explorer is no start of this one's."""
    monkeypatch.setattr("fairhuman.explorers._explorer._KEPT", {})


@pytest.fixture
def runs():
    return {"lora-ls": run([1, 1, 1], gramian=False), "lora-mpd": run([1, 4, 16])}


@pytest.fixture
def samples():
    """Each of a colour of its own: of the base, of a checkpoint, of the end at two β; of two prompts."""
    places = [("base", 0, 0.0)]
    places += [(name, *at) for name in ("lora-ls", "lora-mpd") for at in ((20, 1.0), (40, 0.5), (40, 1.0))]
    return [
        StrengthSample(
            name, step, beta, prompt, f"<b>prompt</b> {prompt}", Image.new("RGB", (64, 64), colour)
        )
        for number, (name, step, beta) in enumerate(places)
        for prompt in range(2)
        for colour in [(30 * number, 120 * prompt, 200)]
    ]


def test_the_table_has_what_was_logged(runs):
    plain, fair = explorers.TrainingExplorer(runs).runs
    assert fair["log"]["steps"] == [step for step in range(STEPS) if step != 7]
    assert fair["log"]["losses"]["face"][3] == pytest.approx(0.02)
    # wᵢ‖gᵢ‖ = 1, 2, 4 of 7; unknown without the Gram matrix.
    assert [fair["log"]["shares"][one][0] for one in NAMES] == pytest.approx([1 / 7, 2 / 7, 4 / 7], rel=1e-4)
    assert plain["log"]["shares"]["hand"] == [None] * (STEPS - 1)
    assert fair["heldout"]["steps"] == [0, 20, 40]
    assert fair["heldout"]["values"]["face"] == [1.0, 0.75, 0.5]
    assert fair["heldout"]["values"]["hand"] == [None] * 3  # in no image


def test_long_runs_are_thinned(runs):
    runs["lora-mpd"].log *= 50
    assert len(explorers.TrainingExplorer(runs).runs[1]["log"]["steps"]) <= 220


def test_the_sample_shown_is_of_the_latest_stage_and_the_nearest_beta(runs, samples):
    explorer = explorers.TrainingExplorer(runs, samples)
    wanted = {
        (40, 1.0): (40, 1.0),
        (40, 0.6): (40, 0.5),
        (39, 0.5): (20, 1.0),
        (10, 1.0): (0, 0.0),
        (40, 0.0): (0, 0.0),
    }
    for (explorer.step, explorer.beta), expected in wanted.items():
        shown = explorer.shown("lora-mpd")
        assert (shown.step, shown.beta, shown.prompt) == (*expected, 0)
        assert explorer.shown("base").run == "base"


def test_mouse_and_keys_move_it(runs, samples, chromium, tmp_path):
    explorer = explorers.TrainingExplorer(runs, samples)
    images = {(one["run"], one["step"], one["beta"], one["prompt"]): one["image"] for one in explorer.samples}
    file = tmp_path / "training.html"
    file.write_text(explorer.page("Training"), encoding="utf-8")
    with chromium() as context:
        page, complaints = context.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda one: complaints.append(one.url) if one.url.startswith("http") else None)
        page.goto(file.as_uri())

        def expect(**state):
            for name, value in state.items():
                setattr(explorer, name, value)
            for name in ("base", "lora-ls", "lora-mpd"):
                one = explorer.shown(name)
                source = page.locator(f"[data-run={name}] img").get_attribute("src")
                assert source == images[one.run, one.step, one.beta, one.prompt]

        def cells(objective):
            return page.locator(f"tr[data-objective={objective}] td").all_inner_texts()

        expect()
        assert cells("hand") == ["0.100", "1.00", "–", "–", "0.100", "16.0", "57 %", "–"]
        assert "hand has 16 times the weight of global" in page.get_by_role("status").inner_text()
        assert "LoRA, sum: equal weights" in page.get_by_role("status").inner_text()
        steps, beta = page.locator("input[type=range]").all()
        beta.focus()
        page.keyboard.press("ArrowLeft")
        expect(beta=0.5)
        steps.focus()
        page.keyboard.press("ArrowLeft")
        expect(step=39)
        assert "other β after the last step only" in page.locator("[data-run=lora-mpd]").inner_text()
        assert cells("face")[0] == "0.200" and cells("face")[3] == "75.0 %"
        page.keyboard.press("Home")
        expect(step=0)
        assert cells("global")[:2] == ["0.0100", "1.00"]
        page.select_option("select[name=prompt]", "1")
        expect(prompt=1)
        # A click in the middle of a chart goes to the step there.
        chart = page.locator("svg.plot").first
        box = chart.bounding_box()
        middle = box["width"] * (52 + (420 - 52 - 10) / 2) / 420
        page.mouse.click(box["x"] + middle, box["y"] + box["height"] / 2)
        assert abs(int(steps.input_value()) - 20) <= 1
        expect(step=int(steps.input_value()))
        beta.focus()
        page.keyboard.press("Home")
        expect(beta=0.0)
        assert complaints == []


def test_curves_alone_need_no_samples(runs, chromium, tmp_path):
    file = tmp_path / "training.html"
    bare = {name: SimpleNamespace(log=one.log, heldout=[]) for name, one in runs.items()}
    file.write_text(explorers.TrainingExplorer(bare).page("Training"), encoding="utf-8")
    with chromium() as context:
        page, complaints = context.new_page(), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        assert page.locator("svg.plot").count() == 1 and page.locator("img").count() == 0
        assert page.locator("polyline").count() == 6
        assert complaints == []


def test_it_goes_on_where_it_was_left_when_its_cell_runs_again(runs, samples):
    first = explorers.TrainingExplorer(runs, samples)
    first.step, first.beta, first.prompt = 11, 0.5, 1
    again = explorers.TrainingExplorer(runs, samples)
    assert (again.step, again.beta, again.prompt) == (11, 0.5, 1)
    assert explorers.TrainingExplorer(runs, samples, step=3).step == 3  # other starting values


def test_what_a_notebook_stores_is_a_picture_and_makes_the_page_again(runs, samples):
    explorer = explorers.TrainingExplorer(runs, samples)
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["image/png"].startswith("iVBOR")
    stored = bundle[explorers.MIME]
    assert (
        explorers.fragment(stored["explorer"], json.loads(json.dumps(stored["values"])))
        == explorer.fragment()
    )


@pytest.mark.parametrize("wrong", [{"step": 41}, {"step": -1}, {"prompt": 2}, {"beta": -0.5}])
def test_values_out_of_range_are_refused(runs, samples, wrong):
    with pytest.raises(traitlets.TraitError, match=next(iter(wrong))):
        explorers.TrainingExplorer(runs, samples, **wrong)


def test_runs_and_samples_that_do_not_fit_are_refused(runs, samples):
    with pytest.raises(ValueError, match="runs: at least one"):
        explorers.TrainingExplorer({})
    with pytest.raises(ValueError, match="lora-ls"):
        explorers.TrainingExplorer({"lora-mpd": runs["lora-mpd"]}, samples)
