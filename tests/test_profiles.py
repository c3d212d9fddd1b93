from pathlib import Path

import pytest

from fairhuman.profiles import load_profile, profile_names, workspace
from fairhuman.workflow import check_profile, parameter_defaults, steps

ROOT = Path(__file__).parents[1]


def write(folder, text):
    (folder / "mine.yaml").write_text(text)
    return load_profile("mine", folder)


@pytest.mark.parametrize("name", ["quick", "full", "paper"])
def test_shipped_profiles_fit_the_notebooks(name):
    check_profile(load_profile(name))


def test_quick_changes_nothing():
    assert load_profile("quick").notebooks == {}


def test_every_notebook_is_a_step_and_every_step_a_notebook():
    assert list(steps()) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_an_unknown_profile_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="unknown name 'quik'; did you mean 'quick'"):
        load_profile("quik")


def test_a_profile_adds_its_name(tmp_path):
    profile = write(tmp_path, "notebooks: {04_train_lora: {steps: 7}}")
    assert profile.parameters("04_train_lora") == {"profile": "mine", "steps": 7}
    assert profile_names(tmp_path) == ["mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("notebooks: {04_train_lora: {stepz: 7}}", "unknown name 'stepz'; did you mean 'steps'"),
        ("notebooks: {04_train_lorra: {steps: 7}}", "unknown name '04_train_lorra'"),
        ("notebooks: {04_train_lora: {steps: many}}", "steps: must be int .* got 'many'"),
        ("notebooks: {04_train_lora: {profile: x}}", "profile is set by the file's name"),
        ("notebooks: {04_train_lora: 3}", "must map parameters to values, got 3"),
        ("notebook: {}", "unknown name 'notebook'; did you mean 'notebooks'"),
        ("- a list", "must be a mapping, got list"),
        ("notebooks: {04_train_lora: {steps: 7, seed: 1, steps: 8}}", "found the key 'steps' a second time"),
    ],
)
def test_bad_parameter_files_are_refused_by_name(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        check_profile(write(tmp_path, text))


def test_the_workspace_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(tmp_path / "elsewhere"))
    assert workspace() == tmp_path / "elsewhere"


def test_the_workspace_is_the_checkout_from_any_folder_in_it(monkeypatch):
    monkeypatch.delenv("FAIRHUMAN_WORKSPACE", raising=False)
    monkeypatch.chdir(ROOT / "notebooks")
    assert workspace() == ROOT


def test_parameters_are_literals():
    for name in steps():
        assert parameter_defaults(name)["profile"] == "quick"
