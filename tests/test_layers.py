"""The library does not know the experiments that are made with it."""

from pathlib import Path

from fairhuman.workflow import imported_modules

ROOT = Path(__file__).parents[1]
ABOVE = ("fairhuman.experiments", "fairhuman.commands", "fairhuman.__main__")


def modules():
    for path in sorted((ROOT / "fairhuman").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_nothing_in_the_library_imports_what_is_built_on_it():
    library = [name for name in modules() if not name.startswith(ABOVE)]
    assert len(library) > 100
    upwards = {
        name: [one for one in imported_modules(f"import {name}", ROOT) if one.startswith(ABOVE)]
        for name in library
    }
    assert {name: found for name, found in upwards.items() if found} == {}
