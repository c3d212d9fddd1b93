"""Two processes with half a batch each, on a node or two, end with the parameters of one with the whole."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from fairhuman.training import Run, TrainSettings, train

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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


def node(base, people, output):
    torch.set_num_threads(1)
    train(settings("lora", "mpd", base, people, output))
    torch.distributed.destroy_process_group()


def agent(_, port, *given):
    """What ``torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d`` does on each of two machines."""
    os.environ["ACCELERATE_USE_CPU"] = "true"
    endpoint = {"rdzv_backend": "c10d", "rdzv_endpoint": f"127.0.0.1:{port}", "local_addr": "127.0.0.1"}
    config = LaunchConfig(
        min_nodes=2, max_nodes=2, nproc_per_node=1, run_id="two", start_method="fork", **endpoint
    )
    elastic_launch(config, node)(*given)


@pytest.fixture(scope="module")
def folder(base, people, tmp_path_factory):
    path = tmp_path_factory.mktemp("processes")
    mp.spawn(worker, args=(free_port(), base, people, path), nprocs=2)
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


def test_two_nodes_equal_one(folder, base, people):
    mp.spawn(agent, args=(free_port(), base, people, folder / "nodes"), nprocs=2)
    one, two = (load_file(Run.open(folder / name).weights) for name in ("lora-mpd-two", "nodes"))
    assert one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())
