"""Distances agree with torchmetrics' on the same features, and order what is known to be worse."""

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from fairhuman.evaluation import frechet_distance, kernel_distance, kernel_distance_difference
from fairhuman.evaluation.reader import ReaderNetwork


class _Means(torch.nn.Module):
    """Eight features of an image: means of its quarters in two channels."""

    num_features = 8

    def forward(self, images):
        means = torch.nn.functional.adaptive_avg_pool2d(images[:, :2].float() / 16, 2)
        return means.flatten(1)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.integers(0, top, (40, 3, 8, 8), dtype=np.uint8)) for top in (256, 200)]


class _Double(torch.nn.Module):
    """A network's features in double precision: torchmetrics sums kernel values in the features' own."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.num_features = network.num_features

    def forward(self, images):
        return self.network(images).double()


def _reader():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ReaderNetwork(16, {"gender": 2}).eval()


@pytest.mark.parametrize("network", [_Means, _reader])
def test_distances_equal_torchmetrics(images, network):
    features = _Double(network())
    with torch.no_grad():
        real, fake = (features(part).numpy() for part in images)
    kernel = KernelInceptionDistance(feature=features, subsets=1, subset_size=40)
    metrics = [kernel]
    if features.num_features < 40:  # below as many images as features a Fréchet distance is refused
        metrics.append(FrechetInceptionDistance(feature=features))
    for metric in metrics:
        metric.update(images[0], real=True)
        metric.update(images[1], real=False)
    for frechet in metrics[1:]:
        assert frechet_distance(real, fake).value == pytest.approx(frechet.compute().item(), rel=1e-4)
    expected = pytest.approx(kernel.compute()[0].item(), rel=1e-6, abs=1e-9)
    assert kernel_distance(real, fake).value == expected


def test_a_shift_alone_is_its_square():
    features = np.random.default_rng(0).normal(size=(60, 3))
    assert frechet_distance(features, features + [2, 0, 0]).value == pytest.approx(4)
    assert frechet_distance(features, features[::-1]).value == pytest.approx(0, abs=1e-6)


def test_the_kernel_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    found = [kernel_distance(*rng.normal(size=(2, 20, 4)), resamples=2).value for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20


def test_intervals_hold_the_truth_and_order_steps():
    rng = np.random.default_rng(1)
    reference, first = rng.normal(size=(2, 150, 6))
    steps = [kernel_distance(reference, first + shift) for shift in (0, 0.5, 1.0)]
    assert steps[0].low < 0.02 and steps[0].value < steps[1].value < steps[2].value
    assert steps[0].high < steps[1].low and steps[1].high < steps[2].low
    assert kernel_distance_difference(reference, first, first + 0.5).excludes(0)
    same = kernel_distance_difference(reference, first, first)
    assert same.value == same.low == same.high == 0


def test_a_high_level_is_not_answered_by_the_extremes_of_few_resamples():
    """As of forty differences together: of an ordinary interval's 999 none would lie beyond its ends."""
    sets = np.random.default_rng(3).normal(size=(3, 40, 4))

    def width(resamples, seeds):
        options = {"level": 1 - 0.05 / 40, "resamples": resamples}
        found = [kernel_distance_difference(*sets, seed=seed, **options) for seed in range(seeds)]
        return np.mean([one.high - one.low for one in found])

    many = width(60_000, 1)
    assert width(999, 12) < 0.97 * many
    assert width(None, 12) == pytest.approx(many, rel=0.03)
    assert kernel_distance_difference(*sets) == kernel_distance_difference(*sets, resamples=999)


def test_the_order_of_images_does_not_matter():
    rng = np.random.default_rng(2)
    reference, other = rng.normal(size=(2, 30, 4))
    assert kernel_distance(reference, other[::-1]).value == pytest.approx(
        kernel_distance(reference, other).value
    )


@pytest.mark.parametrize(
    ("function", "sets", "message"),
    [
        (kernel_distance, (np.zeros((9, 2)), np.zeros((40, 2))), "at least 10 images a set, got 9 and 40"),
        (frechet_distance, (np.zeros((5, 8)), np.zeros((9, 8))), "at least 9 images a set, got 5 and 9"),
        (kernel_distance, (np.zeros((12, 2)), np.zeros((12, 3))), r"got \(12, 2\) and \(12, 3\)"),
        (kernel_distance, (np.full((12, 2), np.nan), np.zeros((12, 2))), "must be finite"),
        (kernel_distance_difference, (np.zeros((12, 2)),) * 2 + (np.zeros((11, 2)),), "got 12 and 11"),
    ],
)
def test_too_little_is_refused(function, sets, message):
    with pytest.raises(ValueError, match=message):
        function(*sets)
