"""The recordings that the amortised step is judged by."""

import importlib
from pathlib import Path

import pytest
import torch

from fairhuman.results import read_result


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def recordings():
    return importlib.import_module("recordings")


@pytest.fixture
def predictors():
    return importlib.import_module("predictors")


@pytest.mark.parametrize("training", ("lora_early", "controlnet"))
def test_a_recording_holds_gram_matrices_of_every_place(recordings, predictors, training, people, workspace):
    asked = [training, "--data", str(people), "--base", "tiny", "--resolution", "32", "--steps", "3"]
    recordings.main([*asked, "--batch", "2", "--rank", "2", "--images", "2"])
    stored = read_result("benchmarks", f"recordings-{training}")
    assert stored["samples"] == len(stored["values"]["steps"]) == 3
    for step in stored["values"]["steps"]:
        K = torch.tensor(step["gramian"], dtype=torch.float64)
        assert torch.linalg.eigvalsh(K).min() > -1e-9 * K.diagonal().max()
        assert K[0, 0] > 0
        assert set(step["places"]) == set(predictors.PLACES)
        for place in step["places"].values():
            mean, coarse, every = (
                torch.tensor(place[name]).diagonal(dim1=-2, dim2=-1) for name in ("mean", "coarse", "every")
            )
            assert mean.shape == every.shape == (2, 3)
            assert (mean <= coarse * (1 + 1e-5)).all()
            assert (coarse <= every * (1 + 1e-5)).all()
            assert (every[:, 0] > 0).all()


def test_a_prediction_is_judged_on_a_training_left_out(predictors, monkeypatch):
    """Two trainings agree on the noise's part: it is found for the third, whose own is another."""
    monkeypatch.setattr(predictors, "PLACES", ("output",))
    monkeypatch.setattr(predictors, "FORMS", {"means": {"noise": (0.0, 3.0), "rest": (1e-4,)}})
    monkeypatch.setattr(predictors, "INTERVALS", (20,))

    def recording(slope):
        lines = []
        for _ in range(14):
            noise, parts = torch.rand(2), 10 ** torch.rand(2, 3)  # of an objective, each example has another
            K = torch.diag(((slope * noise).exp().unsqueeze(1) * parts).sum(0))
            kept = dict.fromkeys(("mean", "every"), torch.diag_embed(parts).tolist())
            places = {"output": kept | {"coarse": kept["mean"]}}
            losses = dict.fromkeys("abc", 1.0)
            lines.append({"losses": losses, "gramian": K.tolist(), "noise": noise.tolist(), "places": places})
        return lines

    slopes = dict(zip(predictors.TRAININGS, (3.0, 3.0, 0.0), strict=True))
    rows = predictors.compare({name: recording(slope) for name, slope in slopes.items()}, {"output": 0.01})
    found = {(row["held_out"], row["form"]): row for row in rows}
    assert len(found) == len(rows) == 6
    left_out = predictors.TRAININGS[2]
    assert found[left_out, "means"]["noise"] == 3
    for row in rows:
        assert row["low"] <= row["mean"] <= 1 + 1e-9
        assert row["cost"] == pytest.approx(1 + (3 * 0.01 + 2 / 20) / 2)


def test_a_product_has_the_sizes_of_both_and_the_cosines_of_the_grid(predictors):
    A = torch.randn(2, 3, 3)
    kept = {name: (scale * A @ A.mT).tolist() for name, scale in (("mean", 1), ("coarse", 2), ("every", 8))}
    found = predictors.sketch({"noise": [0.0, 0.0], "places": {"here": kept}}, "here", "product", 1.0, 0.5)
    torch.testing.assert_close(found, 4 * (A @ A.mT).sum(0).double(), rtol=1e-5, atol=1e-5)


def test_places_nearer_the_input_have_more_behind_them(predictors):
    shares = predictors.behind()
    assert list(shares) == list(predictors.PLACES)
    assert list(shares.values()) == sorted(shares.values())
    assert shares["output"] == 0
    assert shares["last block's input"] < 0.1
