"""Strategies by name: what they decide and that they go on after a restart as if nothing had been."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from torchjd.aggregation import FairGradWeighting, MGDAWeighting

from fairhuman.experiments.derivation.ensembles import gaussian, regional
from fairhuman.experiments.derivation.reference import residual
from fairhuman.fairness import STRATEGIES, Amortised, alpha_fair_weights, get_strategy
from fairhuman.fairness._direction import cosine

ALL = (*STRATEGIES, "alpha_fair:0.5", "alpha_fair:1", "ls:1,20,60", "mpd:1,8,0.5", "mpd_area:1,0.05,0.01")
PRESENT = torch.ones(3, dtype=torch.bool)


def stream(steps, seed=0):
    """Losses and Gram matrices whose norms follow the losses, as in diffusion training."""
    generator = torch.Generator().manual_seed(seed)
    C = regional((1.0, 1.0, 1.0), (0.2, -0.2, 0.1))
    for _ in range(steps):
        losses = (torch.randn(3, generator=generator, dtype=torch.float64) - 2).exp()
        norms = losses**0.75 * (0.05 * torch.randn(3, generator=generator, dtype=torch.float64)).exp()
        yield losses, C * norms.unsqueeze(0) * norms.unsqueeze(1)


def run(strategy, steps, present=PRESENT):
    decided = []
    for losses, K in steps:
        here = K * present.unsqueeze(0) * present.unsqueeze(1)
        w = strategy.weights(losses * present, here if strategy.needs_gramian else None, present)
        strategy.advance()
        if strategy.reviews:
            strategy.review(losses * present, losses * present * torch.tensor([0.9, 0.99, 1.02]), present)
        decided.append(w)
    return torch.stack(decided)


@pytest.mark.parametrize("name", ALL)
def test_restart_goes_on_where_it_stopped(name):
    steps = list(stream(30))
    whole = run(get_strategy(name), steps)
    first, second = get_strategy(name), get_strategy(name)
    run(first, steps[:13])
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(run(second, steps[13:]), whole[13:], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_foreign_state_is_refused(name):
    with pytest.raises(ValueError, match="state"):
        get_strategy(name).load_state_dict({"nonsense": torch.ones(1)})


@pytest.mark.parametrize("name", ALL)
def test_absent_objective_has_weight_zero(name):
    present = torch.tensor([True, False, True])
    w = run(get_strategy(name), stream(12), present)
    if name != "fairgrad_official":  # as released: a weight that grows and multiplies zeros
        assert (w[:, 1] == 0).all()
    assert w.isfinite().all()


def test_mpd_solves_equation_8():
    ((losses, K),) = stream(1)
    assert residual(K, get_strategy("mpd").weights(losses, K, PRESENT)) < 1e-12
    assert residual(K, get_strategy("alpha_fair:4").weights(losses, K, PRESENT), 4.0) < 1e-12


def test_adapters_return_what_torchjd_does():
    ((losses, K),) = stream(1)
    official = get_strategy("fairgrad_official").weights(losses, K, PRESENT)
    torch.testing.assert_close(official, 3 * FairGradWeighting(2.0)(K.float()).double())
    torch.testing.assert_close(get_strategy("mgda").weights(losses, K, PRESENT), MGDAWeighting()(K))


GRAMIANS = Path(__file__).parents[2] / "results/benchmarks/gramians.json"


def test_nash_solves_the_bargain_on_every_recorded_step():
    steps = json.loads(GRAMIANS.read_text())["values"]["steps"]
    K = torch.tensor([step["gramian"] for step in steps], dtype=torch.float64)
    w = torch.stack([get_strategy("nash_mtl").weights(torch.ones(3).double(), k, PRESENT) for k in K])
    shares = w * (K @ w.unsqueeze(-1)).squeeze(-1)  # alike among those there, and ‖d‖² = Σ shares = 1
    here = K.diagonal(dim1=-2, dim2=-1) > 0
    torch.testing.assert_close(shares, here / here.sum(-1, keepdim=True).double(), rtol=1e-9, atol=0)
    assert cosine(K, w, alpha_fair_weights(K, 1.0)).min() >= 0.999


def test_nash_cuts_no_more_than_it_is_told():
    ((losses, K),) = stream(1)
    for given, found in ((0.0, 3**0.5), (0.5, 0.5), (5.0, 3**0.5)):
        w = get_strategy("nash_mtl", max_norm=given).weights(losses, K, PRESENT)
        assert float(w @ K @ w) ** 0.5 == pytest.approx(found)
    with pytest.raises(ValueError, match="max_norm: must be a finite number of at least 0, got -1"):
        get_strategy("nash_mtl", max_norm=-1)


def test_nash_bargains_with_whoever_is_there():
    ((losses, K),) = stream(1)
    strategy = get_strategy("nash_mtl")
    for here in itertools.product((False, True), repeat=3):
        present = torch.tensor(here)
        w = strategy.weights(losses, K * present.unsqueeze(0) * present.unsqueeze(1), present)
        assert ((w > 0) == present).all()
    stationary = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert (strategy.weights(losses[:2], stationary, PRESENT[:2]) == 0).all()


def test_scale_invariant_weights_equalise_weighted_losses():
    w = get_strategy("si").weights(torch.tensor([0.1, 2.0, 5.0]).double(), None, PRESENT)
    weighted = w * torch.tensor([0.1, 2.0, 5.0])
    torch.testing.assert_close(weighted, weighted[:1].expand(3))


def test_random_weights_sum_to_one_and_leave_the_global_stream_alone():
    before = torch.get_rng_state()
    w = run(get_strategy("rlw"), stream(200))
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(w.sum(1), torch.ones(200).double())
    torch.testing.assert_close(w.mean(0), torch.full((3,), 1 / 3).double(), rtol=0.1, atol=0)


def test_random_weights_do_not_change_within_a_step():
    strategy = get_strategy("rlw")
    losses = torch.ones(3, dtype=torch.float64)
    first = strategy.weights(losses, None, PRESENT)
    assert torch.equal(first, strategy.weights(losses, None, PRESENT))
    strategy.advance()
    assert not torch.equal(first, strategy.weights(losses, None, PRESENT))


def test_dynamic_weights_favour_the_loss_that_falls_slowly():
    strategy = get_strategy("dwa", period=5)
    for step in range(15):
        losses = torch.tensor([0.8**step, 1.0, 0.9**step], dtype=torch.float64)
        w = strategy.weights(losses, None, PRESENT)
        strategy.advance()
    assert w[0] < w[2] < w[1]
    torch.testing.assert_close(w.sum(), torch.tensor(3.0).double())


def test_uncertainty_weights_tend_to_half_the_inverse_loss():
    strategy = get_strategy("uw", learning_rate=0.1)
    losses = torch.tensor([0.1, 1.0, 4.0], dtype=torch.float64)
    for _ in range(2000):
        w = strategy.weights(losses, None, PRESENT)
    torch.testing.assert_close(w, 0.5 / losses, rtol=1e-3, atol=0)


@pytest.mark.parametrize("mode", ("fitted", "average", "stale"))
def test_amortised_is_exact_on_schedule(mode):
    strategy = Amortised(every=5, warmup=3, mode=mode)
    asked, exact = [], []
    for losses, K in stream(14):
        asked.append(strategy.needs_gramian)
        w = strategy.weights(losses, K if asked[-1] else None, PRESENT)
        exact.append(bool(residual(K, w) < 1e-9))
        strategy.advance()
    assert asked == [True] * 3 + [True, False, False, False, False] * 2 + [True]
    assert exact == asked


def sketched(count, seed=0):
    """Steps whose sketch is the Gram matrix of gradients but for noise, while the losses say nothing."""
    draw = torch.Generator().manual_seed(seed)
    for _ in range(count):
        sizes = torch.randn(3, generator=draw, dtype=torch.float64).exp() * torch.tensor([1.0, 0.1, 0.03])
        K = gaussian(1, 3, 12, draw)[0] * sizes.unsqueeze(0) * sizes.unsqueeze(1)
        noise = (0.2 * torch.randn(3, generator=draw, dtype=torch.float64)).exp()
        yield torch.ones(3, dtype=torch.float64), K, 5 * K * noise.unsqueeze(0) * noise.unsqueeze(1)


def follow(strategy, steps, with_sketch=True):
    """Cosines with the exact direction, and which steps were exact."""
    cosines, exact = [], []
    for losses, K, sketch in steps:
        if strategy.foresees:
            strategy.foresee(losses, PRESENT, sketch if with_sketch else None)
        exact.append(strategy.needs_gramian)
        w = strategy.weights(losses, K if exact[-1] else None, PRESENT)
        cosines.append(cosine(K, w, alpha_fair_weights(K)).item())
        strategy.advance()
    return torch.tensor(cosines, dtype=torch.float64), torch.tensor(exact)


def test_amortisation_follows_a_sketch():
    found = {}
    for label, options in (("sketch", {}), ("regular", {"adaptive": False}), ("stale", {"mode": "stale"})):
        cosines, exact = follow(Amortised(every=10, **options), sketched(300))
        found[label] = cosines[~exact].mean()
        assert exact[:8].all()
        assert 25 <= exact[8:].sum() <= 35  # a tenth of the steps, whichever they are
        assert cosines[exact].min() > 1 - 1e-9
    blind, _ = follow(Amortised(every=10), sketched(300), with_sketch=False)
    assert found["sketch"] > found["regular"] > 0.95
    assert found["regular"] > max(blind.mean(), found["stale"]) + 0.05


def test_amortised_takes_up_its_state():
    whole, first, second = (Amortised(every=5) for _ in range(3))
    steps = list(sketched(60))
    expected = follow(whole, steps)
    begun = follow(first, steps[:33])
    second.load_state_dict(first.state_dict())
    rest = follow(second, steps[33:])
    for k in range(2):
        assert torch.equal(torch.cat([begun[k], rest[k]]), expected[k])


def test_a_sketch_must_not_come_and_go():
    strategy = Amortised()
    (losses, K, sketch), (_, _, other) = sketched(2)
    strategy.foresee(losses, PRESENT, sketch)
    strategy.weights(losses, K, PRESENT)
    strategy.advance()
    with pytest.raises(ValueError, match="at every step or at none"):
        strategy.foresee(losses, PRESENT, None)


def test_fitted_amortisation_follows_the_losses():
    cosines = {}
    for mode in ("fitted", "average", "stale"):
        strategy, steps = Amortised(every=10, mode=mode), list(stream(300))
        w = run(strategy, steps)
        K = torch.stack([K for _, K in steps])
        cosines[mode] = cosine(K, w, alpha_fair_weights(K))[100:].mean().item()
    assert cosines["fitted"] > 0.99
    assert cosines["fitted"] > max(cosines["average"], cosines["stale"]) + 0.01


def test_amortised_copes_with_regions_that_come_and_go():
    strategy, generator = Amortised(every=4, warmup=2), torch.Generator().manual_seed(1)
    for losses, K in stream(80):
        present = torch.rand(3, generator=generator) > 0.4
        here = K * present.unsqueeze(0) * present.unsqueeze(1)
        w = strategy.weights(losses * present, here if strategy.needs_gramian else None, present)
        strategy.advance()
        assert w.isfinite().all()
        assert (w[~present] == 0).all()
        assert (w >= 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"every": 0}, "every: must be an integer of at least 1, got 0"),
        ({"warmup": 1.5}, "warmup: must be an integer"),
        ({"mode": "guess"}, "mode: must be one of fitted, average, stale, got 'guess'"),
        ({"forgetting": 1.1}, "forgetting: must be in"),
        ({"averaging": 1.0}, "averaging: must be in"),
        ({"alpha": -1}, "alpha: must be a positive"),
    ),
)
def test_amortised_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        get_strategy("mpd_amortised", **options)


@pytest.mark.parametrize(
    "name",
    (
        "mdp",
        "",
        "alpha_fair",
        "alpha_fair:",
        "alpha_fair:-1",
        "alpha_fair:x",
        "ls:",
        "ls:1,0",
        "ls:x",
        "mpd_area:1,-1",
        "mpd:1,0,1",
        "mpd:1,inf,1",
        "mpd:",
        None,
    ),
)
def test_unknown_strategy_is_refused(name):
    with pytest.raises(ValueError, match="strategy: "):
        get_strategy(name)


def test_gramian_strategies_say_what_they_miss():
    for name in ("mpd", "nash_mtl"):
        with pytest.raises(ValueError, match="gramian: must be given"):
            get_strategy(name).weights(torch.ones(3).double(), None, PRESENT)


def test_constant_weights_are_those_given():
    present = torch.tensor([True, False, True])
    strategy = get_strategy("ls:1,20,0.5")
    assert strategy.weights(torch.ones(3).double(), None, PRESENT).tolist() == [1, 20, 0.5]
    assert strategy.weights(torch.ones(3).double(), None, present).tolist() == [1, 0, 0.5]
    with pytest.raises(ValueError, match="losses: must be 3 for .*got 2"):
        strategy.weights(torch.ones(2).double(), None, PRESENT[:2])


def test_mpd_is_permutation_equivariant_as_a_strategy():
    K = gaussian(1, 3, 9, torch.Generator().manual_seed(0))[0]
    order = torch.tensor([2, 0, 1])
    strategy = get_strategy("mpd")
    torch.testing.assert_close(
        strategy.weights(torch.ones(3).double(), K[order][:, order], PRESENT),
        strategy.weights(torch.ones(3).double(), K, PRESENT)[order],
    )
