"""Where each picture of ``figures/`` comes from: its result, the command that redraws it, its notebook."""

import re
from pathlib import Path

import pandas as pd

from fairhuman.profiles import checkout
from fairhuman.workflow import notebook_code, steps

from ._registry import DRAWINGS

__all__ = ["figure_index"]

_PICTURES = (".png", ".jpg")
_COLLECTING = "10_figures"
"""Shows what others draw."""
_ARCHITECTURE = "python -m fairhuman.experiments.architecture"


def figure_index() -> pd.DataFrame:
    """A row for each stored picture, in alphabetical order by profile.

    Returns:
        ``figure`` (path in the checkout), ``results`` (paths in the checkout, separated by spaces; for a
        sheet of images and for the architecture, the data beside it), ``command`` (redraws it from these; for
        a sheet, makes its images again), ``notebook`` (path in the checkout of the first that draws or shows
        it, or an empty text).

    Raises:
        FileNotFoundError: The current folder is in no checkout.
    """
    root = checkout()
    if root is None:
        raise FileNotFoundError(
            f"no checkout (a folder with params/ and notebooks/) at or above {Path.cwd()}"
        )
    code = {f"notebooks/{name}.ipynb": notebook_code(name) for name in steps() if name != _COLLECTING}
    scripts = {f"benchmarks/{path.name}": path.read_text() for path in (root / "benchmarks").glob("*.py")}
    folders = [root / "figures", *sorted(path for path in (root / "figures").iterdir() if path.is_dir())]
    return pd.DataFrame(
        [
            _row(path, root, code, scripts)
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.suffix in _PICTURES
        ],
        columns=["figure", "results", "command", "notebook"],
    )


def _row(path: Path, root: Path, code: dict[str, str], scripts: dict[str, str]) -> dict[str, str]:
    profile = path.parent.name if path.parent.name != "figures" else "quick"
    name, drawing = path.stem, DRAWINGS.get(path.stem)
    saved = rf'\bsave\([^"]*"{name}"'
    maker = _first(saved, code)
    if drawing is not None:
        folder = root / "results" / ("" if "/" in drawing.result else profile)
        results = sorted(folder.glob(f"{drawing.result}.json"))
        command = f"python -m fairhuman figures --profile {profile}"
        shown = maker or _first(rf"\b{getattr(drawing.draw, '__name__', name)}\b", code)
    else:
        results = [file for ending in ("json", "csv") if (file := path.with_suffix(f".{ending}")).is_file()]
        command = f"python -m fairhuman run {Path(maker).stem} --profile {profile}"
        if not maker:
            script = _first(saved, scripts)
            command = f"python {script}" if script else _ARCHITECTURE
        shown = maker or _first(rf'"{name}\.(png|jpg)"', code)
    return {
        "figure": path.relative_to(root).as_posix(),
        "results": " ".join(result.relative_to(root).as_posix() for result in results),
        "command": command,
        "notebook": shown,
    }


def _first(pattern: str, texts: dict[str, str]) -> str:
    """The first name whose text has the pattern, or an empty text."""
    return next((name for name, text in texts.items() if re.search(pattern, text)), "")
