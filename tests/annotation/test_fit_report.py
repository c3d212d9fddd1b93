"""What a fit counts before and after, and which rules on the numbers speak."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from damaged import photograph
from PIL import Image

from fairhuman.detectors import Hand
from fairhuman.evaluation.anatomy import FINGERS
from fairhuman.fitting import _counts as counts
from fairhuman.fitting._advice import advise
from fairhuman.fitting._counts import MEASURES, Seen, _gesture_shown, compare_counts, count_regions
from fairhuman.fitting._report import mean_change, write_report, write_sheets
from fairhuman.training import TrainSettings


def hand_with(stretched):
    """A hand whose fingers point up, folded ones back down."""
    points = np.zeros((21, 3))
    for place, finger in enumerate(FINGERS):
        x, up = 10.0 * place, finger in stretched
        points[1 + 4 * place : 5 + 4 * place] = [
            [x, y, 0] for y in ((0, 10, 20, 30) if up else (0, 10, 12, 2))
        ]
    points[1:5] = [[0, 0, 0], [0, 5, 0], [-10, 8, 0], [-25 if "thumb" in stretched else 25, 8, 0]]
    return Hand(0.9, "left", (0, 0, 50, 50), points)


class Data:
    """A data set as the rules see it."""

    def __init__(self, path, count=10, face=10, hand=10, **report):
        self.path, self.count, self.present = path, count, {"face": face, "hand": hand}
        usual = {"kept": count, "filtered": 0, "unreadable": 0, "filtered_why": {}}
        (path / "report.json").write_text(json.dumps(usual | report))

    def __len__(self):
        return self.count


def run_of(steps=90, losses=lambda step: 1.0, present=2, covered=0.1, finite=True, **settings):
    settings = TrainSettings(data="people", output="run", resolution=64, batch_size=2, **settings)
    names = ("global", "face", "hand")
    return SimpleNamespace(
        settings=settings,
        log=[
            {
                "losses": {name: losses(step) for name in names},
                "present": {"global": 2, "face": 2, "hand": present},
                "coverage": {"face": covered, "hand": covered},
                "finite": finite,
            }
            for step in range(steps)
        ],
    )


def row(measure="face found", before=0.5, after=0.5, half=0.3, n=32):
    low, high = after - before - half, after - before + half
    supported = low > 0 or high < 0
    found = {"measure": measure, "before": before, "after": after, "difference": after - before}
    return found | {"low": low, "high": high, "n": n, "supported": supported}


GOOD = [row(after=0.9)]


def test_a_good_fit_is_asked_for_nothing(tmp_path):
    assert advise(Data(tmp_path), run_of(), GOOD, 10.0) == []


@pytest.mark.parametrize(
    ("data", "run", "rows", "moved", "measured", "change"),
    [
        ({"kept": 2, "filtered": 5, "filtered_why": {"too small": 4, "no person": 1}}, {}, GOOD, 9,
         "5 of 7 photographs were excluded, 4 of them because: too small", "rejected.jsonl"),
        ({"hand": 0}, {"present": 0}, GOOD, 9, "No photograph shows a hand", r"regions=\[face\]"),
        ({"hand": 1}, {"present": 0}, GOOD, 9, "was active in 0 of 90 steps: 1 of 10", "batch_size=4"),
        ({}, {"covered": 0.01}, GOOD, 9, "A face covers 0.64 cells of the 8 × 8 latent grid", "=128"),
        ({"count": 1000}, {}, GOOD, 9, "The run used 180 images, but there are 1000", "--steps 500"),
        ({}, {"finite": False}, GOOD, 9, "90 of 90 steps were skipped", "learning_rate=5e-05"),
        ({}, {"losses": lambda n: 1.1 ** (-n / 10), "steps": 300}, GOOD, 9, "The loss of global fell from",
         "--steps 2000"),
        ({}, {}, GOOD, 0.4, "differ by only 0.40 of 255", "--steps 2000"),
        ({}, {}, [row(before=0.9)], 9, "face found got worse: 0.90 before, 0.50 after", "--scale 0.5"),
        ({}, {}, [row("stray hands", after=1.5)], 9, "stray hands got worse: 0.50 before, 1.50 after",
         "--scale 0.5"),
        ({}, {}, [row()], 9, "detected with 32 prompts", "--images 128"),
    ],
)  # fmt: skip
def test_each_rule_names_its_number_and_what_to_change(tmp_path, data, run, rows, moved, measured, change):
    found = advise(Data(tmp_path, **data), run_of(**run), rows, moved)
    match = [one for one in found if measured in one.measured]
    assert len(match) == 1 and len({one.rule for one in found}) == 1
    assert re.search(change, match[0].change)


def test_a_change_for_the_better_is_no_advice(tmp_path):
    rows = [row("stray hands", before=1.5), row("hands", after=1.5), row("hands", before=1.5)]
    assert advise(Data(tmp_path), run_of(), rows, 9.0) == []
    # float16 skips steps until its scale is found.
    run = run_of(finite=False, precision="fp16")
    assert not any("skipped" in one.measured for one in advise(Data(tmp_path), run, rows, 9.0))


def test_photographs_and_blanks_are_told_apart(tmp_path):
    """Before blank, after the photograph of a person: what is found, in the image and enlarged."""
    paths, prompts = {"before": [], "after": []}, [f"officer {n}" for n in range(5)]
    for number in range(5):
        picture = photograph().crop((4 * number, 0, 500, 590))
        for name, image in (("after", picture), ("before", Image.new("RGB", picture.size, "grey"))):
            paths[name].append(tmp_path / f"{name}-{number}.png")
            image.save(paths[name][-1])
    seen = {name: count_regions(given, prompts) for name, given in paths.items()}
    rows = {one["measure"]: one for one in compare_counts(seen["before"], seen["after"])}
    assert rows.keys() == MEASURES.keys() - {"fingers"}
    for name in ("face found", "face found enlarged"):
        assert (rows[name]["before"], rows[name]["after"]) == (0, 1)
        assert rows[name]["supported"] and rows[name]["n"] == 5
    assert rows["hands"]["before"] == rows["stray hands"]["before"] == 0
    assert mean_change(paths["before"], paths["before"]) == 0 < mean_change(paths["before"], paths["after"])
    assert {name for _, name in seen["after"].crops} >= {"face"} and not seen["before"].crops
    sheets = write_sheets(tmp_path, paths, prompts, seen)
    assert [path.name for path in sheets] == ["comparison-1.jpg"]
    sheet = np.asarray(Image.open(sheets[0]).convert("RGB"))
    assert sheet.shape[1] > 8 * 192 and sheet.shape[0] > 5 * 192
    report = write_report(tmp_path, list(rows.values()), [], sheets).read_text()
    assert "| face found | 0.00 | 1.00 | +1.00" in report and "No rule recommends a change." in report
    assert json.loads((tmp_path / "report.json").read_text())["advice"] == []


def test_images_of_one_prompt_count_once():
    def seen(*values):
        rows = [dict.fromkeys(MEASURES, value) | {"prompt": "ab"[n > 1]} for n, value in enumerate(values)]
        return Seen(pd.DataFrame(rows), {}, {})

    (first, *_) = compare_counts(seen(0.0, 1.0, 0.0), seen(1.0, 1.0, 0.0))
    assert (first["before"], first["after"], first["n"]) == (0.25, 0.5, 2)


@pytest.mark.parametrize(
    ("prompt", "stretched", "expected"),
    [
        ("a man, thumb up", {"thumb"}, 1.0),
        ("a man, thumb up", {"thumb", "index"}, 0.0),
        ("a woman showing two fingers", {"index", "middle"}, 1.0),
        ("an Open Palm", set(FINGERS), 1.0),
        ("a fistful of rice", set(), np.nan),
        ("a fist or two fingers", set(), np.nan),
        ("a fist", None, 0.0),
    ],
)
def test_fingers_are_judged_where_a_prompt_names_a_gesture(prompt, stretched, expected):
    hand = None if stretched is None else hand_with(stretched)
    np.testing.assert_equal(_gesture_shown(prompt, hand), expected)


def test_hands_beyond_two_for_each_face_are_stray(tmp_path, monkeypatch):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(counts, "detect_all_hands", lambda paths, **_: [(hand_with(set()),) * 5] * len(paths))
    found = count_regions([tmp_path / "a.png"], ["a man"]).table
    assert found["hands"].tolist() == [5] and found["stray hands"].tolist() == [3]
