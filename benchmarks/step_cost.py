"""What a fair step costs: time and memory of one step, with each way to obtain the direction.

    python benchmarks/step_cost.py [--base FOLDER] [--rank 16] [--batch 4] [--repeats 11] [--threads 1]

Writes ``results/benchmarks/step_cost.json``. The base is the embedded one unless named; latents, prompts
and masks are random, since only sizes matter here, but as many images have a face and a hand as in the
training set. LoRA and ControlNet are each measured at the batch size, at batch 1, where both regions are
there, and with gradient checkpointing. In every repeat all ways take their turn, in changing order, on the
same batch; ratios to the ordinary step are taken within the repeat, and their median is reported with the
quartiles; ``mean`` is the ratio of the total times. Memory is the most that torch held at once on top of
what it held before. About five minutes on a quiet core.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator

import torch
from accelerator import grouped, random_batch  # beside this file
from scipy.optimize import least_squares
from torch import Tensor
from torchjd.aggregation import FairGrad
from torchjd.autojac import backward, jac_to_grad
from tqdm import tqdm

from fairhuman.fairness import AlphaFair, Amortised, fair_backward, get_strategy
from fairhuman.models import Batch, load_base, tiny_pipeline
from fairhuman.models.adapters import ADAPTERS, Adapter
from fairhuman.objectives import present, regional_losses
from fairhuman.results import write_result

Losses = dict[str, Tensor]
Way = Callable[[Batch], object]
"""Fills ``.grad``, given a batch."""
INTERVALS = (2, 3, 5, 8, 10, 20, 50)
SHARES = (0.87, 0.52)
"""Of the images that have a face, and a hand, in the training set of the profile ``quick``."""
WARMUP = 3  # after its warm-up, an amortised strategy begins with one more exact step


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", help='folder of a pipeline, or "tiny"; by default the embedded base')
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)

    cases = []
    for kind, (batch, checkpointed) in itertools.product(
        ("lora", "controlnet"), ((given.batch, False), (1, False), (given.batch, True))
    ):
        torch.manual_seed(given.seed)
        name = f"{kind}-batch{batch}{'-checkpointed' * checkpointed}"
        adapter = adapter_of(kind, given, checkpointed)
        parameters = list(adapter.parameters.values())
        ways = contestants(adapter, parameters)
        if not cases:  # the rest of them in the first case alone
            ways |= rivals(adapter, parameters)
            sizes = [sum(p.numel() for p in found) for found in (parameters, adapter.unet.parameters())]
        batches = list(random_batches(adapter, batch, WARMUP + given.repeats))
        seconds = interleaved(ways, batches, parameters, name)
        for way, values in seconds.items():
            memory = peak(ways[way], batches[-1], parameters) / 1e6
            row = ratio(values, seconds["ordinary"]) | {"peak_megabytes": memory}
            cases.append({"case": name, "way": way} | row)
        if len(cases) == len(ways):
            first = seconds
    rows = {row["way"]: row for row in cases if row["case"] == cases[0]["case"]}
    figures = {
        "trained_parameters": sizes[0],
        "base_parameters": sizes[1] - sizes[0],
        "time_over_ordinary": rows,
        "exact_over_released": ratio(first["exact"], first["released"]),
        "amortised_with_exact_steps": with_exact_steps(rows),
        "peak_megabytes": {way: row["peak_megabytes"] for way, row in rows.items()},
        "cases": cases,
    }
    path = write_result(
        "benchmarks", "step_cost", figures, parameters=vars(given), samples=given.repeats, seed=given.seed
    )
    print(f"{path}:")
    for row in cases:
        print("  {case:30} {way:20} {median:.3f} [{quartile_1:.3f}, {quartile_3:.3f}]".format(**row), end="")
        print("  mean {mean:.3f}, {peak_megabytes:.0f} MB".format(**row))


def adapter_of(kind: str, given: argparse.Namespace, checkpointed: bool) -> Adapter:
    """An adapter on the base, as after some training: nothing in it is zero."""
    pipeline = tiny_pipeline() if given.base == "tiny" else load_base(given.base)
    options = {"rank": given.rank} if kind == "lora" else {}
    adapter = ADAPTERS[kind](pipeline, seed=given.seed, **options)
    for parameter in adapter.parameters.values():
        parameter.data.add_(1e-2 * torch.randn_like(parameter))
    if checkpointed:
        adapter.checkpoint_gradients()
    return adapter


def random_batches(adapter: Adapter, size: int, count: int) -> Iterator[Batch]:
    """Batches in which regions are as frequent as :data:`SHARES`; a single image has both."""
    here = torch.ones(count * size, len(SHARES), dtype=torch.bool)
    for column, share in enumerate(SHARES if size > 1 else ()):
        here[torch.randperm(len(here))[round(share * len(here)) :], column] = False
    pipeline = adapter.pipeline
    widths = pipeline.tokenizer.model_max_length, pipeline.text_encoder_2.config.projection_dim
    for part in here.split(size):
        yield random_batch(adapter.unet.config, *widths, part)


def losses_of(adapter: Adapter, batch: Batch) -> tuple[Losses, Tensor, list[str]]:
    """The objectives, the network's output, and the names of regions in no image."""
    output = adapter.predict(batch)
    absent = [name for name, mask in batch.masks.items() if not present(mask).any()]
    return regional_losses(output, batch.target, batch.masks), output, absent


