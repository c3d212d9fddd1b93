"""The stand-in for the Gram matrix that is taken at the network's output."""

import pytest
import torch
from torch import nn

from fairhuman.fairness import Amortised, FairAccumulator, fair_backward
from fairhuman.fairness._sketch import sketch_of


@pytest.fixture
def output():
    return torch.randn(4, 3, 8, 8, requires_grad=True)


def losses_of(output):
    mask = torch.zeros(8, 8)
    mask[2:4, 1:5] = 1
    return [(output**2).mean(), (mask * output**2).mean(), None]


def test_smooth_errors_are_seen_and_rough_ones_hardly():
    smooth = torch.ones(1, 1, 8, 8, requires_grad=True)
    rough = (torch.arange(64).view(1, 1, 8, 8) % 2 * 2.0 - 1).requires_grad_()
    seen = [sketch_of([(x**2).mean()], x).item() for x in (smooth, rough)]
    assert seen[0] == pytest.approx(1.003 * (2 / 64) ** 2 * 64)
    assert seen[1] == pytest.approx(0.003 * (2 / 64) ** 2 * 64)


def test_sketch_is_a_gram_matrix_and_scales_as_gradients_do(output):
    sketch = sketch_of(losses_of(output), output)
    assert torch.equal(sketch, sketch.mT)
    assert torch.linalg.eigvalsh(sketch).min() > -1e-15
    assert (sketch[2] == 0).all()
    assert (sketch[0, 1]) > 0
    tripled = [None if loss is None else 3 * loss for loss in losses_of(output)]
    torch.testing.assert_close(sketch_of(tripled, output), 9 * sketch)


def test_noise_counts_for_more(output):
    noise = torch.tensor([0.0, 1.0, 0.0, 0.0])
    others = losses_of(output)[0] * 0 + (output[torch.tensor([0, 2, 3])] ** 2).sum()
    second = (output[1] ** 2).sum()
    plain, noisy = (sketch_of([others, second], output, n) for n in (None, noise))
    torch.testing.assert_close(noisy[0, 0], plain[0, 0])
    torch.testing.assert_close(noisy[1, 1], torch.e**2 * plain[1, 1], rtol=1e-5, atol=0)


def test_examples_add_up(output):
    whole = sketch_of([(output**2).sum()], output)
    parts = [output[k : k + 1].detach().requires_grad_() for k in range(4)]
    torch.testing.assert_close(sum(sketch_of([(part**2).sum()], part) for part in parts), whole)


def test_any_shape_of_output():
    for shape in ((5,), (5, 2), (5, 2, 7)):
        x = torch.randn(shape, requires_grad=True)
        assert sketch_of([(x**2).mean()], x) > 0


def test_refusals(output):
    with pytest.raises(ValueError, match="output: must be the tensor"):
        sketch_of(losses_of(output), output.detach())
    with pytest.raises(ValueError, match=r"noise: must have shape \(4,\), got \(3,\)"):
        sketch_of(losses_of(output), output, torch.zeros(3))


def test_backward_gives_the_strategy_the_sketch_of_the_union():
    model, x = nn.Conv2d(2, 2, 3), torch.randn(4, 2, 6, 6)
    told = []

    class Listening(Amortised):
        def foresee(self, losses, present, sketch=None, *, begins=True):
            told.append((sketch, begins))
            super().foresee(losses, present, sketch, begins=begins)

    def objectives(part):
        output = model(part)
        return {"all": (output**2).mean(), "some": (output[:, :, 0] ** 2).mean()}, output

    losses, output = objectives(x)
    fair_backward(losses, model.parameters(), Listening(), output=output)
    accumulator = FairAccumulator(model.parameters(), Listening())
    for part in x.chunk(2):
        losses, output = objectives(part)
        accumulator.add(losses, weight=0.5, output=output)
    accumulator.step()
    assert [begins for _, begins in told] == [True, False, True, False, False]
    torch.testing.assert_close(told[-1][0], told[1][0])
