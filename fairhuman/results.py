"""Stored results: one JSON file per result, with everything needed to reproduce it.

Tables and figures use only these files.
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
"""Files that determine results; for notebooks, text and stored outputs do not count."""


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
    """Write ``results/<profile>/<name>.json`` atomically.

    Args:
        profile: Profile the result belongs to, or another folder name such as ``benchmarks``.
        name: Name of the result.
        values: Measured values: numbers, strings, and lists and mappings of these. NumPy and torch scalars
            and arrays are converted; non-finite numbers become null.
        parameters: Resolved parameters of the run.
        samples: Number of samples behind the values, at least 1.
        seed: Seed of the run.
        made: Provenance of values copied from an earlier result. Default: this process's provenance.

    Returns:
        The file's path.

    Raises:
        ValueError: ``samples`` is below 1.
        TypeError: A value cannot be stored as JSON.
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
        FileNotFoundError: The result has not been computed; the message names the file.
    """
    path = results_directory(profile) / f"{name}.json"
    if not path.is_file():
        known = checkout() is not None and profile in profile_names()
        hint = f"; `make reproduce PROFILE={profile}` computes it" if known else ""
        raise FileNotFoundError(f"{path}: no such result{hint}")
    return json.loads(path.read_text())


def read_named(profile: str, result: str) -> dict[str, Any]:
    """Like :func:`read_result`, but ``folder/name`` selects a result outside the profile."""
    folder, _, name = result.rpartition("/")
    return read_result(folder or profile, name)


def rederive_result(profile: str, name: str, values: Mapping[str, Any]) -> Path:
    """Replace values of a stored result that are derived from its other values.

    ``provenance`` stays that of the measurement. ``rederived`` records the names and provenance of the new
    values.

    Raises:
        FileNotFoundError: The result does not exist.
        ValueError: The result has no value with a given name.
    """
    content = read_result(profile, name)
    for key in values:
        if key not in content["values"]:
            raise ValueError(f"values: must be among {list(content['values'])}, got {key!r}")
    content["values"] |= plain(values)
    content["rederived"] = {"values": list(values), **provenance()}
    return write_text(results_directory(profile) / f"{name}.json", _dumps(content) + "\n")


def list_results() -> list[dict[str, Any]]:
    """All stored results in order: ``name`` (folder/name), ``commit``, ``code`` (library digest, None in
    results that predate it), ``modified``."""
    root = results_directory("")
    rows = []
    for path in sorted(root.rglob("*.json")):
        made = json.loads(path.read_text())["provenance"]
        row = {"name": path.relative_to(root).with_suffix("").as_posix()}
        rows.append(row | {key: made.get(key) for key in ("commit", "code", "modified")})
    return rows


def provenance() -> dict[str, Any]:
    """Versions, code, commit, machine and time for a result file; None for unknown values.

    ``code`` is the digest of the current library, committed or not (:func:`fairhuman.source.library_digest`).
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
    """Whether a change affects results: notebooks that differ only in text or outputs do not count."""
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
    """Convert a value for JSON: arrays become lists, non-finite numbers None.

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
    raise TypeError(f"a result cannot store {type(value).__name__}: {value!r}")


def _dumps(content: Any) -> str:
    """Readable JSON with clean diffs: one line per mapping entry, lists of plain values on one line."""
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
