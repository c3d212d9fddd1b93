"""The prompt box draws when asked, what sampling draws, and keeps what was typed."""

import io

import numpy as np
import pytest
from PIL import Image

from fairhuman.explorers import PromptBox
from fairhuman.models import tiny_pipeline
from fairhuman.models.adapters import LoRA
from fairhuman.sampling import sample


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    tiny_pipeline(seed=0).save_pretrained(folder)
    return str(folder)


def test_nothing_is_loaded_or_drawn_before_it_is_asked():
    box = PromptBox("no/such/folder")
    bundle = box._repr_mimebundle_()
    assert (
        box.images == {}
        and "image/jpeg" not in bundle
        and "application/vnd.jupyter.widget-view+json" in bundle
    )


def test_it_draws_what_sampling_draws_and_counts_its_steps(base):
    box = PromptBox(base, prompt="A man", seed=3, steps=2, guidance=4.0)
    box.button.click()
    wanted = sample(tiny_pipeline(seed=0), ["A man"], seeds=[3], steps=2, guidance=4.0, progress=False)[
        0
    ].load()
    assert np.array_equal(np.asarray(box.images["base"]), np.asarray(wanted))
    assert box.progress.value == box.progress.max == 2 and "s per image" in box.status.value
    assert not box.button.disabled
    shown = Image.open(io.BytesIO(box.pictures.children[0].children[0].value))
    assert shown.size == wanted.size
    assert "image/jpeg" in box._repr_mimebundle_()


def test_a_box_made_again_goes_on_with_prompt_and_image(base):
    first = PromptBox(base, steps=1)
    first.prompt.value = "A woman"
    first.ask()
    again = PromptBox(base, steps=1)
    assert again.prompt.value == "A woman" and again.images == first.images
    assert len(again.pictures.children) == 1
    assert PromptBox(base, steps=2).images == {}


def test_an_adapter_stands_beside_the_base_at_the_same_noise(base, tmp_path):
    lora = LoRA(tiny_pipeline(seed=0), rank=2, seed=0)
    for name, parameter in lora.parameters.items():
        if "lora_B" in name:
            parameter.data.fill_(0.5)
    lora.save(tmp_path / "lora", {})
    box = PromptBox(base, tmp_path / "lora", steps=1, beta=1.0)
    pictures = {words: np.asarray(image) for words, image in box.ask().items()}
    assert list(pictures) == ["base", "β = 1"]
    assert not np.array_equal(pictures["base"], pictures["β = 1"])
    box.beta.value = 0.0
    again = box.ask()
    assert np.array_equal(np.asarray(again["β = 0"]), pictures["base"])
    assert again["base"] is box._drawn[(box.prompt.value, 0, 1, 5.0, None)]  # not drawn twice


def test_mistakes_are_said_beside_the_button(base):
    for box, words in (
        (PromptBox(base, prompt=" "), "prompt: must not be empty"),
        (PromptBox("no/<such>"), "such"),
    ):
        box.button.click()
        assert words in box.status.value and "<such>" not in box.status.value
        assert not box.button.disabled and box.images == {}


@pytest.mark.parametrize("value", [{"seed": -1}, {"steps": 0}, {"guidance": 20.0}, {"beta": 9.0}])
def test_values_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match=f"{next(iter(value))}: must lie in"):
        PromptBox(**value)
