"""The stored numbers of the equations are those that the library computes, and would notice an error."""

import pytest
import torch

from fairhuman.experiments.derivation import equations
from fairhuman.experiments.derivation.equations import check_equations, check_recorded, check_scale
from fairhuman.results import read_result


def test_stored_numbers_are_computed_again():
    stored = read_result("benchmarks", "equations")
    found = check_equations(stored["seed"]) | {
        "eq12": check_scale(stored["seed"]),
        "recorded": check_recorded(read_result("benchmarks", "gramians")["values"]["steps"]),
    }
    assert {name: set(numbers) for name, numbers in found.items()} == {
        name: set(numbers) for name, numbers in stored["values"].items()
    }
    for name, numbers in found.items():
        assert numbers == pytest.approx(stored["values"][name], rel=1e-3, abs=1e-7), name


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_wrong_weights_are_noticed(monkeypatch, factor):
    exact = equations.alpha_fair_weights

    def wrong(gramian, alpha=2.0):
        return exact(gramian, alpha) * torch.tensor([factor, 1.0, 1.0], dtype=gramian.dtype)

    monkeypatch.setattr(equations, "alpha_fair_weights", wrong)
    found = check_equations()
    assert min(found["eq6_8"][f"eq{n}_error"] for n in (6, 7, 8)) > 1e-3


def test_wrong_losses_are_noticed(monkeypatch):
    right = equations.regional_losses

    def wrong(*given):
        losses = right(*given)
        return losses | {"face": 1.01 * losses["face"]}

    monkeypatch.setattr(equations, "regional_losses", wrong)
    found = check_equations()["eq1_3"]
    assert found["eq2_error"] > 1e-3 and found["regions_add_up_error"] > 1e-3
