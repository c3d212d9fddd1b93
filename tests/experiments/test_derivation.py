"""The studies of the derivation, on cases whose answer is known."""

import mpmath
import pytest
import torch

from fairhuman.experiments.derivation import studies
from fairhuman.experiments.derivation.ensembles import conditioned, gaussian, regional
from fairhuman.experiments.derivation.reference import potential_delay, residual, residual_twice
from fairhuman.experiments.derivation.replay import agreement, compare_strategies, recorded, replay
from fairhuman.fairness import Amortised, alpha_fair_weights, get_strategy


def draw():
    return torch.Generator().manual_seed(0)


def test_regional_has_the_norms_and_cosines_asked_for():
    K = regional((2.0, 3.0, 5.0), (0.1, -0.2, 0.3))
    norms = K.diagonal().sqrt()
    torch.testing.assert_close(norms, torch.tensor([2.0, 3.0, 5.0]).double())
    cosines = (K / norms.outer(norms))[[0, 0, 1], [1, 2, 2]]
    torch.testing.assert_close(cosines, torch.tensor([0.1, -0.2, 0.3]).double())


@pytest.mark.parametrize("decade", (0.0, 3.0, 6.0))
def test_conditioned_has_the_condition_asked_for(decade):
    values = torch.linalg.eigvalsh(conditioned(20, 3, draw(), log10_condition=(decade, decade)))
    torch.testing.assert_close(
        values[:, -1] / values[:, 0], torch.full((20,), 10**decade).double(), rtol=1e-6, atol=0
    )


def test_potential_delay():
    rates = torch.tensor([1.0, 0.5, 0.25]).double()
    assert potential_delay(rates) == 7
    assert potential_delay(rates, 1.0) == pytest.approx(-float(rates.log().sum()))
    assert potential_delay(torch.tensor([1.0, -1.0])) == float("inf")


def test_residual_marks_negative_weights():
    K = regional((0.1, 0.01, 0.01), (0.3, 0.3, 0.0))
    assert residual(K, torch.tensor([-8.0, 514.0, 514.0])).isnan()


@pytest.mark.parametrize("alpha", (0.5, 2.0, 10.0))
def test_residual_in_twice_the_precision_is_right_to_its_last_digits(alpha):
    for K in conditioned(5, 4, draw(), log10_condition=(7.0, 8.0), log10_scale=18.0):
        w = alpha_fair_weights(K, alpha) * (1 + 1e-12 * torch.randn(4, dtype=torch.float64))
        with mpmath.workdps(50):
            exact = [mpmath.mpf(value) for value in w.tolist()]
            rates = [mpmath.fdot(map(mpmath.mpf, row), exact) for row in K.tolist()]
            power = 1 / mpmath.mpf(alpha)
            expected = max(abs(x**power * rate - 1) for x, rate in zip(exact, rates, strict=True))
        assert float(residual_twice(K, w, alpha)) == pytest.approx(float(expected), rel=1e-6, abs=1e-14)


def test_projection_is_onto_the_gradient():
    g, d = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 0.0])
    assert studies.projection_length(g, d) == pytest.approx(0.6)


def test_the_optimum_of_every_comparison_is_the_certified_one():
    """`compare` takes the exact direction for the optimum; a convex solver knows nothing of it."""
    K = gaussian(8, 3, 4, draw())
    certified = studies.certified(K)
    assert max(abs(row["exact"]) for row in certified) < 1e-6
    rows = {row["method"]: row for row in studies.compare(K)}
    for name in ("closed_form", "plain_sum"):
        excesses = sorted(row[name] for row in certified)
        assert excesses[0] > 1e-6  # every other direction is worse
        assert rows[name]["excess_5"] == pytest.approx(excesses[0], abs=1e-6)


def test_comparisons_tell_the_dimension_and_who_ascends():
    rows = studies.by_dimension((3, 10), 200, draw())
    assert {(row["dimension"], row["matrices"]) for row in rows} == {(3, 200), (10, 200)}
    ascends = {(row["dimension"], row["method"]): row["ascends"] for row in rows}
    assert ascends[3, "exact"] == ascends[10, "exact"] == 0
    assert ascends[3, "plain_sum"] > ascends[10, "plain_sum"] > 0


