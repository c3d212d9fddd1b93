"""Write the locks and environment.yml anew from pyproject.toml. Needs uv.

    python requirements/lock.py [--upgrade] [--wheel FILE ...]

Versions stay as locked where pyproject.toml still allows them; ``--upgrade`` takes the newest. One
resolution serves Python 3.11 and 3.12 on Linux (x86-64) and macOS (arm64). Every file of a version that the
package index has for these systems is locked by its hash.

- ``all.lock``: everything but the next, torch in the index's build;
- ``site.lock``: what the pages of ``make site`` need besides;
- ``cuda.lock``: what that build wants besides on Linux;
- ``cpu.lock``: torch's build for the CPU, which does without those gigabytes. It is not on the index, but an
  installation may have it at hand. ``--wheel`` adds its files; they stay for as long as torch's version does.
"""

import argparse
import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = {name: ROOT / f"requirements/{name}.lock" for name in ("all", "site", "cuda", "cpu")}
# SoupSieve wants 3.11.5; MediaPipe has no wheel above 3.12.
PYTHON = ">=3.11.5,<3.13"
SYSTEMS = [
    "sys_platform == 'linux' and platform_machine == 'x86_64'",
    "sys_platform == 'darwin' and platform_machine == 'arm64'",
]
ALWAYS = (  # as uv writes it
    "(platform_machine == 'arm64' and sys_platform == 'darwin') or "
    "(platform_machine == 'x86_64' and sys_platform == 'linux')"
)
OF_CUDA = re.compile(r"(nvidia|cuda|triton)\b")

HEADERS = {
    "all": "# Written by requirements/lock.py: the versions that everything here is tried with.",
    "site": "# Written by requirements/lock.py: what `make site` needs besides all.lock.",
    "cuda": "# Written by requirements/lock.py: what the CUDA build of torch wants besides all.lock.",
    "cpu": "# Written by requirements/lock.py: torch's build for the CPU, used where pip is shown one.",
    "conda": """\
# Written by requirements/lock.py: the versions of requirements/all.lock, for conda.
#   conda env create --file environment.yml && conda activate fairhuman
# Without hashes: pip checks none where one of the packages is this folder. What the CUDA build of torch wants
# besides, torch names itself.
name: fairhuman
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
""",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    parser.add_argument("--wheel", type=Path, nargs="*", default=[], help="of torch's build for the CPU")
    options = parser.parse_args()
    locked = [
        pin for name in ("all", "site", "cuda") if LOCKS[name].is_file() for pin, _ in read(LOCKS[name])
    ]
    with_site = resolve([] if options.upgrade else locked, ("dev", "site"))
    found = resolve([pin for pin, _ in with_site], ("dev",))
    names = {pin.split("==")[0] for pin, _ in found}
    write("site", [entry for entry in with_site if entry[0].split("==")[0] not in names])
    for name in ("all", "cuda"):
        write(name, [entry for entry in found if bool(OF_CUDA.match(entry[0])) == (name == "cuda")])
    torch = next(pin for pin, _ in found if pin.startswith("torch==")) + "+cpu"
    builds = dict(read(LOCKS["cpu"])).get(torch, set()) if LOCKS["cpu"].is_file() else set()
    builds |= {f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" for wheel in options.wheel}
    write("cpu", [(torch, builds)] if builds else [])
    pins = [pin for pin, _ in read(LOCKS["all"])]
    lines = [f"      - {pin}" if ";" not in pin else f'      - "{pin}"' for pin in [*pins, "--editable ."]]
    (ROOT / "environment.yml").write_text(HEADERS["conda"] + "\n".join(lines) + "\n")


def resolve(constraints: list[str], extras: tuple[str, ...]) -> list[tuple[str, set[str]]]:
    """Pins and their hashes, as uv finds them for the project with these extras."""
    project = (ROOT / "pyproject.toml").read_text()
    project = re.sub(r"(?m)^requires-python = .*", f'requires-python = "{PYTHON}"', project)
    settings = f"\n[tool.uv]\nenvironments = {SYSTEMS}\nconstraint-dependencies = {constraints}\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(project + settings)
        chosen = " ".join(f"--extra {extra}" for extra in extras)
        for command in ("lock", f"export --frozen {chosen} --no-emit-project --output-file locked.txt"):
            subprocess.run(["uv", *command.split(), "--quiet"], cwd=folder, check=True)
        return read(Path(folder) / "locked.txt")


def read(path: Path) -> list[tuple[str, set[str]]]:
    """Pins (``name==version``, with a marker where there is one) and their hashes."""
    entries: list[tuple[str, set[str]]] = []
    for line in path.read_text().splitlines():
        text = line.split("#")[0].removesuffix("\\").strip()
        if text.startswith("--hash="):
            entries[-1][1].add(text.removeprefix("--hash="))
        elif text:
            text = text.removesuffix(f" ; {ALWAYS}").removesuffix(f" and ({ALWAYS})")
            entries.append((text, set()))
    return entries


def write(name: str, entries: list[tuple[str, set[str]]]) -> None:
    lines = [" \\\n    ".join([pin, *(f"--hash={value}" for value in sorted(more))]) for pin, more in entries]
    LOCKS[name].write_text("\n".join([HEADERS[name], *lines]) + "\n")


if __name__ == "__main__":
    main()
