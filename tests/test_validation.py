"""The base of all settings: what is refused, and in which words."""

import doctest
from typing import Annotated, Literal, Self

import pytest
from pydantic import model_validator

from fairhuman import settings
from fairhuman.settings import (
    BARE_NO,
    Count,
    Folder,
    Names,
    Number,
    Place,
    Positive,
    Settings,
    Share,
    Side,
    Unsigned,
    Whole,
    Wholes,
    require,
)


class Part(Settings):
    steps: Count = 3
    decay: Whole = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        require("decay", self.decay <= self.steps, f"must be at most steps = {self.steps}", self.decay)
        return self


class Example(Settings):
    data: Folder
    base: Place | None = None
    rate: Positive = 1e-3
    offset: Unsigned = 0.0
    shift: Number = 0.0
    share: Share = 0.5
    side: Side = 64
    names: Names = ("a",)
    widths: Wholes = (1, 2)
    kind: Literal["one", "two"] = "one"
    precision: Annotated[Literal["no", "half"], BARE_NO] = "no"
    flag: bool = False
    part: Part = Part()
    other: Part | None = None


def test_the_examples_run():
    assert doctest.testmod(settings).failed == 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"data": ""}, ValueError, "data: must name a folder, got ''"),
        ({"base": 3}, TypeError, "base: must be str, got 3 (int)"),
        ({"rate": 0}, ValueError, "rate: must be > 0, got 0"),
        ({"rate": "fast"}, TypeError, "rate: must be a finite number, got 'fast'"),
        ({"rate": float("inf")}, TypeError, "rate: must be a finite number, got inf"),
        ({"rate": True}, TypeError, "rate: must be a finite number, got True"),
        ({"offset": -0.5}, ValueError, "offset: must be ≥ 0, got -0.5"),
        ({"share": 1.5}, ValueError, "share: must be in [0, 1], got 1.5"),
        ({"side": 60}, ValueError, "side: must be a positive multiple of 8, got 60"),
        ({"names": "a"}, TypeError, "names: must be a list of names, got 'a'"),
        ({"widths": [1, True]}, TypeError, "widths: must be a list of whole numbers, got [1, True]"),
        ({"kind": "tw"}, ValueError, "kind: unknown name 'tw'; did you mean 'two'? (known: one, two)"),
        ({"flag": 1}, TypeError, "flag: must be bool, got 1 (int)"),
        ({"part": 3}, TypeError, "part: must be Part, got 3 (int)"),
        ({"part": {"steps": 0}}, ValueError, "part.steps: must be ≥ 1, got 0"),
        ({"part": {"steps": 1.0}}, TypeError, "part.steps: must be int, got 1.0 (float)"),
        ({"part": {"decay": 4}}, ValueError, "part.decay: must be at most steps = 3, got 4"),
        ({"part": {"step": 4}}, ValueError, "f.yaml.part: unknown name 'step'; did you mean 'steps'?"),
        ({"other": {"step": 4}}, ValueError, "f.yaml.other: unknown name 'step'; did you mean 'steps'?"),
        ({"dat": "x"}, ValueError, "f.yaml: unknown name 'dat'; did you mean 'data'?"),
    ],
)
def test_errors_name_the_field_the_rule_and_the_value(change, error, words):
    with pytest.raises(error) as refused:
        Example.from_mapping({"data": "d"} | change, "f.yaml")
    assert words in str(refused.value) and type(refused.value) is error


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="^settings: 'data' is missing$"):
        Example()


def test_parts_are_given_as_such_or_as_mappings():
    assert Example(data="d", part=Part(steps=4)) == Example(data="d", part={"steps": 4})


def test_settings_come_back_from_yaml(tmp_path):
    given = Example(data=tmp_path, names=[tmp_path, "b"], rate="1e-4", part={"steps": 7})
    assert given.data == str(tmp_path) and given.names == (str(tmp_path), "b") and given.rate == 1e-4
    (tmp_path / "settings.yaml").write_text(given.to_yaml())
    assert Example.from_yaml(tmp_path / "settings.yaml") == given
    assert Example.from_yaml(tmp_path / "settings.yaml", side=128).side == 128


def test_plain_values_are_plain():
    assert Example(data="d").to_dict() == {
        "data": "d", "base": None, "rate": 1e-3, "offset": 0.0, "shift": 0.0, "share": 0.5, "side": 64,
        "names": ["a"], "widths": [1, 2], "kind": "one", "precision": "no", "flag": False,
        "part": {"steps": 3, "decay": 0}, "other": None,
    }  # fmt: skip


def test_a_bare_no_is_the_name():
    assert Example(data="d", precision=False).precision == "no"


def test_changes_are_checked_and_leave_the_settings_as_they_were():
    given = Part()
    assert given.changed(steps=5) == Part(steps=5) and given.steps == 3
    with pytest.raises(ValueError, match="decay: must be at most steps = 3, got 9"):
        given.changed(decay=9)
    with pytest.raises(ValueError, match="frozen"):
        given.steps = 4


def test_no_mapping_is_refused():
    with pytest.raises(TypeError, match="f.yaml: must be a mapping, got 3"):
        Part.from_mapping(3, "f.yaml")
