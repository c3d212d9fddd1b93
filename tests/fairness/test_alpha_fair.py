"""The weights: properties, references and refusals."""

import math

import mpmath
import pytest
import torch

from fairhuman.experiments.derivation.ensembles import conditioned, gaussian, regional
from fairhuman.experiments.derivation.reference import (
    certified_rates,
    potential_delay,
    precise_weights,
    rates_of_descent,
    residual,
    rounding_floor,
)
from fairhuman.fairness import alpha_fair_weights, closed_form_weights, solve_alpha_fair
from fairhuman.fairness._direction import cosine

ALPHAS = (0.5, 1.0, 2.0, 4.0, 10.0)


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("m", range(2, 9))
def test_residual_vanishes_at_any_condition_and_scale(m, alpha):
    K = conditioned(200, m, draw(m), log10_scale=18.0)
    w = alpha_fair_weights(K, alpha)
    assert (w > 0).all()
    # Gradients that nearly cancel leave a residual that float64 weights cannot express.
    allowed = torch.maximum(torch.tensor(1e-9).double(), 64 * rounding_floor(K, w, alpha))
    assert (residual(K, w, alpha) <= allowed).all()


@pytest.mark.parametrize("alpha", ALPHAS)
def test_residual_is_below_1e_9_for_moderate_condition(alpha):
    K = conditioned(1000, 4, draw(), log10_condition=5.0, log10_scale=18.0)
    assert residual(K, alpha_fair_weights(K, alpha), alpha).max() <= 1e-9


@pytest.mark.parametrize("alpha", (0.1, 2.0, 50.0))
def test_single_and_batch_agree(alpha):
    K = conditioned(50, 3, draw(), log10_condition=4.0)
    singles = torch.stack([alpha_fair_weights(k, alpha) for k in K])
    torch.testing.assert_close(alpha_fair_weights(K, alpha), singles, rtol=1e-9, atol=0)
    nested = alpha_fair_weights(K.view(5, 10, 3, 3), alpha)
    torch.testing.assert_close(nested.view(50, 3), singles, rtol=1e-9, atol=0)


@pytest.mark.parametrize("m", (1, 5, 16))
def test_any_number_of_objectives(m):
    K = gaussian(3, m, 40, draw())
    assert residual(K, alpha_fair_weights(K)).max() < 1e-12
    assert residual(K[0], alpha_fair_weights(K[0])) < 1e-12


@pytest.mark.parametrize("alpha", ALPHAS)
def test_agrees_with_fifty_digits(alpha):
    for K in conditioned(4, 3, draw(), log10_condition=6.0):
        exact = precise_weights(K, alpha)
        for found, reference in zip(alpha_fair_weights(K, alpha).tolist(), exact, strict=True):
            assert abs(mpmath.mpf(found) / reference - 1) < 1e-9


@pytest.mark.parametrize("alpha", (0.5, 1.0, 2.0, 4.0))
def test_direction_attains_the_certified_optimum(alpha):
    for K in gaussian(5, 3, 4, draw()):
        _, optimum = certified_rates(K, alpha)
        ours = potential_delay(rates_of_descent(K, alpha_fair_weights(K, alpha)), alpha)
        assert ours == pytest.approx(optimum, rel=1e-6)


def test_large_alpha_tends_to_max_min():
    K = regional((3.0, 1.0, 0.5), (0.1, -0.2, 0.3))
    rates = rates_of_descent(K, alpha_fair_weights(K, 200.0))
    assert rates.max() / rates.min() < 1.02


