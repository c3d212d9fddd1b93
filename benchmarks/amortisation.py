"""How close amortised directions stay to the exact ones, over the refresh interval, on a recorded run.

    python benchmarks/amortisation.py runs/quick/lora-mpd/log.jsonl

Replays the log: every strategy sees the losses of every step, and the Gram matrix only at its refreshes.
Writes ``results/benchmarks/amortisation.json``.
"""

import argparse

import torch

from fairhuman.fairness import Amortised, alpha_fair_weights, get_strategy
from fairhuman.fairness.reference import rates_of_descent
from fairhuman.fairness.replay import agreement, read_log, replay
from fairhuman.results import write_result

INTERVALS = (2, 3, 5, 10, 20, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", help="log.jsonl of a run trained with strategy mpd")
    given = parser.parse_args()
    names, steps = read_log(given.log)
    K = torch.stack([step.gramian for step in steps])
    curves = []
    for mode in ("fitted", "average", "stale"):
        for every in INTERVALS:
            weights, exact = replay(steps, Amortised(every=every, mode=mode))
            curves.append(
                {"mode": mode, "every": every, **summary(agreement(steps, weights), exact, K, weights)}
            )
    fixed = {}
    for name in ("ls", "si", "mpd_closed_form", "fairgrad_official"):
        weights, _ = replay(steps, get_strategy(name))
        fixed[name] = summary(agreement(steps, weights), torch.zeros(len(steps)).bool(), K, weights)
    norms = K.diagonal(dim1=-2, dim2=-1).sqrt()
    figures = {
        "objectives": names,
        "steps": len(steps),
        "median_norms": norms.median(0).values,
        "median_cosines": (K / norms.unsqueeze(-1) / norms.unsqueeze(-2)).median(0).values,
        "curves": curves,
        "without_amortisation": fixed,
        "exact_ascends": float((rates_of_descent(K, alpha_fair_weights(K)) < 0).any(-1).double().mean()),
    }
    path = write_result(
        "benchmarks", "amortisation", figures, parameters=vars(given), samples=len(steps), seed=0
    )
    print(f"{path}: {len(steps)} steps, median norms {norms.median(0).values.tolist()}")
    for row in curves:
        print(
            "  {mode:8} every {every:3}: mean cosine {mean:.4f}, between refreshes {between:.4f}".format(
                **row
            )
        )
    for name, row in fixed.items():
        print(f"  {name}: mean cosine {row['mean']:.4f}, ascends in {row['ascends']:.3f}")


def summary(cosines: torch.Tensor, exact: torch.Tensor, K: torch.Tensor, w: torch.Tensor) -> dict[str, float]:
    """Means over all steps and over those that were not exact, after a warm-up."""
    later = torch.arange(len(cosines)) >= min(20, len(cosines) // 2)
    between = later & ~exact
    return {
        "mean": float(cosines[later].mean()),
        "between": float(cosines[between].mean()),
        "between_5": float(cosines[between].quantile(0.05)),
        "ascends": float((rates_of_descent(K, w) < 0).any(-1)[later].double().mean()),
        "exact_share": float(exact[later].double().mean()),
    }


if __name__ == "__main__":
    main()
