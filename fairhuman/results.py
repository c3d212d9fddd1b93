"""Results on disk: one JSON file per result, with all that is needed to obtain it again.

Tables and figures are drawn from these files only.
"""

import json
import math
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fairhuman.files import write_text
from fairhuman.profiles import checkout, profile_names, results_directory
from fairhuman.source import library_digest

PACKAGES = (
    "fairhuman", "torch", "diffusers", "transformers", "peft", "accelerate", "torchjd", "anny", "warp-lang",
    "mediapipe", "dlib-bin", "numpy", "scipy", "pandas",
)  # fmt: skip

ROOT = Path(__file__).parents[1]
CODE = ("fairhuman", "notebooks", "params")
"""What makes results, but for a notebook's text and stored outputs."""


def write_result(
    profile: str,
    name: str,
    values: Mapping[str, Any],
    *,
    parameters: Mapping[str, Any],
    samples: int,
    seed: int,
    made: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``results/<profile>/<name>.json``, whole or not at all.

    Args:
        profile: Profile the result belongs to, or another folder name such as ``benchmarks``.
        name: Name of the result.
        values: What was measured; numbers, strings, lists and mappings of these. NumPy and torch scalars and
            arrays are converted; non-finite numbers become null.
        parameters: Resolved parameters of the run.
        samples: Number of samples that the values rest on (at least 1).
        seed: Seed of the run.
        made: Provenance of the values, if they are those of a result made earlier; by default this process's.

    Returns:
        The file's path.

    Raises:
        ValueError: ``samples`` is below 1.
        TypeError: A value that JSON can't hold.
    """
    if samples < 1:
        raise ValueError(f"samples: must be at least 1, got {samples}")
    content = {
        "name": name,
        "profile": profile,
        "values": plain(values),
        "parameters": plain(parameters),
        "samples": int(samples),
        "seed": int(seed),
        "provenance": provenance() if made is None else plain(made),
    }
    return write_text(results_directory(profile) / f"{name}.json", _dumps(content) + "\n")


def read_result(profile: str, name: str) -> dict[str, Any]:
    """Read a result written by :func:`write_result`.

    Raises:
        FileNotFoundError: It has not been computed; the message names the file.
    """
    path = results_directory(profile) / f"{name}.json"
    if not path.is_file():
        known = checkout() is not None and profile in profile_names()
        hint = f"; `make reproduce PROFILE={profile}` computes it" if known else ""
        raise FileNotFoundError(f"{path}: no such result{hint}")
    return json.loads(path.read_text())


def read_named(profile: str, result: str) -> dict[str, Any]:
    """A profile's result, or by ``folder/name`` one that belongs to no profile, as :func:`read_result`."""
    folder, _, name = result.rpartition("/")
    return read_result(folder or profile, name)


def rederive_result(profile: str, name: str, values: Mapping[str, Any]) -> Path:
    """Replace values of a stored result that were computed from its other values.

    ``provenance`` stays: it is that of what was measured. ``rederived`` is that of the new values, with their
    names.

    Raises:
        FileNotFoundError: There is no such result.
        ValueError: A name that the result has no value of.
    """
    content = read_result(profile, name)
    for key in values:
        if key not in content["values"]:
            raise ValueError(f"values: must be among {list(content['values'])}, got {key!r}")
    content["values"] |= plain(values)
    content["rederived"] = {"values": list(values), **provenance()}
    return write_text(results_directory(profile) / f"{name}.json", _dumps(content) + "\n")


def list_results() -> list[dict[str, Any]]:
    """Every stored result in order: ``name`` (folder/name), ``commit``, ``code`` (digest of the library, None
    in results older than it), ``modified``."""
    root = results_directory("")
    rows = []
    for path in sorted(root.rglob("*.json")):
        made = json.loads(path.read_text())["provenance"]
        row = {"name": path.relative_to(root).with_suffix("").as_posix()}
        rows.append(row | {key: made.get(key) for key in ("commit", "code", "modified")})
    return rows


def provenance() -> dict[str, Any]:
    """Versions, code, commit, machine and time, for a result file; None for what cannot be found out.

    ``code`` is the digest of the library as it is, committed or not
    (:func:`fairhuman.source.library_digest`).
    """
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "code": library_digest(),
        "commit": _git("rev-parse", "HEAD"),
        "modified": _modified(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _modified() -> bool | None:
    changed = _git("diff", "--name-only", "HEAD", "--", *CODE)
    return None if changed is None else any(map(_does_otherwise, changed.splitlines()))


def _does_otherwise(name: str) -> bool:
    """Whether a changed file is more than a notebook with other text or outputs."""
    path, committed = ROOT / name, _git("show", f"HEAD:{name}")
    if path.suffix != ".ipynb" or committed is None or not path.is_file():
        return True
    try:
        return _code(committed) != _code(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError):  # half written, or no notebook
        return True


def _code(notebook: str) -> list[str]:
    cells = json.loads(notebook)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def plain(value: Any) -> Any:
    """The value as JSON holds it: arrays as lists, non-finite numbers as None.

    >>> plain({"rate": float("nan"), "counts": (1, 2)})
    {'rate': None, 'counts': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy and torch, scalars and arrays
        return plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise TypeError(f"a result cannot hold {type(value).__name__}: {value!r}")


def _dumps(content: Any) -> str:
    """JSON that reads well and differs line by line: mappings unfolded, lists of plain values on one line."""
    text = json.dumps(content, indent=1, allow_nan=False)
    return re.sub(r"\[\n[^\[\]{}\"]*\]", lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            cwd=ROOT,
        )
    except (OSError, subprocess.SubprocessError):
        return None  # installed as a package, or no git on this machine
    return done.stdout.strip()