def test_permutation():
    K = conditioned(20, 5, draw())
    order = torch.randperm(5, generator=draw())
    expected = alpha_fair_weights(K)[:, order]
    torch.testing.assert_close(alpha_fair_weights(K[:, order][:, :, order]), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("factor", (1e-18, 3.0, 1e18))
def test_homogeneity(alpha, factor):
    K = gaussian(10, 3, 20, draw())
    expected = factor ** (-alpha / (alpha + 1)) * alpha_fair_weights(K, alpha)
    torch.testing.assert_close(alpha_fair_weights(factor * K, alpha), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("weights", (alpha_fair_weights, closed_form_weights))
def test_diagonal_case_has_a_closed_form(weights):
    diagonal = torch.tensor([1e-8, 1.0, 1e6], dtype=torch.float64)
    for alpha in ALPHAS:
        expected = diagonal ** (-alpha / (alpha + 1))
        torch.testing.assert_close(weights(torch.diag(diagonal), alpha), expected, rtol=1e-12, atol=0)


def test_closed_form_is_wrong_off_the_diagonal():
    K = regional((0.1, 0.01, 0.01), (0.3, 0.3, 0.0))
    printed, exact = closed_form_weights(K), alpha_fair_weights(K)
    assert printed[0] < 0 < exact[0]
    assert residual(K, exact) < 1e-12


def test_every_objective_descends():
    K = conditioned(500, 3, draw())
    w = alpha_fair_weights(K)
    assert (rates_of_descent(K, w) > 0).all()


def test_zero_gradient_has_weight_zero_and_changes_nothing():
    K = gaussian(4, 3, 6, draw())
    with_absent = torch.zeros(4, 4, 4, dtype=torch.float64)
    kept = torch.tensor([0, 1, 3])
    with_absent[:, kept[:, None], kept] = K
    w = alpha_fair_weights(with_absent)
    assert (w[:, 2] == 0).all()
    torch.testing.assert_close(w[:, kept], alpha_fair_weights(K), rtol=1e-12, atol=0)
    torch.testing.assert_close(alpha_fair_weights(with_absent[0]), w[0], rtol=1e-12, atol=0)
    nothing = solve_alpha_fair(torch.zeros(2, 2))
    assert (nothing.weights == 0).all()
    assert not nothing.stationary


def test_a_batch_may_mix_absent_stationary_and_empty():
    mixed = torch.zeros(4, 3, 3, dtype=torch.float64)
    mixed[0] = gaussian(1, 3, 9, draw())[0]
    mixed[1, :2, :2] = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    mixed[2, 0, 0] = 8.0
    found = solve_alpha_fair(mixed)
    assert found.stationary.tolist() == [False, True, False, False]
    torch.testing.assert_close(found.weights[0], alpha_fair_weights(mixed[0]), rtol=1e-12, atol=0)
    torch.testing.assert_close(found.weights[2], torch.tensor([0.25, 0.0, 0.0]).double(), rtol=1e-12, atol=0)
    assert (found.weights[[1, 3]] == 0).all()
    assert alpha_fair_weights(mixed[:0]).shape == (0, 3)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(
    "gradients",
    (
        [[1.0, 0.0], [-1.0, 0.0]],
        [[1.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [0.0, 1.0, 1.0]],
        [[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]],
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]],
    ),
)
def test_pareto_stationary_point_is_reported(gradients, alpha):
    G = torch.tensor(gradients, dtype=torch.float64)
    for K in (G @ G.mT, (G @ G.mT).expand(3, -1, -1)):
        found = solve_alpha_fair(K, alpha)
        assert found.stationary.all()
        assert (found.weights == 0).all()


@pytest.mark.parametrize("gap", (1e-2, 1e-4, 1e-6))
def test_near_a_stationary_point_the_direction_stays_bounded(gap):
    G = torch.tensor([[1.0, gap], [-1.0, gap]], dtype=torch.float64)
    found = solve_alpha_fair(G @ G.mT)
    assert not found.stationary
    # By symmetry w = (2 gap²)^(−2/3), which grows without bound only as the gap closes.
    expected = torch.full((2,), (2 * gap**2) ** (-2 / 3), dtype=torch.float64)
    torch.testing.assert_close(found.weights, expected, rtol=1e-3, atol=0)


def test_duplicated_objective_is_no_obstacle():
    G = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.5, -0.1]], dtype=torch.float64)
    assert residual(G @ G.mT, alpha_fair_weights(G @ G.mT)) < 1e-12


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16))
def test_keeps_the_dtype(dtype):
    K = gaussian(2, 3, 20, draw()).to(dtype)
    assert alpha_fair_weights(K).dtype == dtype
    assert closed_form_weights(K[0]).dtype == dtype
    expected = alpha_fair_weights(K.double(), check=False)
    torch.testing.assert_close(alpha_fair_weights(K), expected.to(dtype))


@pytest.mark.parametrize("weights", (alpha_fair_weights, closed_form_weights))
@pytest.mark.parametrize(
    ("gramian", "message"),
    (
        ([[1.0, math.nan], [0.2, 1.0]], r"finite, got nan at \[0, 1\]"),
        ([[1.0, 0.5], [0.2, 1.0]], r"symmetric, got 0.5 at \[0, 1\] but 0.2 at \[1, 0\]"),
        ([[1.0, 2.0], [2.0, 1.0]], r"semi-definite, got the eigenvalue -1 "),
        ([[1.0, 0.0], [0.0, -3.0]], r"diagonal: -3 at \[1, 1\]"),
        ([[0.0, 1.0], [1.0, 1.0]], r"semi-definite, got the eigenvalue -0.618"),
        ([[1.0, 0.0]], r"shape \(\.\.\., m, m\) with m ≥ 1, got \(1, 2\)"),
    ),
)
def test_refuses_what_is_no_gram_matrix(weights, gramian, message):
    K = torch.tensor(gramian, dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        weights(K)
    if K.shape[0] == K.shape[1]:
        with pytest.raises(ValueError, match="gramian: must"):
            weights(torch.stack([torch.eye(2, dtype=torch.float64), K]))


def test_refuses_other_dtypes():
    with pytest.raises(TypeError, match=r"floating-point tensor, got torch.int64"):
        alpha_fair_weights(torch.eye(2, dtype=torch.int64))


@pytest.mark.parametrize("alpha", (0, -1.0, math.inf, math.nan, True, "2"))
def test_refuses_alpha(alpha):
    with pytest.raises(ValueError, match="alpha: must be a positive, finite number"):
        alpha_fair_weights(torch.eye(2), alpha)


def test_unchecked_non_finite_input_gives_nan():
    K = torch.tensor([[1.0, math.nan], [math.nan, 1.0]])
    assert alpha_fair_weights(K, check=False).isnan().all()
    assert alpha_fair_weights(K.expand(2, 2, 2), check=False).isnan().all()


def test_rounding_is_forgiven():
    G = torch.randn(3, 10_000, generator=draw())
    G[1] = -G[0] + 1e-3 * G[1]
    assert (alpha_fair_weights(G @ G.mT) > 0).all()


def test_cosine_of_equal_directions_is_one():
    K = gaussian(3, 3, 5, draw())
    w = alpha_fair_weights(K)
    torch.testing.assert_close(cosine(K, w, 7 * w), torch.ones(3, dtype=torch.float64))
