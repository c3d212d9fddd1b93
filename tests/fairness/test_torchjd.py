"""The aggregator inside torchjd, with the properties torchjd asks of aggregators."""

import pytest
import torch
from torch import nn
from torchjd.aggregation import FairGrad
from torchjd.autogram import Engine
from torchjd.autojac import backward, jac_to_grad

from fairhuman.fairness import AlphaFair, AlphaFairWeighting, fair_backward, get_strategy

SHAPES = ((1, 5), (2, 3), (3, 20), (5, 5), (9, 11))


def matrices(scale=1.0):
    generator = torch.Generator().manual_seed(0)
    return [scale * torch.randn(shape, generator=generator) for shape in SHAPES]


@pytest.mark.parametrize("scale", (0.0, 1e-10, 1.0, 1e5, 1e10))
@pytest.mark.parametrize("alpha", (0.5, 1.0, 2.0, 10.0))
def test_expected_structure(alpha, scale):
    for J in matrices(scale):
        d = AlphaFair(alpha)(J)
        assert d.shape == J.shape[1:]
        assert d.isfinite().all()


@pytest.mark.parametrize("alpha", (0.5, 1.0, 2.0, 10.0))
def test_no_conflict(alpha):
    for J in matrices():
        assert (J @ AlphaFair(alpha)(J) > 0).all()


def test_permutation_invariance():
    for J in matrices():
        order = torch.randperm(len(J))
        torch.testing.assert_close(AlphaFair()(J[order]), AlphaFair()(J), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("alpha", (0.5, 1.0, 2.0))
@pytest.mark.parametrize("factor", (1e-6, 10.0))
def test_scales_as_theory_says(alpha, factor):
    for J in matrices():
        expected = factor ** (1 - 2 * alpha / (alpha + 1)) * AlphaFair(alpha)(J)
        torch.testing.assert_close(AlphaFair(alpha)(factor * J), expected, rtol=1e-3, atol=1e-5)


def test_rank_deficient_and_duplicate_rows():
    J = torch.tensor([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 1.0, 0.0]])
    d = AlphaFair()(J)
    assert (J @ d > 0).all()


def test_agrees_with_fairgrad_where_that_converges():
    J = matrices()[2].double()
    torch.testing.assert_close(AlphaFair(2.0)(J), FairGrad(2.0)(J), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("optimised", (True, False))
def test_autojac(optimised):
    model, x = nn.Linear(4, 3), torch.randn(8, 4)
    step = fair_backward(
        {str(i): loss for i, loss in enumerate((model(x) ** 2).mean(0))},
        model.parameters(),
        get_strategy("mpd"),
    )
    ours = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    backward(list((model(x) ** 2).mean(0)))
    weights = jac_to_grad(model.parameters(), AlphaFair(2.0), optimize_gramian_computation=optimised)
    torch.testing.assert_close(weights, torch.tensor(list(step.weights.values())), rtol=1e-3, atol=1e-4)
    for parameter, expected in zip(model.parameters(), ours, strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-3, atol=1e-5)


def test_autogram():
    model, x = nn.Linear(4, 3), torch.randn(8, 4)
    engine = Engine(model, batch_dim=None)  # made first: it watches the forward pass
    gramian = engine.compute_gramian((model(x) ** 2).mean(0))
    weights = AlphaFairWeighting(2.0)(gramian)
    torch.testing.assert_close(weights**0.5 * (gramian @ weights), torch.ones(3), rtol=1e-3, atol=1e-3)


def test_representation_and_refusal():
    assert repr(AlphaFair(2.0)) == "AlphaFair(alpha=2.0)"
    aggregator = AlphaFair()
    aggregator.alpha = 4.0
    assert aggregator.gramian_weighting.alpha == 4.0
    with pytest.raises(ValueError, match="alpha: must be a positive"):
        AlphaFair(-1.0)
