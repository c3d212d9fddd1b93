"""A copy is found, and told from an image that is merely alike."""

import numpy as np
import pytest

from fairhuman.experiments.memorisation import compare_to_training, nearest_images, pixel_vectors


@pytest.fixture
def training():
    return np.random.default_rng(0).normal(size=(300, 8))


def test_the_nearest_is_the_nearest(training):
    queries = np.random.default_rng(1).normal(size=(40, 8))
    found = nearest_images(queries, training)
    distances = np.linalg.norm(queries[:, None] - training[None], axis=-1)
    assert found.index.tolist() == distances.argmin(1).tolist()
    assert found.distance == pytest.approx(distances.min(1))


def test_copies_are_suspected_and_new_images_are_not(training):
    heldout, fresh = np.random.default_rng(1).normal(size=(2, 200, 8))
    learnt = training[:100] + 1e-3
    copied = compare_to_training(learnt, heldout, training)
    assert copied["nearest"] == list(range(100))
    assert copied["p"] < 1e-6 and copied["nearer"]["low"] > 0.9
    new = compare_to_training(fresh, heldout, training)
    assert new["p"] > 0.01 and new["nearer"]["value"] < 0.12


def test_a_pixel_distance_is_a_root_mean_square():
    grey = [np.full((64, 64, 3), level, np.uint8) for level in (0, 51)]
    dark, light = pixel_vectors(grey)
    assert np.linalg.norm(dark - light) == pytest.approx(0.2, rel=1e-5)


def test_vectors_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(2, 4\)"):
        nearest_images(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="at least one of each"):
        compare_to_training(np.zeros((0, 3)), np.zeros((2, 3)), np.zeros((2, 3)))
