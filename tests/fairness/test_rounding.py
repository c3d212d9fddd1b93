"""Weights rounded with care: no residual above 1e-9, however much cancels."""

import mpmath
import pytest
import torch

from fairhuman.fairness import alpha_fair_weights, solve_alpha_fair
from fairhuman.fairness._rounding import ENOUGH, relative_residual, round_well
from fairhuman.fairness.ensembles import conditioned


def ill_conditioned(count, m, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return conditioned(count, m, draw, log10_condition=(7.0, 8.0), log10_scale=18.0)


def exact_residual(K, w, alpha):
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(entry) for entry in row] for row in K.tolist()]
        w = [mpmath.mpf(value) for value in w.tolist()]
        rates = [mpmath.fdot(row, w) for row in rows]
        return [float(x ** (1 / mpmath.mpf(alpha)) * rate - 1) for x, rate in zip(w, rates, strict=True)]


@pytest.mark.parametrize("alpha", (0.5, 2.0, 10.0))
def test_residual_is_computed_to_its_last_digits(alpha):
    for K in ill_conditioned(5, 4):
        w = alpha_fair_weights(K, alpha) * (1 + 1e-12 * torch.randn(4, dtype=torch.float64))
        expected = torch.tensor(exact_residual(K, w, alpha), dtype=torch.float64)
        torch.testing.assert_close(relative_residual(K, w, alpha), expected, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("m", (2, 3, 5, 8))
@pytest.mark.parametrize("alpha", (0.5, 1.0, 2.0, 10.0))
def test_no_residual_above_1e_9(m, alpha):
    K = ill_conditioned(200, m)
    w = alpha_fair_weights(K, alpha)
    assert relative_residual(K, w, alpha).abs().max() <= ENOUGH
    one_by_one = torch.stack([alpha_fair_weights(k, alpha) for k in K[:30]])
    assert relative_residual(K[:30], one_by_one, alpha).abs().max() <= ENOUGH


def test_nearest_numbers_would_not_do():
    K = ill_conditioned(200, 3)
    w = alpha_fair_weights(K)
    nudged = w * (1 + torch.finfo(torch.float64).eps * torch.randn(w.shape, dtype=torch.float64).sign())
    assert relative_residual(K, nudged, 2.0).abs().max() > ENOUGH
    repaired = round_well(K, nudged, 2.0)
    assert relative_residual(K, repaired, 2.0).abs().max() <= ENOUGH
    torch.testing.assert_close(repaired, w, rtol=1e-8, atol=0)


def test_absent_objectives_stay_absent_and_stationary_points_stationary():
    K = torch.zeros(100, 4, 4, dtype=torch.float64)
    K[:, :3, :3] = ill_conditioned(100, 3)
    w = alpha_fair_weights(K)
    assert (w[:, 3] == 0).all()
    assert relative_residual(K[:, :3, :3], w[:, :3], 2.0).abs().max() <= ENOUGH
    cancelling = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert solve_alpha_fair(cancelling.expand(3, 2, 2)).stationary.all()
