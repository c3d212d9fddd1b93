"""The ballot in a real browser: voted by keyboard, left in the middle, taken up, saved, scored."""

import json

import numpy as np
import pytest
from PIL import Image

from fairhuman.experiments.study import build_study, read_answers, score_study, write_study

PROMPTS = [f"a person, number {i}" for i in range(6)]
KEY = {"left": "ArrowLeft", "right": "ArrowRight", "tie": "ArrowDown"}


def pictures(shade):
    """Each of its own brightness, so that a shown image can be told."""
    return [Image.new("L", (16, 16), shade + 10 * i) for i in range(len(PROMPTS))]


@pytest.fixture
def ballot(tmp_path):
    study = build_study({"dark": pictures(20), "light": pictures(160)}, PROMPTS, checks=2, ballots=4)
    page, key = write_study(study, tmp_path / "study", title="Which?")
    return study, page.as_uri(), json.loads(key.read_text())


def brightness(page, side):
    """Of the image that stands on this side, as the browser decoded it."""
    return page.locator(f"#{side}").evaluate(
        "async (image) => { const c = document.createElement('canvas'); c.width = c.height = 16;"
        "await image.decode(); const p = c.getContext('2d'); p.drawImage(image, 0, 0, 16, 16);"
        "return p.getImageData(8, 8, 1, 1).data[0]; }"
    )


def begin(page, rater):
    page.fill("#rater", str(rater))
    page.keyboard.press("Enter")


def answers(page):
    return int(page.get_attribute("#bar", "aria-valuenow"))


def test_a_full_vote_by_keyboard_survives_a_reload_and_is_scored(ballot, chromium, tmp_path):
    study, address, key = ballot
    rater = 3
    order = study.ballots[rater]

    def vote(page, first, last):
        """Always for the light image; for the regional question a tie. Checks as they ought to be."""
        for number, swapped in order[first:last]:
            trial = study.trials[number]
            if trial.is_check:
                choice = "right" if swapped else "left"
            else:
                choice = "left" if brightness(page, "left") > brightness(page, "right") else "right"
            page.keyboard.press(KEY[choice])
            page.keyboard.press(KEY[choice if trial.is_check else "tie"])

    half = len(order) // 2
    with chromium() as context:
        page = context.pages[0]
        page.goto(address)
        assert page.is_visible("#start") and not page.is_visible("#vote")
        begin(page, rater)
        assert page.is_visible("#vote") and answers(page) == 0
        vote(page, 0, half)
        page.keyboard.press(KEY["left"])  # one question of the next pair: also kept
        assert answers(page) == 2 * half + 1
        page.reload()
        assert page.is_visible("#start")
        assert page.input_value("#rater") == str(rater)
        page.keyboard.press("Enter")  # the button has the focus: nobody types the number twice
        assert answers(page) == 2 * half + 1
        page.keyboard.press("Backspace")
        assert answers(page) == 2 * half
        vote(page, half, len(order))
        assert page.is_visible("#end") and not page.is_visible("#vote")
        with page.expect_download() as saved:
            page.keyboard.press("Enter")  # the button that saves has the focus
        assert saved.value.suggested_filename == f"answers-{rater}.json"
        file = tmp_path / "answers.json"
        saved.value.save_as(file)
        assert json.loads(page.input_value("#text")) == json.loads(file.read_text())

    found = score_study(read_answers([file], key))
    assert found["left_out"] == []
    scores = {(row["question"], row["system"]): (row["value"], row["n"]) for row in found["scores"]}
    assert scores["overall", "light"] == (1, len(PROMPTS))
    assert scores["overall", "dark"] == (0, len(PROMPTS))
    assert scores["regional", "light"] == (0.5, len(PROMPTS))


def test_raters_in_one_browser_do_not_mix_and_a_held_key_counts_once(ballot, chromium):
    study, address, _ = ballot
    with chromium() as context:
        page = context.pages[0]
        page.goto(address)
        begin(page, 0)
        page.keyboard.down(KEY["tie"])
        page.keyboard.down(KEY["tie"])  # not let go in between: the browser repeats it
        assert answers(page) == 1
        page.keyboard.up(KEY["tie"])
        page.reload()
        begin(page, 1)
        assert answers(page) == 0
        # What is shown follows the ballot of the rater, side by side.
        number, swapped = study.ballots[1][0]
        names = study.trials[number].images
        for side, name in zip(("left", "right"), reversed(names) if swapped else names, strict=True):
            shown = np.asarray(study.images[name].convert("L"))[8, 8]
            assert abs(int(brightness(page, side)) - int(shown)) <= 3
        fetched = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length"
        assert page.evaluate(fetched) == 0
        assert not page.is_visible("#unkept")
        page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full') } }")
        page.keyboard.press(KEY["left"])
        assert page.is_visible("#unkept") and answers(page) == 1  # told, and it goes on
