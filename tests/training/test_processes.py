"""Two processes with half a batch each end with the parameters of one with the whole batch."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file

from fairhuman.training import TrainSettings, train

CASES = [(kind, strategy) for kind in ("lora", "controlnet") for strategy in ("ls", "mpd")]


def settings(kind, strategy, base, people, output):
    return TrainSettings(
        adapter=kind,
        strategy=strategy,
        base=base,
        data=people,
        heldout=people,
        heldout_draws=1,
        output=output,
        resolution=64,
        steps=3,
        batch_size=4,
        learning_rate=1e-3,
        optimizer="adam",
        reduction="mask",
        checkpoint_every=2,
        seed=3,
    )


def worker(rank, port, base, people, folder):
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="true",
    )
    torch.set_num_threads(1)
    for kind, strategy in CASES:
        train(settings(kind, strategy, base, people, Path(folder) / f"{kind}-{strategy}-two"))
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(base, people, tmp_path_factory):
    path = tmp_path_factory.mktemp("processes")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(worker, args=(port, base, people, path), nprocs=2)
    return path


@pytest.mark.parametrize(("kind", "strategy"), CASES)
def test_two_processes_equal_one(folder, base, people, kind, strategy):
    one = train(settings(kind, strategy, base, people, folder / f"{kind}-{strategy}-one"))
    two = replace(one, directory=folder / f"{kind}-{strategy}-two")
    for mine, theirs in zip(one.log, two.log, strict=True):
        assert mine["losses"] == pytest.approx(theirs["losses"], rel=1e-5)
        assert mine["weights"] == pytest.approx(theirs["weights"], rel=1e-3)
    other = load_file(two.weights)
    differences = [(tensor - other[name]).flatten() for name, tensor in load_file(one.weights).items()]
    # Adam turns a gradient near 0, which is rounding alone, into a full step: the mean counts, not the worst.
    assert torch.cat(differences).square().mean().sqrt() < 0.01 * one.settings.learning_rate