@pytest.mark.parametrize("correlation", (-0.5, 0.0))
def test_map_shows_what_eq_10_costs_and_is_blank_where_no_such_gradients_exist(correlation):
    found = studies.map_closed_form(21, correlation=correlation)
    possible = found["rho"].abs() < ((1 + correlation) / 2) ** 0.5
    assert (found["worst"].isnan() == ~possible.expand(21, -1)).all()
    for ratio, rho in ((3, 8), (10, 10), (17, 12)):
        size = 10 ** float(found["log10_ratio"][ratio])
        K = regional((1.0, size, size), (*[float(found["rho"][rho])] * 2, correlation))
        (row,) = studies.compare(K[None], {"closed_form": studies.METHODS["closed_form"]})
        assert float(found["excess"][ratio, rho]) == pytest.approx(row["excess"], abs=1e-6)
    on_axis = found["excess"][:, 10]  # no cosine with the global gradient: K is diagonal in 1 + 2 objectives
    assert on_axis.abs().max() < 1e-6
    assert found["excess"][3, 8] > 1e-4


def test_double_well_ends_where_no_step_helps_but_another_point_is_better():
    wells = studies.double_well()
    assert wells["stationary"]
    assert wells["dominating"] < 0 < wells["end"]


def test_replay_of_a_log():
    K = gaussian(12, 2, 5, draw())
    lines = [{"losses": {"global": 1.0, "face": 0.5}, "gramian": k.tolist()} for k in K]
    lines.insert(3, lines[0] | {"gramian": None})
    steps = recorded(lines)
    assert len(steps) == 12
    weights, asked = replay(steps, get_strategy("mpd"))
    assert asked.all()
    torch.testing.assert_close(weights, alpha_fair_weights(K))
    torch.testing.assert_close(agreement(steps, weights), torch.ones(12).double())
    _, asked = replay(steps, Amortised(every=5, warmup=2, adaptive=False))
    assert asked.tolist() == [True, True, True] + [False] * 4 + [True] + [False] * 4


def test_recorded_steps_keep_their_sketch():
    lines = [
        {"losses": {"global": 1.0}, "gramian": [[4.0]], "sketch": [[2.0]]},
        {"losses": {"global": 1.0}, "gramian": None},
        {"losses": {"global": 1.0}, "gramian": [[0.0]], "finite": True},
        {"losses": {"global": 1.0}, "gramian": [[1.0]], "finite": False},
    ]
    first, second = recorded(lines)
    assert first.sketch.item() == 2.0
    assert second.sketch is None
    assert not second.present.any()


def test_methods_for_recorded_matrices():
    K = gaussian(30, 3, 8, draw()) * 1e-9
    methods = studies.recorded_methods(local_scale=25.0, loss_scale=65536.0)
    assert methods["scaled_sum"](K)[0].tolist() == [1, 25, 25]
    rows = {row["method"]: row for row in studies.compare(K, methods)}
    assert rows["exact"]["cosine_5"] == pytest.approx(1)
    assert rows["least_squares_scaled"]["cosine_5"] > 0.999
    assert rows["least_squares"]["cosine"] < 0.99


def test_strategies_compared_at_recorded_steps():
    draw = torch.Generator().manual_seed(0)
    lines = [
        {"losses": {"global": 1.0, "face": 0.1, "hand": 0.1}, "gramian": K.tolist()}
        for K in gaussian(30, 3, 4, draw)
    ]
    lines[3]["gramian"] = torch.diag(torch.tensor([1.0, 1.0, 0.0])).tolist()  # without a hand: not counted
    steps = recorded(lines)
    names = ("mpd", "ls", "psmgd", "upgrad")
    rows = {row["strategy"]: row for row in compare_strategies(steps, names, ("global", "face", "hand"))}
    assert tuple(rows) == names
    exact = rows["mpd"]
    assert exact["cosine_5"] == pytest.approx(1) and exact["excess"] == pytest.approx(0, abs=1e-9)
    assert set(exact["ascends"].values()) == {0.0} == set(rows["upgrad"]["ascends"].values())
    assert max(rows["ls"]["ascends"].values()) > 0
    assert (exact["asks"], rows["ls"]["asks"]) == (1, 0) and 0 < rows["psmgd"]["asks"] < 0.5
    for row in rows.values():
        assert row["cosine_5"] <= row["cosine"] <= 1 + 1e-12 and row["excess"] >= -1e-9
    with pytest.raises(ValueError, match="all objectives"):
        compare_strategies(steps[3:4], names, ("global", "face", "hand"))
