"""How exact and how fast the α-fair solver is, beside torchjd's FairGrad and NashMTL.

    python benchmarks/solver.py [--seed 0]

Writes ``results/benchmarks/solver.json``. About two minutes on one core. Times are only compared within the
run: the contestants take turns on the same matrices, and medians are reported.
"""

import argparse
import time
import warnings

import mpmath
import torch
from torchjd.aggregation import FairGradWeighting, NashMTL
from tqdm import tqdm

from fairhuman.experiments.derivation.ensembles import conditioned, gaussian
from fairhuman.experiments.derivation.reference import (
    certified_rates,
    potential_delay,
    precise_weights,
    rates_of_descent,
    residual,
    residual_twice,
)
from fairhuman.fairness import alpha_fair_weights, solve_alpha_fair
from fairhuman.fairness._direction import cosine
from fairhuman.results import write_result

ALPHAS = (0.5, 1.0, 2.0, 4.0, 10.0)
SIZES = range(2, 9)
TOLERANCE = 1e-9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="You are solving a parameterized problem")
    draw = torch.Generator().manual_seed(seed)

    values = {
        "residual": residuals(draw),
        "fifty_digits": against_fifty_digits(draw),
        "certified": against_certified_optimum(draw),
        "single": single_solves(draw),
        "batch": batch_solve(draw),
    }
    path = write_result("benchmarks", "solver", values, parameters={}, samples=100_000, seed=seed)
    print(f"{path}:")
    for name, found in values.items():
        print(f"  {name}: {found}")


