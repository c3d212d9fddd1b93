"""Captions are parsed as they were written, crops cut where they are asked for, readers kept whole."""

import numpy as np
import pytest
import torch

from fairhuman.boxes import cut_square
from fairhuman.evaluation.reader import (
    AttributeReader,
    ReaderNetwork,
    caption_agreement,
    caption_attributes,
)
from fairhuman.evaluation.reader._attributes import known_attributes

STUDIO = {"gender": "man", "framing": "upper body", "shirt_color": "red", "pose": "waving", "hair": "bald",
          "hair_color": "black", "left_gesture": "fist", "right_gesture": "relaxed"}  # fmt: skip


@pytest.mark.parametrize(
    ("caption", "framing", "gender", "shirt", "pose"),
    [
        ("A laughing man with short black hair in a green shirt, head and shoulders",
         "head and shoulders", "man", "green", None),
        ("A bald man wearing a blue t-shirt and black trousers standing, whole body, grey background",
         "whole body", "man", "blue", "standing"),
        ("A young woman in a red shirt with hands on hips, upper body", "upper body", "woman", "red",
         "hands on hips"),
        ("A woman in a white t-shirt giving a thumbs up, upper body", "upper body", "woman", "white",
         "showing a hand"),
        ("Close-up of a woman with a blond bob, blue background", "face close-up", "woman", None, None),
        ("Close-up of a hand making a fist, green background", "hand close-up", None, None, None),
        ("Close-up of a left hand making an ok sign, dark skin, olive sleeve, lit from above",
         "hand close-up", None, None, None),
        ("A sad man with tan skin, facing the camera, in a sky blue turtleneck, with the right hand on the"
         " chin, head and shoulders, lit from the left", "head and shoulders", "man", "sky blue",
         "hand on chin"),
        ("A woman with tan skin, in a striped pink sweater, showing three fingers with both hands, from the"
         " chest up", "chest up", "woman", "pink", "showing both hands"),
        ("A man with brown skin, in a red t-shirt, waving with the left hand, upper body", "upper body",
         "man", "red", "waving"),
    ],
)  # fmt: skip
def test_captions_are_parsed(caption, framing, gender, shirt, pose):
    found = caption_attributes(caption)
    said = {"framing": framing, "gender": gender, "shirt_color": shirt, "pose": pose}
    assert found | said == found


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("Close-up of a left hand giving a thumbs up, light skin, red sleeve, lit from the left",
         {"framing": "hand close-up", "gesture": "thumb up"}),
        ("A slim man with dark skin and very short black hair, in a red shirt, pointing with the right hand, "
         "from the knees up",
         {"framing": "knees up", "gender": "man", "shirt_color": "red", "pose": "showing a hand",
          "gesture": "pointing", "hair": "very short", "hair_color": "black"}),
        ("A woman with brown hair in a bun, in a blue t-shirt, with arms at the sides, upper body",
         {"framing": "upper body", "gender": "woman", "shirt_color": "blue", "pose": "standing",
          "hair": "bun", "hair_color": "brown"}),
        ("Close-up of an elderly bald man with tan skin, facing the camera",
         {"framing": "face close-up", "gender": "man", "hair": "bald"}),
    ],
)  # fmt: skip
def test_captions_that_say_more_are_parsed(caption, said):
    found = caption_attributes(caption)
    assert {name: value for name, value in found.items() if value is not None} == said


def test_only_what_the_framing_shows_is_known():
    assert known_attributes(STUDIO, "whole")["shirt_color"] == "red"
    near = known_attributes(STUDIO | {"framing": "hand close-up"}, "whole")
    assert (
        near["framing"] == "hand close-up" and near["gender"] is near["shirt_color"] is near["pose"] is None
    )
    assert known_attributes(STUDIO, "hand", "left")["gesture"] == "fist"
    assert known_attributes(STUDIO, "head")["hair_color"] is None  # of a bald man


def test_a_square_is_cut_and_its_border_goes_on():
    image = np.arange(100 * 80 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 80, 3)
    assert (cut_square(image, (20, 30, 40, 50), 1.0) == image[30:50, 20:40]).all()
    outer = cut_square(image, (0, 0, 10, 10), 2.0)
    assert outer.shape == (20, 20, 3) and (outer[:5, :5] == image[0, 0]).all()
    with pytest.raises(ValueError, match="x0 < x1"):
        cut_square(image, (5, 5, 5, 9), 1.0)


@pytest.fixture
def untrained():
    return AttributeReader(
        {"whole": ReaderNetwork(128, {"gender": 2})}, {"whole": {"gender": ["man", "woman"]}}
    )


def test_a_reader_comes_back_as_it_was_saved(untrained, tmp_path):
    images = list(np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8))
    other = AttributeReader.load(untrained.save(tmp_path / "reader.safetensors"))
    assert other.classes == untrained.classes
    np.testing.assert_allclose(other.features(images), untrained.features(images), atol=2e-2)
    assert untrained.features(images).shape == (3, other.networks["whole"].num_features)
    assert untrained.read([]).empty
    assert not list(tmp_path.glob("*.partial"))


def test_features_are_those_of_the_module(untrained):
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    with torch.no_grad():
        direct = untrained.networks["whole"](torch.from_numpy(images).permute(0, 3, 1, 2))
    np.testing.assert_allclose(untrained.features(list(images)), direct.numpy(), atol=1e-5)


def test_views_weights_and_captions_must_be_there(untrained, tmp_path):
    with pytest.raises(ValueError, match="view: unknown name 'foot'"):
        untrained.read([np.zeros((8, 8, 3), np.uint8)], "foot")
    with pytest.raises(FileNotFoundError, match="reader: no weights at"):
        AttributeReader.load(tmp_path / "nothing.safetensors")
    with pytest.raises(ValueError, match="got 0 for 1 images"):
        caption_agreement([np.zeros((8, 8, 3), np.uint8)], [])
