"""Agreement is counted as one would by hand, and chance is what other images' captions get."""

import numpy as np
import pandas as pd
import pytest

from fairhuman.evaluation.reader import caption_agreement


class Seer:
    """Reads the shirt's colour off the first pixel, and believes that everybody is a man."""

    classes = {"whole": {"framing": ["upper body"], "gender": ["man", "woman"],
                         "shirt_color": ["red", "blue"], "pose": ["waving"]}}  # fmt: skip

    def read(self, images):
        shirts = ["red" if image[0, 0, 0] else "blue" for image in images]
        row = {"framing": "upper body", "gender": "man", "pose": "waving"}
        return pd.DataFrame([row | {"shirt_color": shirt} for shirt in shirts])


@pytest.fixture
def table():
    shirts = ["red", "blue"] * 10
    captions = [f"A woman in a {shirt} t-shirt waving, upper body" for shirt in shirts]
    captions[0] = "Close-up of a hand making a fist"  # says nothing of a shirt
    captions[1] = "A man in a green t-shirt, upper body"  # a colour that the reader does not know
    images = [np.full((8, 8, 3), 255 * (shirt == "red"), np.uint8) for shirt in shirts]
    return caption_agreement(images, captions, reader=Seer()).set_index("attribute")


def test_what_is_said_and_known_is_counted(table):
    assert table.value["shirt_color"] == 1 and table.n["shirt_color"] == 18
    assert table.unknown["shirt_color"] == 1
    assert table.value["gender"] == pytest.approx(1 / 19) and table.n["gender"] == 19


def test_chance_is_the_share_that_other_captions_get(table):
    # 9 red and 9 blue of each: a permuted statement agrees in half of the cases.
    assert table.chance["shirt_color"] == pytest.approx(0.5, abs=0.02)
    assert table.chance_p["shirt_color"] == pytest.approx(0.001)
    assert table.chance["gender"] == table.value["gender"]  # one answer for all: no better than chance
    assert table.chance_p["gender"] == 1
