"""The paper's parameter file runs, with base, steps and resolution changed, on a random pipeline on disk."""

import pytest

from fairhuman.profiles import load_profile
from fairhuman.training import TrainSettings, train
from fairhuman.workflow import parameter_defaults

NOTEBOOKS = ("04_train_lora", "05_train_controlnet")
RENAMED = {"draws": "heldout_draws"}


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_paper_s_parameters_run_end_to_end(notebook, base, people, tmp_path):
    values = parameter_defaults(notebook) | load_profile("paper").parameters(notebook)
    fields = TrainSettings.model_fields
    given = {RENAMED.get(name, name): value for name, value in values.items()}
    given = {name: value for name, value in given.items() if name in fields}
    given |= {"base": str(base), "steps": 2, "resolution": 64}
    places = {"data": people, "heldout": people, "output": tmp_path / "run"}
    run = train(TrainSettings(**given, **places, strategy="mpd", optimizer="adam"))
    assert run.complete and [line["finite"] for line in run.log] == [True, True]
    assert run.settings.learning_rate == 1e-5 and run.settings.precision == "bf16"


def test_the_paper_s_parameters_are_the_paper_s():
    lora, control = (load_profile("paper").parameters(name) for name in NOTEBOOKS)
    assert (lora["rank"], lora["steps"], lora["learning_rate"]) == (256, 50_000, 1e-5)
    assert (control["steps"], control["learning_rate"]) == (60_000, 1e-5)
    assert control["condition_dropout"] == 0.3
    assert lora["resolution"] == control["resolution"] == 1024
