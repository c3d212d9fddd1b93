"""Settings of a training of the base are refused as those of an adapter are."""

import pytest
import yaml

from fairhuman.training.base import AutoencoderSettings, BaseSettings, DenoiserSettings
from fairhuman.training.base._recipe import LATENTS, PIPELINE, SETTINGS_FILE, check_output


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: DenoiserSettings(steps="many"), TypeError, r"steps: must be int, got 'many' \(str\)"),
        (lambda: DenoiserSettings(ema=1.5), ValueError, r"ema: must be in \[0, 1\], got 1.5"),
        (lambda: DenoiserSettings(clip_norm=-1), ValueError, "clip_norm: must be ≥ 0"),
        (
            lambda: AutoencoderSettings(whole_steps=3000),
            ValueError,
            "whole_steps: must be at most steps = 2000",
        ),
        (lambda: AutoencoderSettings(learning_rate=0), ValueError, "learning_rate: must be > 0"),
        (lambda: BaseSettings(data="", output="o"), ValueError, "data: must name a folder, got ''"),
        (
            lambda: BaseSettings(data="d", output="o", denoiser=3),
            TypeError,
            "denoiser: must be DenoiserSett",
        ),
    ],
)
def test_bad_values(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_file_holds_a_mapping(tmp_path):
    path = tmp_path / "base.yaml"
    path.write_text(
        "architecture: {unet_channels: [32, 64], norm_groups: 8}\ndenoiser: {learning_rate: 1e-3}\n"
    )
    settings = BaseSettings.from_yaml(path, data=tmp_path, output="o")
    assert settings.architecture.unet_channels == (32, 64) and settings.denoiser.learning_rate == 1e-3
    assert BaseSettings.from_mapping(settings.to_dict()) == settings
    for text in ("", "- 1\n"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"base\.yaml must be a mapping"):
            BaseSettings.from_yaml(path, data="d", output="o")
    path.write_text("architecture: {unet_channels: [32, many]}\n")
    with pytest.raises(TypeError, match="architecture.unet_channels: must be a list of whole numbers"):
        BaseSettings.from_yaml(path, data="d", output="o")


@pytest.mark.parametrize(
    ("there", "change"),
    [
        (LATENTS, {"refinement": {"steps": 9, "whole_steps": 0, "warmup": 0, "decay": 0}}),
        (PIPELINE, {"denoiser": {"steps": 9, "warmup": 0, "decay": 0}}),
    ],
)
def test_a_part_that_others_were_made_from_is_not_made_longer(tmp_path, there, change):
    """Otherwise what it adds would be dropped in silence: latents and pipeline are taken as they are."""
    before = {"data": "d", "output": str(tmp_path), "denoiser": {"steps": 4, "warmup": 0, "decay": 0}}
    (tmp_path / SETTINGS_FILE).write_text(yaml.safe_dump(before))
    longer = BaseSettings.from_mapping(before | change)
    assert check_output(longer) == tmp_path
    (tmp_path / there).mkdir()
    with pytest.raises(ValueError, match="steps: must be .* was started"):
        check_output(longer)


def test_a_training_killed_before_its_settings_were_there_can_begin(tmp_path):
    (tmp_path / f".{SETTINGS_FILE}.partial").write_text("data: d\noutp")
    assert check_output(BaseSettings(data="d", output=str(tmp_path))) == tmp_path
