"""Ballots are blind and balanced, scores those of §9.2, agreement that of the published example."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fairhuman.experiments.study import (
    build_study,
    krippendorff_alpha,
    preference_scores,
    read_answers,
    score_study,
    simulate_raters,
    tabulate_answers,
    write_study,
)

PROMPTS = [f"a person, number {i}" for i in range(8)]


def pictures(shade):
    return [Image.new("RGB", (32, 32), (shade, 20 * i, 255 - 20 * i)) for i in range(len(PROMPTS))]


@pytest.fixture
def study():
    return build_study({"lora-ls": pictures(0), "lora-mpd": pictures(200)}, PROMPTS, checks=2, ballots=4)


def keyed(study):
    return study.key() | {"study": study.fingerprint}


def test_every_ballot_shows_every_pair_once_and_sides_balance(study):
    for order in study.ballots:
        assert sorted(number for number, _ in order) == list(range(len(study.trials)))
        assert 2 * sum(swapped for _, swapped in order) == len(order)
        comparisons = [swapped for number, swapped in order if not study.trials[number].is_check]
        assert 2 * sum(comparisons) == len(comparisons) == len(PROMPTS)
    for first, second in zip(study.ballots[::2], study.ballots[1::2], strict=True):
        assert {number: not swapped for number, swapped in first} == dict(second)
    assert len({tuple(number for number, _ in order) for order in study.ballots}) == len(study.ballots)


def test_the_page_does_not_tell_who_made_what(study, tmp_path):
    page, key = write_study(study, tmp_path, title="Which <one>?")
    text = page.read_text()
    for word in ("lora", "mpd", "check", "systems"):
        assert word not in text
    assert "Which &lt;one&gt;?" in text
    assert "{{" not in text
    assert "http" not in text.replace("data:image/jpeg", "")  # asks nothing of a server
    assert json.loads(key.read_text())["study"] == study.fingerprint
    # neither does the order of the images: each system's are spread over the page
    owner = {name: trial.systems[side] for trial in study.trials for side, name in enumerate(trial.images)}
    owners = [owner[name] for name in study.images]
    assert owners != sorted(owners)


def test_the_same_seed_gives_the_same_study(study):
    again = build_study({"lora-ls": pictures(0), "lora-mpd": pictures(200)}, PROMPTS, checks=2, ballots=4)
    other = build_study(
        {"lora-ls": pictures(0), "lora-mpd": pictures(200)}, PROMPTS, checks=2, ballots=4, seed=1
    )
    assert again.fingerprint == study.fingerprint != other.fingerprint


def test_scores_are_those_of_the_paper(study):
    """1 for the preferred image, 0 for the other, 0.5 each for a tie, whichever side they stood on."""
    contents = []
    for rater in range(6):
        answers = {}
        for number, swapped in study.ballots[rater % 4]:
            trial = study.trials[number]
            second = "left" if swapped else "right"
            overall = "tie" if number < 4 and not trial.is_check else second
            if trial.is_check:
                overall = second = "right" if swapped else "left"
            answers[trial.name] = {"overall": overall, "regional": second, "seconds": 1.5}
        contents.append({"study": study.fingerprint, "rater": rater, "answers": answers})
    found = score_study(tabulate_answers(contents, keyed(study)))
    scores = {(row["question"], row["system"]): row["value"] for row in found["scores"]}
    assert scores["regional", "lora-mpd"] == 1
    assert scores["regional", "lora-ls"] == 0
    assert scores["overall", "lora-mpd"] == 0.75
    assert found["left_out"] == []


def test_a_liking_for_one_side_favours_nobody(study):
    sided = simulate_raters(study, {"lora-ls": 0, "lora-mpd": 0}, raters=8, ties=0, left=50)
    found = score_study(tabulate_answers(sided, keyed(study)))
    assert found["left_share"] == 1
    assert {row["value"] for row in found["scores"]} == {0.5}


def test_careless_raters_are_left_out(study):
    raters = simulate_raters(study, {"lora-ls": 0, "lora-mpd": 3}, raters=12, careless=3)
    found = score_study(tabulate_answers(raters, keyed(study)), passed=1)
    assert found["left_out"] == [9, 10, 11]
    assert found["raters"] == 9
    with pytest.raises(ValueError, match="none to score of 2 raters, 2 left out"):
        careless = simulate_raters(study, {"lora-ls": 0, "lora-mpd": 3}, raters=2, careless=2)
        score_study(tabulate_answers(careless, keyed(study)), passed=1)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Raters and pairs both vary; the interval must cover the mean of the population they come from."""
    random, held = np.random.default_rng(0), 0
    for trial in range(120):
        logits = random.normal(0, 0.8, (20, 1)) + random.normal(0, 0.8, (1, 20))
        scores = random.random((20, 20)) < 1 / (1 + np.exp(-logits))
        rows = [
            {"rater": r, "trial": t, "question": "overall", "first": "a", "second": "b", "score": float(s)}
            for (r, t), s in np.ndenumerate(scores)
        ]
        row = preference_scores(pd.DataFrame(rows), seed=trial).iloc[0]
        held += row.low <= 0.5 <= row.high  # one half, by symmetry
    assert 0.9 <= held / 120 <= 1


