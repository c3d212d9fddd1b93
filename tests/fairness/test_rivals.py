"""Published rivals of MPD, and MPD in other units: each has the property that defines it, on random Gram
matrices and on recorded ones."""

import json
from pathlib import Path

import cvxpy
import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torchjd.aggregation import PCDWeighting
from torchjd.scalarization import FAMO

from fairhuman.experiments.derivation.ensembles import gaussian
from fairhuman.experiments.derivation.reference import residual
from fairhuman.fairness import alpha_fair_weights, get_strategy
from fairhuman.fairness._min_norm import min_norm_weights

GRAMIANS = Path(__file__).parents[2] / "results/benchmarks/gramians.json"
PRESENT = torch.ones(3, dtype=torch.bool)


def recorded():
    steps = json.loads(GRAMIANS.read_text())["values"]["steps"][:60]
    steps = [step for step in steps if all(step["gramian"][i][i] > 0 for i in range(3))]
    assert len(steps) >= 20
    for step in steps:
        yield (
            torch.tensor(list(step["losses"].values()), dtype=torch.float64),
            torch.tensor(step["gramian"], dtype=torch.float64),
        )


def drawn():
    draw = torch.Generator().manual_seed(0)
    for K in gaussian(40, 3, 5, draw):
        yield (
            torch.rand(3, generator=draw, dtype=torch.float64) + 0.1,
            K * 10.0 ** -torch.randint(0, 8, (), generator=draw),
        )


@pytest.fixture(params=(drawn, recorded), ids=("random", "recorded"))
def steps(request):
    return list(request.param())


def decide(strategy, losses, K):
    w = strategy.weights(losses, K if strategy.needs_gramian else None, PRESENT)
    strategy.advance()
    return w


def assert_shortest(K, w, offset=0.0):
    """KKT: the slope is the same where w > 0, and nowhere less."""
    slope = K @ (w + offset)
    assert (w >= 0).all()
    assert w.sum().item() == pytest.approx(1)
    scale = K.diagonal().max()
    assert ((slope - slope.min())[w > 0] <= 1e-9 * scale).all()


def test_min_norm_weights_are_optimal(steps):
    for _, K in steps:
        assert_shortest(K, min_norm_weights(K))
        offset = torch.full((3,), 0.2, dtype=torch.float64)
        assert_shortest(K, min_norm_weights(K, offset), offset)


def test_min_norm_weights_of_dependent_gradients_and_many_objectives():
    G = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    w = min_norm_weights(G @ G.mT)
    assert (w @ G).norm() < 1e-12
    with pytest.raises(ValueError, match="at most 12 objectives here, got 13"):
        min_norm_weights(torch.eye(13, dtype=torch.float64))


def test_sdmgrad_is_the_shortest_pulled_direction(steps):
    for losses, K in steps:
        w = decide(get_strategy("sdmgrad", pull=0.6), losses, K)
        own = 1.6 * w - 0.2
        assert_shortest(K, torch.where(own < 1e-12, 0.0, own), torch.full((3,), 0.2, dtype=torch.float64))
        far = decide(get_strategy("sdmgrad", pull=1e6), losses, K)
        torch.testing.assert_close(far, torch.full((3,), 1 / 3).double(), rtol=0, atol=1e-5)


def test_psmgd_renews_on_schedule_and_keeps_between(steps):
    strategy = get_strategy("psmgd", every=3)
    for k, (losses, K) in enumerate(steps):
        assert strategy.needs_gramian == (k % 3 == 0)
        w = decide(strategy, losses, K)
        if k % 3 == 0:
            last = w
            assert_shortest(K, w)
        assert torch.equal(w, last)


def test_psmgd_never_stands_still():
    strategy, losses = get_strategy("psmgd"), torch.ones(3).double()
    G = torch.tensor([[4.0, 1.0], [0.0, 1.0], [0.0, 1.0]]).double()
    assert decide(strategy, losses, G @ G.mT)[0] == 0  # longer than the others and no nearer to zero
    for i in range(3):
        assert strategy.weights(losses, None, torch.eye(3)[i] > 0)[i] > 0


def test_pcd_is_nearest_to_the_primary_gradient(steps):
    for losses, K in steps:
        strategy = get_strategy("pcd", tau=0.3)
        w = decide(strategy, losses, K)
        torch.testing.assert_close(w @ K @ w, K[0, 0], rtol=1e-6, atol=0)
        # At a first step every gradient is normalised to length 1.
        C = K / K.diagonal().sqrt().outer(K.diagonal().sqrt())
        v = w * K.diagonal().sqrt()
        v = v / v[0]  # d̃ = g̃₁ + Σ μⱼ g̃ⱼ
        slack = (C @ v)[1:] - 0.3
        assert (slack >= -1e-6).all()
        assert (v[1:] >= 0).all()
        assert (slack * v[1:]).abs().max() < 1e-6


def test_pcd_is_torchjds_over_time(steps):
    ours, theirs = get_strategy("pcd"), PCDWeighting(eps=0.0)
    for losses, K in steps:
        torch.testing.assert_close(decide(ours, losses, K), theirs(K))


def test_modo_settles_at_the_shortest_regularised_combination(steps):
    for losses, K in steps[:4]:
        strategy = get_strategy("modo", gamma=0.5, rho=0.1)
        first = decide(strategy, losses, K)
        assert (first >= 0).all()
        assert first.sum().item() == pytest.approx(1)
        for _ in range(500):
            w = decide(strategy, losses, K)
        scaled = K / K.diagonal().mean() + 0.1 * torch.eye(3).double()
        torch.testing.assert_close(w, min_norm_weights(scaled), rtol=1e-6, atol=1e-8)