def contestants(adapter: Adapter, parameters: list[Tensor]) -> dict[str, Way]:
    """Ways to fill ``.grad``: the plain sum's, ours, and ours made cheaper."""
    mpd, amortised = get_strategy("mpd"), Amortised(every=1_000_000, warmup=WARMUP - 1)

    def ordinary(batch: Batch) -> None:
        torch.stack(list(losses_of(adapter, batch)[0].values())).sum().backward()

    def exact(batch: Batch, *, batched: bool = False) -> None:
        losses, _, absent = losses_of(adapter, batch)
        fair_backward(losses, parameters, mpd, absent=absent, batched=batched)

    def predicted(batch: Batch) -> None:
        losses, output, absent = losses_of(adapter, batch)
        noise = batch.timesteps / 1000
        fair_backward(losses, parameters, amortised, absent=absent, output=output, noise=noise)

    return {
        "ordinary": ordinary,
        "exact": exact,
        "grouped": lambda batch: grouped(adapter, batch, parameters),
        "batched": lambda batch: exact(batch, batched=True),
        "amortised": predicted,
    }


def rivals(adapter: Adapter, parameters: list[Tensor]) -> dict[str, Way]:
    """Further ways: the sum as a strategy, torchjd's and the released one."""
    ls = get_strategy("ls")

    def torchjd(aggregator) -> Way:
        def step(batch: Batch) -> None:
            backward(list(losses_of(adapter, batch)[0].values()))
            jac_to_grad(parameters, aggregator, optimize_gramian_computation=True)

        return step

    return {
        "ls": lambda batch: fair_backward(losses_of(adapter, batch)[0], parameters, ls),
        "torchjd_fairgrad": torchjd(FairGrad(2.0)),
        "torchjd_alpha_fair": torchjd(AlphaFair(2.0)),
        "released": lambda batch: released(losses_of(adapter, batch)[0], parameters),
    }


def interleaved(
    ways: dict[str, Way], batches: list[Batch], parameters: list[Tensor], name: str
) -> dict[str, list[float]]:
    """Seconds of each way on each batch after the warm-up."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    order = list(ways)
    for repeat, batch in enumerate(tqdm(batches, desc=name)):
        first = repeat % len(order)
        for way in order[first:] + order[:first]:
            taken = once(ways[way], batch, parameters)
            if repeat >= WARMUP:
                seconds[way].append(taken)
    return seconds


def released(losses: Losses, parameters: list[Tensor]) -> None:
    """The way of the released code: full backward passes, a dense P×K matrix, ``least_squares``."""
    count, sizes = len(losses), [p.numel() for p in parameters]
    dense = torch.zeros(sum(sizes), count)
    for k, loss in enumerate(losses.values()):
        loss.backward(retain_graph=k < count - 1)
        start = 0
        for parameter, size in zip(parameters, sizes, strict=True):
            if parameter.grad is not None:
                dense[start : start + size, k] = parameter.grad.view(-1)
                parameter.grad.zero_()
            start += size
    gramian = (dense.T @ dense).numpy()
    solution = least_squares(
        lambda w: gramian @ w - w**-0.5, torch.ones(count).numpy() / count, bounds=(0, torch.inf)
    )
    direction = (dense * torch.tensor(solution.x, dtype=torch.float32)).sum(1) * count
    for parameter, piece in zip(parameters, direction.split(sizes), strict=True):
        parameter.grad.copy_(piece.view_as(parameter))


def once(way: Way, batch: Batch, parameters: list[Tensor]) -> float:
    for parameter in parameters:
        parameter.grad = None
    start = time.perf_counter()
    way(batch)
    return time.perf_counter() - start


def ratio(values: list[float], base: list[float]) -> dict[str, float]:
    quotients = torch.tensor(values) / torch.tensor(base)
    low, median, high = quotients.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    mean = sum(values) / sum(base)
    return {"median": median, "quartile_1": low, "quartile_3": high, "mean": mean}


def with_exact_steps(rows: dict[str, dict[str, float]]) -> list[dict[str, float]]:
    """Mean time of an amortised step over that of an ordinary one, the exact steps among them included."""
    amortised, exact = (rows[way]["median"] for way in ("amortised", "exact"))
    return [{"every": n, "over_ordinary": ((n - 1) * amortised + exact) / n} for n in INTERVALS]


def peak(way: Way, batch: Batch, parameters: list[Tensor]) -> int:
    """Most bytes that torch held at once during a step, beyond what it held before."""
    for parameter in parameters:
        parameter.grad = None
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as seen:
        way(batch)
    held = most = 0
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


if __name__ == "__main__":
    main()
