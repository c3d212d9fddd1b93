"""What a fair step costs: time and memory of one LoRA step, with each way to obtain the direction.

    python benchmarks/step_cost.py [--base FOLDER] [--rank 16] [--batch 4] [--repeats 11] [--threads 1]

Writes ``results/benchmarks/step_cost.json``. The base is the embedded one unless named; latents, prompts
and masks are random, since only sizes matter here. In every repeat all ways take their turn, in changing
order, on the same batch; ratios to the ordinary step are taken within the repeat, and their median is
reported with the quartiles. Memory is the most that torch held at once on top of what it held before.
"""

import argparse
import time
from collections.abc import Callable

import torch
from scipy.optimize import least_squares
from torch import Tensor
from torchjd.aggregation import FairGrad
from torchjd.autojac import backward, jac_to_grad
from tqdm import tqdm

from fairhuman.fairness import AlphaFair, Amortised, fair_backward, get_strategy
from fairhuman.models import load_base, tiny_pipeline
from fairhuman.models.adapters import LoRA
from fairhuman.objectives import regional_losses
from fairhuman.results import write_result

Losses = dict[str, Tensor]
Forward = Callable[[], tuple[Losses, dict[str, Tensor]]]
"""One forward pass: the objectives, and what an amortised step looks at besides."""
Way = Callable[..., object]
INTERVALS = (2, 3, 5, 8, 10, 20, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", help='folder of a pipeline, or "tiny"; by default the embedded base')
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)

    pipeline = tiny_pipeline() if given.base == "tiny" else load_base(given.base)
    unet = pipeline.unet
    parameters = list(LoRA(pipeline, rank=given.rank, seed=given.seed).parameters.values())
    for parameter in parameters:  # as after some training: B is no longer zero
        parameter.data.add_(1e-2 * torch.randn_like(parameter))
    losses = forward(pipeline, given.batch)
    ways = contestants(parameters)
    for way in ways.values():
        for _ in range(3):  # after its warm-up, an amortised strategy begins with one more exact step
            once(way, losses, parameters)

    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for repeat in tqdm(range(given.repeats)):
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            seconds[name].append(once(ways[name], losses, parameters))
    figures = {
        "trained_parameters": sum(p.numel() for p in parameters),
        "base_parameters": sum(p.numel() for p in unet.parameters()) - sum(p.numel() for p in parameters),
        "median_seconds": {name: float(torch.tensor(values).median()) for name, values in seconds.items()},
        "time_over_ordinary": {name: ratio(values, seconds["ordinary"]) for name, values in seconds.items()},
        "exact_over_released": ratio(seconds["exact"], seconds["released"]),
        "amortised_with_exact_steps": with_exact_steps(seconds),
        "peak_megabytes": {name: peak(way, losses, parameters) / 1e6 for name, way in ways.items()},
    }
    path = write_result(
        "benchmarks", "step_cost", figures, parameters=vars(given), samples=given.repeats, seed=given.seed
    )
    print(f"{path}:")
    for name, value in figures.items():
        print(f"  {name}: {value}")


def forward(pipeline, batch: int) -> Forward:
    """The forward pass of a random batch, giving the objectives."""
    unet, size = pipeline.unet, pipeline.unet.config.sample_size
    noisy, target = torch.randn(2, batch, unet.config.in_channels, size, size)
    timesteps = torch.randint(0, 1000, (batch,))
    tokens = torch.randn(batch, pipeline.tokenizer.model_max_length, unet.config.cross_attention_dim)
    pooled = torch.randn(batch, pipeline.text_encoder_2.config.projection_dim)
    side = 8 * size
    time_ids = torch.tensor([[side, side, 0, 0, side, side]], dtype=torch.float32).expand(batch, -1)
    masks = {name: torch.zeros(batch, 1, size, size) for name in ("face", "hand")}
    masks["face"][:, :, size // 8 : size // 4, size // 3 : size // 2] = 1
    masks["hand"][:, :, size // 2 : size // 2 + size // 8, : size // 8] = 1
    conditions = {"text_embeds": pooled, "time_ids": time_ids}

    def losses() -> tuple[Losses, dict[str, Tensor]]:
        prediction = unet(noisy, timesteps, tokens, added_cond_kwargs=conditions, return_dict=False)[0]
        return regional_losses(prediction, target, masks), {"output": prediction, "noise": timesteps / 1000}

    return losses


def contestants(parameters: list[Tensor]) -> dict[str, Way]:
    """Ways to fill ``.grad`` from the objectives."""
    ls, mpd, amortised = get_strategy("ls"), get_strategy("mpd"), Amortised(every=1_000_000, warmup=2)

    def ordinary(losses: Losses, _) -> None:
        torch.stack(list(losses.values())).sum().backward()

    def torchjd(aggregator) -> Way:
        def step(losses: Losses, _) -> None:
            backward(list(losses.values()))
            jac_to_grad(parameters, aggregator, optimize_gramian_computation=True)

        return step

    return {
        "ordinary": ordinary,
        "ls": lambda losses, _: fair_backward(losses, parameters, ls),
        "exact": lambda losses, _: fair_backward(losses, parameters, mpd),
        "amortised": lambda losses, known: fair_backward(losses, parameters, amortised, **known),
        "torchjd_fairgrad": torchjd(FairGrad(2.0)),
        "torchjd_alpha_fair": torchjd(AlphaFair(2.0)),
        "released": lambda losses, _: released(losses, parameters),
    }


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


def once(way: Way, losses: Forward, parameters: list[Tensor]) -> float:
    for parameter in parameters:
        parameter.grad = None
    start = time.perf_counter()
    way(*losses())
    return time.perf_counter() - start


def ratio(values: list[float], base: list[float]) -> dict[str, float]:
    quotients = torch.tensor(values) / torch.tensor(base)
    low, median, high = quotients.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    return {"median": median, "quartile_1": low, "quartile_3": high}


def with_exact_steps(seconds: dict[str, list[float]]) -> list[dict[str, float]]:
    """Mean time of an amortised step over that of an ordinary one, the exact steps among them included."""
    share = {name: ratio(seconds[name], seconds["ordinary"])["median"] for name in ("amortised", "exact")}
    return [
        {"every": n, "over_ordinary": ((n - 1) * share["amortised"] + share["exact"]) / n} for n in INTERVALS
    ]


def peak(way: Way, losses: Forward, parameters: list[Tensor]) -> int:
    """Most bytes that torch held at once during a step, beyond what it held before."""
    for parameter in parameters:
        parameter.grad = None
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as seen:
        way(*losses())
    held = most = 0
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


if __name__ == "__main__":
    main()
