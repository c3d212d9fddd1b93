"""The ballot in a real browser: voted by keyboard, left in the middle, taken up, saved, scored."""

import json

import numpy as np
import pytest
from browser import browser, find_browser, wait_for
from PIL import Image

from fairhuman.experiments.study import build_study, read_answers, score_study, write_study

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium (Debian: apt-get install chromium)")
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
    return page.get(
        "(async () => { const c = document.createElement('canvas'); c.width = c.height = 16;"
        f"const image = document.getElementById({side!r}); await image.decode();"
        "const p = c.getContext('2d'); p.drawImage(image, 0, 0, 16, 16);"
        "return p.getImageData(8, 8, 1, 1).data[0]; })()"
    )


def begin(page, rater):
    page.get("document.getElementById('rater').value = ''; document.getElementById('rater').focus()")
    page.type(str(rater))
    page.press("Enter")


def answers(page):
    return int(page.get("document.getElementById('bar').getAttribute('aria-valuenow')"))


def test_a_full_vote_by_keyboard_survives_a_reload_and_is_scored(ballot, tmp_path):
    study, address, key = ballot
    rater = 3
    order = study.ballots[rater]
    profile, saved = tmp_path / "profile", tmp_path / "saved"

    def vote(page, first, last):
        """Always for the light image; for the regional question a tie. Checks as they ought to be."""
        for number, swapped in order[first:last]:
            trial = study.trials[number]
            if trial.is_check:
                choice = "right" if swapped else "left"
            else:
                choice = "left" if brightness(page, "left") > brightness(page, "right") else "right"
            page.press(KEY[choice])
            page.press(KEY[choice if trial.is_check else "tie"])

    half = len(order) // 2
    with browser(PROGRAM, profile) as page:
        page.open(address)
        assert page.shown("start") and not page.shown("vote")
        begin(page, rater)
        assert page.shown("vote") and answers(page) == 0
        vote(page, 0, half)
        page.press(KEY["left"])  # one question of the next pair: also kept
        assert answers(page) == 2 * half + 1
        page.open(address)  # loaded anew
        assert page.shown("start")
        assert page.get("document.getElementById('rater').value") == str(rater)
        page.press("Enter")  # has the focus: nobody types the number twice
        assert answers(page) == 2 * half + 1
        page.press("Backspace")
        assert answers(page) == 2 * half
        vote(page, half, len(order))
        assert page.shown("end") and not page.shown("vote")
        page.downloads_to(saved)
        page.press("Enter")  # the button that saves has the focus
        file = wait_for(saved / f"answers-{rater}.json")
        assert json.loads(page.get("document.getElementById('text').value")) == json.loads(file.read_text())

    found = score_study(read_answers([file], key))
    assert found["left_out"] == []
    scores = {(row["question"], row["system"]): (row["value"], row["n"]) for row in found["scores"]}
    assert scores["overall", "light"] == (1, len(PROMPTS))
    assert scores["overall", "dark"] == (0, len(PROMPTS))
    assert scores["regional", "light"] == (0.5, len(PROMPTS))


def test_raters_in_one_browser_do_not_mix_and_a_held_key_counts_once(ballot, tmp_path):
    study, address, _ = ballot
    with browser(PROGRAM, tmp_path / "profile") as page:
        page.open(address)
        begin(page, 0)
        page.press(KEY["tie"])
        page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowDown", autoRepeat=True)
        assert answers(page) == 1
        page.open(address)
        begin(page, 1)
        assert answers(page) == 0
        # What is shown follows the ballot of the rater, side by side.
        number, swapped = study.ballots[1][0]
        names = study.trials[number].images
        for side, name in zip(("left", "right"), reversed(names) if swapped else names, strict=True):
            shown = np.asarray(study.images[name].convert("L"))[8, 8]
            assert abs(int(brightness(page, side)) - int(shown)) <= 3
        fetched = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length"
        assert page.get(fetched) == 0
        assert not page.shown("unkept")
        page.get("Storage.prototype.setItem = () => { throw new Error('full') }")
        page.press(KEY["left"])
        assert page.shown("unkept") and answers(page) == 1  # told, and it goes on
