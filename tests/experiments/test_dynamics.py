"""What is read off a log equals what the gradients themselves say."""

import numpy as np
import pandas as pd
import pytest
import torch

from fairhuman.experiments.dynamics import conflict_table, gradient_table, loss_curves, sum_ascends
from fairhuman.fairness import fair_backward, get_strategy

NAMES = ["global", "face", "hand"]


def line(gradients, step=0, finite=True):
    K = gradients @ gradients.T
    losses = dict(zip(NAMES, (1.0, 0.5, 0.25), strict=False))
    weights = dict.fromkeys(NAMES, 1.0)
    return {"step": step, "losses": losses, "weights": weights, "gramian": K.tolist(), "finite": finite}


@pytest.mark.parametrize("seed", range(5))
def test_alignments_are_those_of_the_directions(seed):
    gradients = np.random.default_rng(seed).normal(size=(3, 6)) * [[1], [0.1], [0.03]]
    table = gradient_table([line(gradients, step=7)])
    assert list(table.objective) == NAMES and set(table.step) == {7}
    for column, strategy in (("sum", "ls"), ("mpd", "mpd")):
        x = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        losses = {name: torch.from_numpy(g) @ x for name, g in zip(NAMES, gradients, strict=True)}
        step = fair_backward(losses, [x], get_strategy(strategy))
        d, norms = x.grad.numpy(), np.linalg.norm(gradients, axis=1)
        cosines = gradients @ d / norms / np.linalg.norm(d)
        np.testing.assert_allclose(table[f"{column}_alignment"], cosines, rtol=1e-9)
        pull = np.array([step.weights[name] for name in NAMES]) * norms
        np.testing.assert_allclose(table[f"{column}_share"], pull / pull.sum(), rtol=1e-9)
    assert (table.mpd_alignment > 0).all()
    np.testing.assert_allclose(table.norm, norms)


def test_the_plain_sum_can_raise_an_objective():
    gradients = np.array([[1.0, 0, 0], [0, 0.1, 0], [-0.3, 0, 0.1]])
    table = gradient_table([line(gradients)]).set_index("objective")
    assert table.sum_alignment["hand"] < 0 < table.mpd_alignment["hand"]


def test_absent_objectives_and_unlogged_steps_are_left_out():
    gradients = np.eye(3)
    gradients[2] = 0
    log = [
        line(gradients),
        line(np.eye(3), 1, finite=False),
        {"step": 2, "losses": {}, "gramian": None, "finite": True},
    ]
    assert list(gradient_table(log).objective) == ["global", "face"]
    conflicts = conflict_table(log)
    assert len(conflicts) == 1 and conflicts.cosine.item() == 0


def test_what_the_sum_raises_is_counted_by_step_and_run():
    """A step counts once, however many objectives it raises; and stretches of a run are the sample."""
    rows = [
        {
            "run": run,
            "step": step,
            "objective": name,
            "sum_alignment": -1.0 if run == "a" and step < 30 else 1.0,
        }
        for run in ("a", "b")
        for step in reversed(range(60))
        for name in ("face", "hand")
    ]
    found = sum_ascends(pd.DataFrame(rows))
    assert (found["a"]["value"], found["b"]["value"]) == (0.5, 0.0)
    # All raised at first and none later: ten stretches of 0 and 1, not sixty independent steps.
    assert found["a"]["n"] == 10 and found["a"]["high"] - found["a"]["low"] > 0.7
    assert found["b"]["interval"] == "bounded"


def test_cosines():
    gradients = np.array([[1.0, 0], [1, 1], [0, -2]])
    table = conflict_table([line(gradients)])
    np.testing.assert_allclose(table.cosine, [0.5**0.5, 0, -(0.5**0.5)], atol=1e-12)
    assert list(zip(table["first"], table["second"], strict=True)) == [
        ("global", "face"), ("global", "hand"), ("face", "hand")
    ]  # fmt: skip


def test_curves_need_a_measurement():
    with pytest.raises(ValueError, match=r"at least one measurement, got none for \['mpd'\]"):
        loss_curves({"mpd": []})


def test_curves_start_at_one_and_skip_missing_regions():
    heldout = [
        {"step": 0, "errors": {"global": [2.0, 4.0], "hand": [None, 1.0]}},
        {"step": 5, "errors": {"global": [1.0, 2.0], "hand": [None, 0.8]}},
    ]
    table = loss_curves({"mpd": heldout}).set_index(["objective", "step"])
    assert table.relative["global", 0] == 1 and table.relative["global", 5] == 0.5
    assert table.relative["hand", 5] == pytest.approx(0.8)
