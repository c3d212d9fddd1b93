"""Two processes with half a batch each take the steps of one with the whole batch."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from fairhuman.fairness import fair_backward, get_strategy

STEPS, BATCH = 3, 8
CASES = ("ls", "mpd", "mpd:absent", "mpd_amortised", "mpd_amortised:output")


def train(case, part, parts):
    """Parameters after a few steps on this part of the batches."""
    name, _, variant = case.partition(":")
    absent = variant == "absent"
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    data = torch.randn(STEPS, BATCH, 6), torch.randn(STEPS, BATCH, 3)
    options = {"warmup": 1, "every": 2} if name == "mpd_amortised" else {}
    strategy, optimiser = get_strategy(name, **options), torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in zip(*data, strict=True):
        x, y = x.chunk(parts)[part], y.chunk(parts)[part]
        output = model(x)
        errors = (output - y) ** 2
        if absent:  # the first half of the batch holds no hand
            first = torch.arange(BATCH).chunk(parts)[part] < BATCH // 2
            errors[:, 2] = torch.where(first, 0.0, errors[:, 2])
        losses = dict(zip(("global", "face", "hand"), errors.mean(0).unbind(), strict=True))
        missing = ["hand"] if absent and parts == 2 and part == 0 else []
        optimiser.zero_grad()
        given = {"output": output, "noise": x[:, 0].sigmoid()} if variant == "output" else {}
        assert fair_backward(losses, model.parameters(), strategy, absent=missing, **given).finite
        optimiser.step()
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def worker(rank, rendezvous, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    torch.save({case: train(case, rank, 2) for case in CASES}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(worker, args=(folder / "rendezvous", folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_equal_one(results, case):
    assert torch.equal(results[0][case], results[1][case])
    expected = train(case, 0, 1)
    torch.testing.assert_close(results[0][case], expected, rtol=1e-5, atol=1e-6)
