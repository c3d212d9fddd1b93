"""Small faults put into the code, one at a time: how many do the tests notice?

    python benchmarks/mutations.py [--per-module 12] [--seed 0] [--modules PART ...]

A fault changes one comparison, operator, number, condition or sign of a module on whose numbers verdicts
rest; ``raise`` statements, annotations and docstrings stay as they are. The module's own tests then run, to
the first that fails. Writes ``results/benchmarks/mutations.json``: every fault, and whether it was noticed.
"""

import argparse
import ast
import importlib.machinery
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairhuman.results import write_result

ROOT = Path(__file__).parents[1]
TESTS = {
    "evaluation/statistics.py": ["evaluation/test_statistics.py", "evaluation/test_crossed.py"],
    "evaluation/crossed.py": ["evaluation/test_crossed.py"],
    "evaluation/detection_rates.py": ["evaluation/test_detection_rates.py"],
    "evaluation/anatomy/_rates.py": ["evaluation/test_anatomy.py", "experiments/test_table1.py"],
    "evaluation/distances.py": ["evaluation/test_distances.py"],
    "experiments/plan.py": ["experiments/test_plan.py"],
    "experiments/claims/_ledger.py": ["experiments/test_claims.py"],
    "experiments/claims/_parts.py": ["experiments/test_claims.py"],
    "experiments/claims/_cells.py": ["experiments/test_claims.py"],
    "experiments/ablations/_compare.py": ["experiments/test_ablations.py"],
    "experiments/ablations/_summary.py": ["experiments/test_ablations.py"],
    "fairness/_newton.py": ["fairness/test_alpha_fair.py"],
    "fairness/_alpha_fair.py": ["fairness/test_alpha_fair.py"],
    "fairness/_gramian.py": ["fairness/test_alpha_fair.py", "fairness/test_backward.py"],
    "fairness/_backward.py": ["fairness/test_backward.py"],
    "fairness/_reduction.py": ["fairness/test_backward.py"],
    "fairness/_amortised.py": ["fairness/test_strategies.py"],
    "fairness/_scalarisers.py": ["fairness/test_strategies.py"],
    "objectives.py": ["test_objectives.py"],
    "regions.py": ["test_regions.py"],
}
"""Module below ``fairhuman/`` to its tests below ``tests/``."""
OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.MatMult: ast.Mult,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-module", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modules", nargs="*", default=list(TESTS), help="of the table in this file")
    given = parser.parse_args()
    faults = [fault for module in given.modules for fault in look(module, given.per_module, given.seed)]
    shares = {
        module: [fault["noticed"] for fault in faults if fault["module"] == module]
        for module in given.modules
    }
    values = {"noticed": {name: [sum(one), len(one)] for name, one in shares.items()}, "faults": faults}
    path = write_result(
        "benchmarks", "mutations", values, parameters=vars(given), samples=len(faults), seed=given.seed
    )
    print(f"{path}: {sum(fault['noticed'] for fault in faults)} of {len(faults)} noticed")


def look(module: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Up to ``count`` faults of a module, drawn at random: ``module``, ``line``, ``fault``, ``noticed``.

    Raises:
        RuntimeError: The tests fail without a fault.
    """
    path = ROOT / "fairhuman" / module
    source, tests = path.read_text(), [str(ROOT / "tests" / name) for name in TESTS[module]]
    places = list(sites(ast.parse(source)))
    began = time.monotonic()
    if not passes(path, ast.parse(source), tests, limit=1800):
        raise RuntimeError(f"{module}: its tests fail without a fault")
    limit = 60 + 5 * (time.monotonic() - began)
    chosen = random.Random(f"{seed} {module}").sample(range(len(places)), min(count, len(places)))
    for place in sorted(chosen):
        tree = ast.parse(source)
        node = list(sites(tree))[place]
        before = told(node)
        change(node)
        fault = {"module": module, "line": node.lineno, "fault": f"{before} → {told(node)}"}
        fault["noticed"] = not passes(path, ast.fix_missing_locations(tree), tests, limit)
        print("noticed " if fault["noticed"] else "SURVIVES", module, node.lineno, fault["fault"], flush=True)
        yield fault


def sites(node: ast.AST) -> Iterator[Any]:
    """The nodes that :func:`change` can change, in order."""
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return
    kinds = [type(part) for part in getattr(node, "ops", [])] or [type(getattr(node, "op", None))]
    number = isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float)
    if number or isinstance(node, ast.If | ast.IfExp) or kinds[0] in (*OTHER, ast.USub, ast.Not):
        yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from sites(child)


def change(node: Any) -> None:
    """Put a fault into a node."""
    if isinstance(node, ast.Constant):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Compare):
        node.ops[0] = OTHER[type(node.ops[0])]()
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        node.operand = ast.UnaryOp(ast.Not(), node.operand) if isinstance(node.op, ast.Not) else node.operand
    else:
        node.op = OTHER[type(node.op)]()


def told(node: Any) -> str:
    """The node's source; of a statement only its condition."""
    return ast.unparse(node.test if isinstance(node, ast.If) else node)


def passes(path: Path, tree: ast.Module, tests: list[str], limit: float) -> bool:
    """Whether tests pass in a process of their own, in which the file at ``path`` holds this code."""
    process = multiprocessing.get_context("fork").Process(target=_test, args=(path, tree, tests))
    process.start()
    process.join(limit)
    if process.is_alive():  # a loop without end
        process.kill()
        process.join()
    return process.exitcode == 0


def _test(path: Path, tree: ast.Module, tests: list[str]) -> None:
    import pytest

    loader: Any = importlib.machinery.SourceFileLoader
    plain = loader.get_code

    def get_code(self: Any, name: str) -> Any:
        changed = Path(self.get_filename(name)) == path
        return compile(tree, str(path), "exec") if changed else plain(self, name)

    loader.get_code = get_code
    for name in [name for name in sys.modules if name.split(".")[0] == "fairhuman"]:
        del sys.modules[name]  # what this file itself needed
    os.chdir(ROOT)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    os._exit(int(pytest.main([*options, *tests])))


if __name__ == "__main__":
    import hypothesis  # noqa: F401 - loaded once, for every process that is split off
    import torch  # noqa: F401

    main()