def test_upgrad_is_the_mean_of_the_gradients_nearest_without_conflict(steps):
    for losses, K in steps[:15]:
        w = decide(get_strategy("upgrad"), losses, K)
        n = K.diagonal().sqrt()
        C = (K / n.outer(n)).numpy()
        expected = torch.zeros(3).double()
        for i in range(3):
            # The projection of gᵢ/‖gᵢ‖ on the cone in which no objective ascends: v ≥ eᵢ.
            least = torch.eye(3)[i].double().numpy()
            found = minimize(
                lambda v, C=C: v @ C @ v, least + 0.1, jac=lambda v, C=C: 2 * C @ v,
                bounds=[(x, None) for x in least], method="L-BFGS-B",
                options={"ftol": 1e-15, "gtol": 1e-12, "maxiter": 5000},
            )  # fmt: skip
            expected += n[i] * torch.from_numpy(found.x) / n / 3
        d, e = w @ K @ w, expected @ K @ expected
        assert (w @ K @ expected / (d * e).sqrt()).item() > 0.999


def test_famo_weighs_log_losses_and_learns_from_what_a_step_did(steps):
    ours, theirs = get_strategy("famo"), FAMO(3).double()
    for losses, K in steps:
        values = losses.clone().requires_grad_()
        (expected,) = torch.autograd.grad(theirs(values), values)
        w = decide(ours, losses, K)
        torch.testing.assert_close(w, expected)
        assert w.sum().item() == pytest.approx(1, rel=1e-4)
        after = losses * torch.tensor([0.9, 0.95, 1.0])
        ours.review(losses, after, PRESENT)
        theirs.update(after)
    shares = w * (losses + 1e-8)
    assert shares.argmax() == 2  # what falls least gets the most


def test_mpd_on_log_losses_knows_no_unit(steps):
    units = torch.tensor([1.0, 25.0, 0.003], dtype=torch.float64)
    for losses, K in steps:
        w = decide(get_strategy("mpd_log"), losses, K)
        v, scaled = w * losses, K / losses.outer(losses)
        assert residual(scaled, v) < 1e-9
        other = decide(get_strategy("mpd_log"), losses * units, K * units.outer(units))
        torch.testing.assert_close(other * units, w, rtol=1e-9, atol=0)
        plain = decide(get_strategy("mpd"), losses * units, K * units.outer(units))
        assert not torch.allclose(plain * units, alpha_fair_weights(K), rtol=0.1)


def test_mpd_on_losses_per_area_is_mpd_of_the_divided_losses(steps):
    areas = torch.tensor([1.0, 0.05, 0.01], dtype=torch.float64)
    for losses, K in steps:
        w = decide(get_strategy("mpd_area:1,0.05,0.01"), losses, K)
        assert residual(K / areas.outer(areas), w * areas) < 1e-9


def test_area_gives_back_what_the_scale_took():
    """On orthogonal gradients the share w‖g‖ of a loss c·l goes as c^(−1/3)."""
    K = torch.diag(torch.tensor([1.0, 1.0, 1.0])).double()
    w = decide(get_strategy("mpd_area:1,0.125,1"), torch.ones(3).double(), K)
    torch.testing.assert_close(w, torch.tensor([1.0, 0.5, 1.0]).double())


def test_priorities_minimise_the_delays_that_they_weigh(steps):
    """Against a convex solver that knows of Eq. 5 alone."""
    priorities = np.array([1.0, 8.0, 0.5])
    for losses, K in steps[:3]:
        w = decide(get_strategy("mpd:1,8,0.5"), losses, K)
        rates = K @ w / (w @ K @ w).sqrt()
        scale = K.diagonal().sqrt().numpy()  # as delays span orders of magnitude
        cosines = K.numpy() / np.outer(scale, scale)
        d = cvxpy.Variable(3)
        along = np.linalg.cholesky(cosines) @ d
        delays = cvxpy.sum(cvxpy.multiply(priorities / scale, cvxpy.inv_pos(along)))
        optimum = cvxpy.Problem(cvxpy.Minimize(delays), [cvxpy.norm(d) <= 1]).solve()
        assert (priorities / rates.numpy()).sum() == pytest.approx(optimum, rel=1e-6)
        plain = decide(get_strategy("mpd"), losses, K)
        plain = K @ plain / (plain @ K @ plain).sqrt()
        assert (priorities / plain.numpy()).sum() > 1.01 * optimum


def test_eight_times_the_priority_is_twice_the_share_and_equal_ones_are_none():
    K = torch.eye(3).double()
    w = decide(get_strategy("mpd:1,8,1"), torch.ones(3).double(), K)
    torch.testing.assert_close(w, torch.tensor([1.0, 2.0, 1.0]).double())
    assert torch.equal(decide(get_strategy("mpd:1,1,1"), torch.ones(3).double(), K), alpha_fair_weights(K))


def test_a_loss_without_logarithm_is_left_out():
    K = torch.eye(3).double()
    assert decide(get_strategy("mpd_log"), torch.tensor([1.0, 0.0, -1.0]).double(), K).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    (
        ("psmgd", {"every": 0}, "every: must be an integer"),
        ("psmgd", {"momentum": 1.0}, "momentum: must be in"),
        ("sdmgrad", {"pull": -1.0}, "pull: must be a finite"),
        ("famo", {"learning_rate": -1.0}, "learning_rate: must be"),
        ("famo", {"decay": float("nan")}, "decay: must be"),
        ("pcd", {"tau": 2.0}, "tau"),
        ("modo", {"gamma": 0.0}, "gamma"),
    ),
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        get_strategy(name, **options)