def residuals(draw: torch.Generator) -> dict[str, object]:
    """100 000 matrices: condition up to 1e8, scale 1e-18 to 1e18, m from 2 to 8, five α.

    The residual is computed in twice the precision; computed in float64 it would show that computation's
    own rounding, which is reported beside it.
    """
    found: dict[str, list[torch.Tensor]] = {"true": [], "in_float64": [], "nearest": []}
    per_case = -(-100_000 // (len(ALPHAS) * len(SIZES)))
    iterations = 0
    for alpha in tqdm(ALPHAS, desc="residuals"):
        for m in SIZES:
            K = conditioned(per_case, m, draw, log10_scale=18.0)
            solution = solve_alpha_fair(K, alpha)
            iterations = max(iterations, solution.iterations)
            w = solution.weights
            up = torch.rand(w.shape, generator=draw) < 0.5
            moved = torch.nextafter(w, torch.where(up, torch.inf, 0.0).to(w.dtype))
            found["true"].append(residual_twice(K, w, alpha))
            found["in_float64"].append(residual(K, w, alpha))
            found["nearest"].append(residual_twice(K, moved, alpha))
    r = {name: torch.cat(values) for name, values in found.items()}
    return {
        "matrices": len(r["true"]),
        "most_iterations": iterations,
        "above_1e-9": int((r["true"] > TOLERANCE).sum()),
        "largest": float(r["true"].max()),
        "median": float(r["true"].median()),
        "largest_in_float64": float(r["in_float64"].max()),
        "share_within_1e-9_in_float64": float((r["in_float64"] <= TOLERANCE).double().mean()),
        # The same weights, each moved to the next number above or below:
        "share_within_1e-9_one_digit_away": float((r["nearest"] <= TOLERANCE).double().mean()),
    }


def against_fifty_digits(draw: torch.Generator, count: int = 20) -> dict[str, object]:
    """Relative error of the weights against mpmath, and the residual of its solution, rounded."""
    errors, ours, rounded = [], [], []
    for alpha in tqdm(ALPHAS, desc="fifty digits"):
        for m in (2, 3, 5):
            for K in conditioned(count, m, draw):
                w, exact = alpha_fair_weights(K, alpha), precise_weights(K, alpha)
                pairs = zip(w.tolist(), exact, strict=True)
                errors.append(max(float(abs(mpmath.mpf(x) / y - 1)) for x, y in pairs))
                ours.append(float(residual_twice(K, w, alpha)))
                best = torch.tensor([float(y) for y in exact], dtype=torch.float64)
                rounded.append(float(residual_twice(K, best, alpha)))
    ours_, rounded_ = torch.tensor(ours), torch.tensor(rounded)
    return {
        "matrices": len(errors),
        "median_error": float(torch.tensor(errors).median()),
        "largest_error": max(errors),
        "share_within_1e-9": float((ours_ <= TOLERANCE).double().mean()),
        "share_within_1e-9_of_the_rounded_exact_solution": float((rounded_ <= TOLERANCE).double().mean()),
    }


def against_certified_optimum(draw: torch.Generator, count: int = 60) -> dict[str, object]:
    """Eq. 5's value at our direction relative to cvxpy's certified optimum."""
    excess, refused = [], 0
    for K in tqdm(
        [*gaussian(count, 3, 5, draw), *conditioned(count, 3, draw, log10_condition=4)], desc="cvxpy"
    ):
        try:
            _, optimum = certified_rates(K)
        except RuntimeError:
            refused += 1
            continue
        ours = float(potential_delay(rates_of_descent(K, alpha_fair_weights(K))))
        excess.append(ours / optimum - 1)
    return {
        "matrices": len(excess),
        "not_certified": refused,
        "largest_relative_excess": max(excess),
        "least_relative_excess": min(excess),
    }


def single_solves(draw: torch.Generator, count: int = 200) -> dict[str, object]:
    """One 3×3 solve at a time, gradients of ordinary size and of the size found in fine-tuning."""
    report: dict[str, object] = {}
    for label, scale in (("unit_gradients", 1.0), ("gradients_of_1e-3", 1e-6)):
        matrices = gaussian(count, 3, 20, draw) * scale
        roots = torch.linalg.cholesky(matrices)
        fairgrad, nash = FairGradWeighting(2.0), NashMTL(3, max_norm=0.0).weighting
        contestants = {
            "ours": alpha_fair_weights,
            "fairgrad": fairgrad,
            "ours_alpha_1": lambda K: alpha_fair_weights(K, 1.0),
            "nash_mtl": nash,
        }
        times: dict[str, list[float]] = {name: [] for name in contestants}
        found: dict[str, list[torch.Tensor]] = {name: [] for name in contestants}
        # Turns of twenty matrices: with turns of one, each would find the other's data in the caches.
        for start in tqdm(range(0, count, 20), desc=label):
            for name, solve in contestants.items():
                for argument in (roots if name == "nash_mtl" else matrices)[start : start + 20]:
                    begun = time.perf_counter()
                    w = solve(argument)
                    times[name].append(time.perf_counter() - begun)
                    found[name].append(w.double())
        # The first turn builds problems and compiles: left out of the medians.
        medians = {name: float(torch.tensor(values[20:]).median()) for name, values in times.items()}
        exact = {"fairgrad": torch.stack(found["ours"]), "nash_mtl": torch.stack(found["ours_alpha_1"])}
        report[label] = {
            "median_microseconds": {name: 1e6 * value for name, value in medians.items()},
            "fairgrad_over_ours": medians["fairgrad"] / medians["ours"],
            "nash_mtl_over_ours": medians["nash_mtl"] / medians["ours_alpha_1"],
            "residual": {
                name: summary(
                    residual(matrices, torch.stack(w), 2.0 if name in ("ours", "fairgrad") else 1.0)
                )
                for name, w in found.items()
            },
            # torchjd's NashMTL starts from its last weights: once they are zero, it stays there.
            "share_of_zero_weights": {
                name: float((torch.stack(w) == 0).all(-1).double().mean()) for name, w in found.items()
            },
            "cosine_with_exact": {
                name: summary(cosine(matrices, torch.stack(found[name]), w)) for name, w in exact.items()
            },
        }
    return report


def batch_solve(draw: torch.Generator, count: int = 10_000, repeats: int = 5) -> dict[str, object]:
    """A batch at once, against torchjd one by one (timed on a part of the batch and scaled up)."""
    K = gaussian(count, 3, 20, draw)
    fairgrad, nash = FairGradWeighting(2.0), NashMTL(3, max_norm=0.0).weighting
    roots = torch.linalg.cholesky(K)
    nash(roots[0])
    ours, theirs, bargained = [], [], []
    alpha_fair_weights(K)
    for repeat in tqdm(range(repeats), desc="batch"):
        ours.append(timed(lambda: alpha_fair_weights(K)))
        part = slice(40 * repeat, 40 * (repeat + 1))
        theirs.append(timed(lambda part=part: [fairgrad(k) for k in K[part]]) * count / 40)
        bargained.append(timed(lambda part=part: [nash(r) for r in roots[part]]) * count / 40)
    median = {
        name: float(torch.tensor(values).median())
        for name, values in (("ours", ours), ("fairgrad", theirs), ("nash_mtl", bargained))
    }
    return {
        "matrices": count,
        "median_seconds": median,
        "fairgrad_over_ours": median["fairgrad"] / median["ours"],
        "nash_mtl_over_ours": median["nash_mtl"] / median["ours"],
        "largest_residual": float(residual(K, alpha_fair_weights(K)).max()),
    }


def summary(values: torch.Tensor) -> dict[str, float]:
    return {"median": float(values.median()), "least": float(values.min()), "largest": float(values.max())}


def timed(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
