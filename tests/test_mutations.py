"""What benchmarks/mutations.py puts into a module is a fault, and the module can still be compiled."""

import ast
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
benchmark = runpy.run_path(str(ROOT / "benchmarks" / "mutations.py"))
TESTS, change, sites = (benchmark[name] for name in ("TESTS", "change", "sites"))

CODE = """
__all__ = ["f"]
def f(x: int = 1) -> int:
    "At most 3."
    if not x > 2 and x != 5:
        raise ValueError(f"x: {x + 1}")
    return -x + 4 if x in (7, 8) else x * True
"""


def test_messages_annotations_and_docstrings_stay():
    found = [ast.unparse(node).split("\n")[0] for node in sites(ast.parse(CODE))]
    assert {"1", "not x > 2", "x > 2", "x != 5", "2", "5", "4", "7", "8", "-x", "True", "x * True"} <= set(
        found
    )
    assert not [text for text in found if "x + 1" in text or text == "3"]


@pytest.mark.parametrize("module", [*TESTS, None])
def test_each_fault_changes_the_code(module):
    source = CODE if module is None else (ROOT / "fairhuman" / module).read_text()
    tests = [] if module is None else [ROOT / "tests" / name for name in TESTS[module]]
    assert all(path.is_file() for path in tests)
    plain, count = ast.unparse(ast.parse(source)), len(list(sites(ast.parse(source))))
    assert count >= 3
    for place in range(0, count, 1 + count // 20):
        tree = ast.parse(source)
        change(list(sites(tree))[place])
        changed = ast.unparse(ast.fix_missing_locations(tree))
        assert changed != plain
        compile(changed, "module", "exec")
