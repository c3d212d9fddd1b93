"""Settings are refused when they make no sense, and come back from YAML as they were."""

import pytest
import yaml

from fairhuman.training import TrainSettings

GIVEN = {"data": "people", "output": "run"}


def test_a_bare_no_in_yaml_is_the_name(tmp_path):
    """YAML 1.1 reads it as false."""
    path = tmp_path / "run.yaml"
    path.write_text("data: people\noutput: run\nprecision: no\n")
    assert TrainSettings.from_yaml(path).precision == "no"


def test_yaml_round_trip(tmp_path):
    settings = TrainSettings(
        **GIVEN, regions=["hand", "face"], alpha=8, clip_norm=1, base="somewhere", flip=0.5
    )
    path = tmp_path / "settings.yaml"
    path.write_text(settings.to_yaml())
    assert TrainSettings.from_yaml(path) == settings
    assert settings.regions == ("hand", "face")
    assert settings.scaling == 0.5


def test_changes_take_precedence(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(GIVEN | {"steps": 5}))
    assert TrainSettings.from_yaml(path, steps=7).steps == 7


def test_yaml_exponents_without_a_point_are_numbers(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("data: people\noutput: run\nlearning_rate: 1e-5\n")
    assert TrainSettings.from_yaml(path).learning_rate == 1e-5


def test_paths_become_strings(tmp_path):
    assert TrainSettings(data=tmp_path, output=tmp_path / "run").data == str(tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"steps": 0}, ValueError, "steps: must be ≥ 1, got 0"),
        ({"rank": -4}, ValueError, "rank: must be ≥ 1, got -4"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate: must be > 0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate: must be a finite number, got 'fast'"),
        ({"learning_rate": float("nan")}, TypeError, "learning_rate"),
        ({"local_scale": -1}, ValueError, "local_scale"),
        ({"clip_norm": 0}, ValueError, "clip_norm"),
        ({"alpha": 0}, ValueError, "alpha"),
        ({"flip": 1.2}, ValueError, "flip: a probability"),
        ({"crop": "centre"}, ValueError, "did you mean 'center'"),
        ({"precision": "fp8"}, ValueError, "precision: unknown name 'fp8'"),
        ({"regions": ["face", "ear"]}, ValueError, "unknown region 'ear'"),
        ({"regions": "face"}, TypeError, "regions: must be a list"),
        ({"steps": 1.5}, TypeError, "steps: must be int"),
        ({"steps": True}, TypeError, "steps: must be int"),
        ({"cache": "yes"}, TypeError, "cache: must be bool"),
        ({"resolution": 250}, ValueError, "resolution: must be a positive multiple of 8"),
        ({"targets": []}, ValueError, "targets"),
        ({"data": ""}, ValueError, "data: must name a folder"),
        ({"crop": "random"}, ValueError, "cache: latents can't be kept"),
        ({"seed": -1}, ValueError, "seed: must be ≥ 0"),
        ({"strategy": None}, TypeError, "strategy: must be str"),
        ({"strategy": "mdp"}, ValueError, "strategy: must be one of .*got 'mdp'"),
        ({"strategy": "alpha_fair:-1"}, ValueError, "must have a positive, finite α"),
        ({"strategy": "mpd:1,8"}, ValueError, "strategy: needs 3 numbers: for the global loss and"),
        ({"strategy": "ls:1,20"}, ValueError, "strategy: needs 3 numbers: for the global loss and"),
        ({"experts": "face"}, TypeError, "experts: must be a list of names, got 'face'"),
    ],
)
def test_bad_values(change, error, words):
    with pytest.raises(error, match=words):
        TrainSettings(**(GIVEN | change))


def test_unknown_key_names_the_nearest():
    with pytest.raises(ValueError, match="unknown name 'learning_rat'; did you mean 'learning_rate'"):
        TrainSettings.from_mapping(GIVEN | {"learning_rat": 1e-4})


def test_missing_key():
    with pytest.raises(ValueError, match="'output' is missing"):
        TrainSettings.from_mapping({"data": "people"})


@pytest.mark.parametrize("text", ["- 1\n", "data: [", ""])
def test_file_that_is_no_mapping(tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"settings\.yaml"):
        TrainSettings.from_yaml(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        TrainSettings.from_yaml(tmp_path / "absent.yaml")


def test_yaml_builds_no_objects(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("data: !!python/object/apply:os.getcwd []\noutput: run\n")
    with pytest.raises(ValueError, match="cannot read"):
        TrainSettings.from_yaml(path)
