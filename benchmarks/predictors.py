"""What predicts Gram matrices best: places in the network and forms of the sketch, on trainings left out.

    python benchmarks/predictors.py

Takes the recordings of ``benchmarks/recordings.py``. For each training left out, a candidate's constants are
chosen on the other trainings; then the amortised strategy is replayed on the one left out. Costs are counts
of passes through SDXL's UNet, over the two of an ordinary step: one forward, one backward, which cost the
same where the base is frozen. A sketch costs the share of a backward pass that lies behind its place. Writes
``results/benchmarks/predictors.json``. About five minutes on a quiet core.
"""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from fairhuman.experiments.derivation.reference import rates_of_descent
from fairhuman.experiments.derivation.replay import Recorded, agreement, replay
from fairhuman.fairness import Amortised
from fairhuman.models import SDXL_UNET
from fairhuman.results import read_result, write_result

TRAININGS = ("lora_early", "lora_late", "controlnet")
PLACES = ("output", "last block", "last resnet's input", "last block's input")
FORMS = {
    "means": {"noise": (1.0, 2.0, 3.0, 4.0), "rest": (1e-4, 1e-3, 3e-3)},
    "product": {"noise": (1.0, 2.0, 3.0), "rest": (0.3, 0.43, 0.6)},
}
"""Constants to choose from. ``means``: spatial means, and the share ``rest`` of the whole. ``product``: the
energy of the means on a grid to the power 1 − ``rest``, times the whole's to the power ``rest``. In both, an
example counts as its noise level times ``noise``, exponentiated."""
PRESENT = {"place": "output", "form": "means", "noise": 2.0, "rest": 3e-3}
CHOSEN_AT, INTERVALS, WARMUP = 20, (4, 8, 12, 16, 20, 30, 50), 8


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args(arguments)
    stored = {name: read_result("benchmarks", f"recordings-{name}") for name in TRAININGS}
    recordings = {name: result["values"]["steps"] for name, result in stored.items()}
    shares = behind()
    path = write_result(
        "benchmarks",
        "predictors",
        {"behind": shares, "rows": compare(recordings, shares)},
        parameters={name: result["parameters"] for name, result in stored.items()}
        | {"warmup": WARMUP, "chosen_at": CHOSEN_AT, "forms": FORMS, "present": PRESENT},
        samples=sum(map(len, recordings.values())),
        seed=0,
    )
    print(f"{path}:")
    for row in read_result("benchmarks", "predictors")["values"]["rows"]:
        if row["every"] == CHOSEN_AT:
            print("  {held_out:10} {place:20} {form:8} noise {noise} rest {rest}: ".format(**row), end="")
            print("mean {mean:.3f}, 5 % {low:.3f}, cost {cost:.3f}".format(**row))


def compare(recordings: Mapping[str, list[dict[str, Any]]], shares: Mapping[str, float]) -> list[dict]:
    """Rows of every candidate, training left out and interval."""
    rows = []
    for place, form in tqdm(list(itertools.product(PLACES, FORMS))):
        grid = [
            dict(zip(FORMS[form], values, strict=True)) for values in itertools.product(*FORMS[form].values())
        ]
        candidates = [{"place": place, "form": form} | constants for constants in grid]
        found = {
            name: [score(sketched(lines, one), CHOSEN_AT)["mean"] for one in candidates]
            for name, lines in recordings.items()
        }
        for name, lines in recordings.items():
            others = torch.tensor([found[other] for other in recordings if other != name])
            rows += scores(name, lines, candidates[int(others.mean(0).argmax())], shares)
    for name, lines in recordings.items():
        rows += scores(name, lines, PRESENT, shares, form="present")
    return rows


def scores(
    name: str,
    lines: list[dict[str, Any]],
    candidate: dict[str, Any],
    shares: Mapping[str, float],
    **said: str,
) -> list[dict[str, Any]]:
    """One row for each interval."""
    steps = sketched(lines, candidate)
    here = torch.stack([step.present for step in steps]).double().sum(1).mean()
    rows = []
    for every in INTERVALS:
        found = score(steps, every)
        passes = here * shares[candidate["place"]] + (here - 1) / every
        rows.append(
            {"held_out": name, "every": every} | candidate | said | found | {"cost": 1 + float(passes) / 2}
        )
    return rows


def score(steps: Sequence[Recorded], every: int) -> dict[str, float]:
    """Cosine with the exact direction after the warm-up, and how often an objective ascends."""
    weights, exact = replay(steps, Amortised(every=every, warmup=WARMUP))
    cosines = agreement(steps, weights)[WARMUP:]
    K = torch.stack([step.gramian for step in steps])
    ascends = (rates_of_descent(K, weights) < 0).any(-1)[WARMUP:]
    return {
        "mean": float(cosines.mean()),
        "low": float(cosines.quantile(0.05)),
        "ascends": float(ascends.double().mean()),
        "exact_share": float(exact[WARMUP:].double().mean()),
    }


def sketched(lines: list[dict[str, Any]], candidate: Mapping[str, Any]) -> list[Recorded]:
    """The steps, with a candidate's sketch."""
    steps = []
    for line in lines:
        losses = torch.tensor(list(line["losses"].values()), dtype=torch.float64)
        K = torch.tensor(line["gramian"], dtype=torch.float64)
        steps.append(Recorded(losses, K, K.diagonal() > 0, sketch(line, **candidate)))
    return steps


def sketch(line: Mapping[str, Any], place: str, form: str, noise: float, rest: float) -> Tensor:
    """A candidate's sketch of one step, shape (m, m)."""
    factors = (noise * torch.tensor(line["noise"], dtype=torch.float64)).exp().view(-1, 1, 1)
    kept = {
        name: (factors * torch.tensor(values, dtype=torch.float64)).sum(0)
        for name, values in line["places"][place].items()
    }
    if form == "means":
        return kept["mean"] + rest * kept["every"]
    coarse, whole = (kept[name].diagonal().clamp_min(1e-300) for name in ("coarse", "every"))
    # Sizes become the product; cosines stay those of the grid.
    factor = (whole / coarse) ** (rest / 2)
    return kept["coarse"] * factor.unsqueeze(0) * factor.unsqueeze(1)


def behind() -> dict[str, float]:
    """The share of the operations of SDXL's UNet at its own size that lies behind each place."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        unet = UNet2DConditionModel(**SDXL_UNET)
        added = {"text_embeds": torch.zeros(1, 1280), "time_ids": torch.zeros(1, 6)}
        side, width = unet.config.sample_size, unet.config.cross_attention_dim
        unet(
            torch.zeros(1, 4, side, side), torch.zeros(1), torch.zeros(1, 77, width), added_cond_kwargs=added
        )
    counts = {name: sum(found.values()) for name, found in counter.get_flop_counts().items()}
    root, last = "UNet2DConditionModel", len(unet.up_blocks) - 1
    out = counts[f"{root}.conv_out"]
    block = f"{root}.up_blocks.{last}"
    operations = {
        "output": 0,
        "last block": out,
        "last resnet's input": out + counts[f"{block}.resnets.{len(unet.up_blocks[-1].resnets) - 1}"],
        "last block's input": out + counts[block],
    }
    return {place: found / counts["Global"] for place, found in operations.items()}


if __name__ == "__main__":
    main()
