"""Every equation of the paper as numbers that decide whether it holds as printed.

    python benchmarks/equations.py [--seed 0]

Random gradients, and the Gram matrices recorded in training (results/benchmarks/gramians.json). A few
seconds. Writes results/benchmarks/equations.json, which the ledger of claims reads.
"""

import argparse

from fairhuman.experiments.derivation.equations import check_equations, check_recorded, check_scale
from fairhuman.results import read_result, write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    steps = read_result("benchmarks", "gramians")["values"]["steps"]
    values = check_equations(given.seed)
    values |= {"eq12": check_scale(given.seed), "recorded": check_recorded(steps)}
    parameters = {"seed": given.seed}
    path = write_result(
        "benchmarks", "equations", values, parameters=parameters, samples=len(steps), seed=given.seed
    )
    for name, numbers in values.items():
        for what, number in numbers.items():
            print(f"{name:10} {what:34} {number:.6g}")
    print(path)


if __name__ == "__main__":
    main()
