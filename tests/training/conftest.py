"""A tiny random base and a small data set, made once."""

from pathlib import Path

import pytest
import torch
from people import write_folder

from fairhuman.data import HumanFolder
from fairhuman.models import tiny_pipeline
from fairhuman.training import Run
from fairhuman.training._loop import Trainer


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """Folder of a tiny pipeline."""
    path = tmp_path_factory.mktemp("base")
    tiny_pipeline(seed=0).save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """Folder of six images of 64²."""
    path = tmp_path_factory.mktemp("people")
    write_folder(path, count=6, size=(64, 64))
    return path


@pytest.fixture
def values(base, people, tmp_path):
    """Settings of a short run, as keyword arguments."""
    return {
        "data": str(people), "base": str(base), "output": str(tmp_path / "run"), "rank": 2, "resolution": 64,
        "steps": 6, "batch_size": 2, "learning_rate": 1e-2, "seed": 3,
    }  # fmt: skip


@pytest.fixture
def trainer_of():
    """What a run holds in memory, before its first step."""
    return lambda settings: Trainer(
        Run(Path(settings.output), settings),
        HumanFolder(settings.data, settings.regions, settings.conditions),
    )


@pytest.fixture(autouse=True)
def one_thread():
    """Bits may depend on how work is split over threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
