"""The fine-tuning set holds what the base's corpus lacks, by the attributes that each is drawn by."""

import numpy as np
import pytest

from fairhuman.humans._hands import GESTURES
from fairhuman.humans._presets import PRESETS

DRAWS = 400


def drawn(preset):
    """Attributes of many people, decided and not rendered."""
    return [PRESETS[preset](np.random.default_rng([9, i])).attributes for i in range(DRAWS)]


@pytest.fixture(scope="module")
def corpus():
    return drawn("everyday")


@pytest.fixture(scope="module")
def portraits():
    return drawn("portraits")


def values(people, name):
    return {person.get(name, "none") for person in people}


@pytest.mark.parametrize("name", ["shirt_color", "light_color"])
def test_nothing_of_the_corpus_occurs_in_the_portraits(corpus, portraits, name):
    assert not values(corpus, name) & values(portraits, name)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("top", 0.5),
        ("pattern", 0.5),
        ("hair", 0.5),
        ("hair_color", 0.3),
        ("background", 0.6),
        ("light", 0.25),
        ("glasses", 0.25),
        ("framing", 0.3),
    ],
)
def test_much_of_the_portraits_never_occurs_in_the_corpus(corpus, portraits, name, least):
    known = values(corpus, name)
    assert np.mean([person[name] not in known for person in portraits]) >= least


def test_most_shown_hands_do_what_none_in_the_corpus_does(corpus, portraits):
    def doing(person):
        return person["pose"], person["left_gesture"], person["right_gesture"]

    known = {doing(person) for person in corpus}
    shown = [doing(person) for person in portraits if set(doing(person)[1:]) != {"relaxed"}]
    assert len(shown) > DRAWS / 2
    assert np.mean([hands not in known for hands in shown]) >= 0.8


def test_portraits_are_near(portraits):
    assert not values(portraits, "framing") & {"whole body", "knees up", "distant"}


def test_the_same_chance_decides_the_same(portraits):
    assert drawn("portraits") == portraits


def test_a_hand_shape_is_called_by_its_name():
    assert all(shape.name == name for name, shape in GESTURES.items())