def test_agreement_is_that_of_the_published_example():
    """Krippendorff (2011), example C: four observers, twelve units, ratings missing."""
    gap = np.nan
    ratings = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
        [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap],
    ]
    for level, published in (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)):
        assert krippendorff_alpha(ratings, level) == pytest.approx(published, abs=5e-4)


def test_agreement_knows_chance_and_its_limits():
    random = np.random.default_rng(0)
    assert abs(krippendorff_alpha(random.integers(0, 2, (5, 4000)))) < 0.02
    assert np.isnan(krippendorff_alpha(np.ones((3, 5))))
    assert np.isnan(krippendorff_alpha([[1, np.nan], [np.nan, 1]]))
    with pytest.raises(ValueError, match="level: must be nominal"):
        krippendorff_alpha([[1, 2], [1, 2]], "ratio")


def test_answers_that_do_not_fit_are_refused_by_file(study, tmp_path):
    key = keyed(study)
    good = simulate_raters(study, {"lora-ls": 0, "lora-mpd": 0}, raters=1)[0]

    def refused(content, message, copies=1):
        files = [tmp_path / f"answers-{i}.json" for i in range(copies)]
        for file in files:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(ValueError, match=message):
            read_answers(files, key)

    refused("{", "cannot read .*answers-0.json")
    refused(good | {"study": "other"}, "answers-0.json must be of study .* got 'other'")
    refused(good | {"rater": -1}, "rater must be a number")
    refused(good | {"answers": {"none": {}}}, "no trial 'none'")
    refused(good | {"answers": None}, "answers-0.json: answers must be a mapping of trials, got None")
    refused({k: v for k, v in good.items() if k != "answers"}, "answers must be a mapping of trials")
    name = study.trials[0].name
    refused(good | {"answers": {name: "left"}}, f"{name} must map questions to choices, got 'left'")
    refused(good | {"answers": {study.trials[0].name: {"overall": "both"}}}, "overall must be one of left")
    refused(good, "one file per rater, got 2 of 0", copies=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": {"a": pictures(0)}}, "at least two systems"),
        ({"images": {"a": pictures(0), "check": pictures(0)}}, "names the attention checks"),
        ({"images": {"a": pictures(0), "b": pictures(0)[:2]}}, "one for each of 8 prompts"),
        ({"checks": 9}, r"checks: must be in \[0, 8\]"),
        ({"ballots": 3}, "ballots: must be even"),
    ],
)
def test_a_study_that_cannot_be_is_refused(changes, message):
    given = {"images": {"a": pictures(0), "b": pictures(9)}, "prompts": PROMPTS} | changes
    with pytest.raises(ValueError, match=message):
        build_study(given.pop("images"), given.pop("prompts"), **given)
