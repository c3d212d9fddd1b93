"""Kills every command that writes at random moments, starts it again, and compares what it ends with.

    python benchmarks/kills.py [--kills 56] [--only train,import] [--seed 0]

Each command works on tiny input in a folder of its own: a training on random images with a random base,
photographs annotated, people rendered, images sampled and evaluated, a data set imported, a notebook executed
in place, and by the workflow. Its process group is killed (SIGKILL) after a random time: while it loads,
between two files, or while it writes. After each kill every file under a final name must be whole. A command
that reaches its end is compared, file by file and but for times, with one that was never interrupted; then it
is begun anew, until there were enough kills. Writes ``results/benchmarks/kills.json``.
"""

import argparse
import functools
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from PIL import Image
from safetensors import safe_open

from fairhuman.results import write_result
from fairhuman.training import TrainSettings

ROOT = Path(__file__).parents[1]
TIMES = {"seconds", "elapsed", "written", "papermill", "execution", "id", "commit", "modified"}
"""Keys of what may differ between two runs: times, names drawn anew, and the state of the checkout."""
APPENDED = {"log.jsonl", "heldout.jsonl", "journal.jsonl"}
"""Written line by line: their last line may be cut short, and is dropped on resuming."""
NOT_OURS = {".snakemake", ".ipynb_checkpoints", "cache"}


class Command(NamedTuple):
    """``words`` are called in a folder that ``begin`` has made; exit statuses not in ``ends`` are faults."""

    words: Callable[[Path], list[str]]
    begin: Callable[[Path], None] = lambda home: home.mkdir(parents=True)
    ends: tuple[int, ...] = (0,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=56)
    parser.add_argument("--only", default="", help="names of commands, with commas between")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = commands(Path(folder))
        chosen = given.only.split(",") if given.only else list(found)
        share = -(-given.kills // len(chosen))
        figures = {}
        for name in chosen:
            figures[name] = survive(found[name], Path(folder) / name, share, given.seed)
            print(f"{name}: {figures[name]}", flush=True)
    total = sum(one["kills"] for one in figures.values())
    values = {"kills": total, "commands": figures}
    path = write_result("benchmarks", "kills", values, parameters=vars(given), samples=total, seed=given.seed)
    print(path)


def commands(folder: Path) -> dict[str, Command]:
    """Every command that writes, by name, with what it reads below ``folder``."""
    settings = small_run(folder / "given")
    people, base = Path(settings.data), settings.base
    photographs, prompts = folder / "given" / "photographs", folder / "given" / "prompts.txt"
    sys.path.insert(0, str(ROOT / "tests" / "annotation"))
    from damaged import photograph

    photographs.mkdir()
    for index in range(4):
        photograph().crop((index, index, 512, 600)).resize((256, 300)).save(photographs / f"{index}.png")
    prompts.write_text("".join(f"person {index}\n" for index in range(4)))

    def training(home: Path) -> list[str]:
        path = home.with_suffix(".yaml")
        path.write_text(settings.changed(output="run").to_yaml())
        return ["train", "lora", str(path)]

    def own(*words: object) -> Callable[[Path], list[str]]:
        return lambda home: [str(word) for word in words]

    detected = ["--scales", "1", "--duplicate-distance", "-1", "--caption", "a person", "--min-side", "200"]
    return {
        "train": Command(training),
        "annotate": Command(own("annotate", photographs, "out", *detected)),
        "humans": Command(own("humans", "out", "--count", 6, "--size", 64)),
        "sample": Command(own("sample", prompts, "out", "--base", base, "--steps", 4, "--batch", 1)),
        "evaluate": Command(
            own("evaluate", photographs, "--reference", photographs, "--out", "found.json", "--workers", 1,
                "--cache", "cache"),
            ends=(0, 1),
        ),
        "import": Command(own("import", people, "out", "--layout", "boxes")),
        "refresh": Command(own("refresh", "00_first"), checkout),
        "workflow": Command(own("snakemake"), checkout),
    }  # fmt: skip


def small_run(folder: Path, **changes: object) -> TrainSettings:
    """Settings of a run of a second or two, with its data and its base below ``folder``."""
    from fairhuman.models import tiny_pipeline

    tiny_pipeline(seed=0).save_pretrained(folder / "base")
    write_people(folder / "people", 6)
    values = {
        "data": str(folder / "people"), "heldout": str(folder / "people"), "base": str(folder / "base"),
        "output": "run", "resolution": 64, "batch_size": 2, "rank": 4, "flip": 0.5, "steps": 40,
        "learning_rate": 1e-3, "checkpoint_every": 2, "heldout_every": 5, "heldout_draws": 1,
    }  # fmt: skip
    return TrainSettings(**values | changes)


def write_people(folder: Path, count: int) -> None:
    """Random images of 64², each with a box for a face and one for a hand."""
    lines, chance = [], np.random.default_rng(0)
    for index in range(count):
        grids = {"images": chance.integers(0, 256, (64, 64, 3), dtype=np.uint8)}
        boxes = {}
        for name in ("face", "hand"):
            top, left = (int(edge) for edge in chance.integers(0, 40, 2))
            grids[f"{name}_masks"] = np.zeros((64, 64), dtype=np.uint8)
            grids[f"{name}_masks"][top : top + 20, left : left + 20] = 255
            boxes[f"{name}_boxes"] = [[left, top, left + 20, top + 20]]
        for name, grid in grids.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(grid).save(folder / name / f"{index}.png")
        masks = {f"{name}_mask_file_name": f"{name}_masks/{index}.png" for name in ("face", "hand")}
        lines.append({"file_name": f"images/{index}.png", "text": f"person {index}"} | masks | boxes)
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


NOTEBOOK = """
import time
from fairhuman.profiles import figures_directory
from fairhuman.results import write_result
figures_directory().mkdir(parents=True, exist_ok=True)
for row in range(4):
    (figures_directory() / f"{row}.txt").write_text(f"{row}\\n" * 10_000)
    time.sleep(0.2)
write_result(profile, "first", {"rows": list(range(2_000))}, parameters={}, samples=1, seed=0)
"""


def checkout(home: Path) -> None:
    """One notebook that draws and writes a result, with an earlier result and figure of it."""
    import nbformat

    for name in ("params", "notebooks", "results/quick", "figures"):
        (home / name).mkdir(parents=True)
    (home / "params" / "quick.yaml").write_text("notebooks: {}")
    cell = functools.partial(nbformat.v4.new_code_cell, id="cell")
    cells = [cell('profile = "quick"', metadata={"tags": ["parameters"]}), cell(NOTEBOOK, id="more")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata=kernel), home / "notebooks" / "00_first.ipynb"
    )
    (home / "results" / "quick" / "first.json").write_text("{}\n")
    (home / "figures" / "0.txt").write_text("earlier\n")


def survive(command: Command, folder: Path, kills: int, seed: int = 0) -> dict[str, Any]:
    """Kill and start again until there were ``kills`` kills and the last one has ended.

    Returns:
        ``kills``; ``runs`` (that ended after kills); ``files`` (compared, each run); ``longest`` (seconds of
        a run at a stretch, up to which the moments of the kills are drawn).

    Raises:
        AssertionError: A file is half-written, or a run ended with something else than the whole one.
        RuntimeError: A run failed.
    """
    # Children are forked from a server that has the libraries loaded but has run nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fairhuman.__main__", "fairhuman.models", "fairhuman.training._loop"])
    chance, whole, cut = random.Random(seed), folder / "whole", folder / "cut"
    begun = 0.0
    for home in (folder / "first", whole):  # the first also starts the server and fills caches
        command.begin(home)
        begun = time.perf_counter()
        _attempt(context, command, home, None)
    longest = time.perf_counter() - begun
    expected = contents(whole)
    done, runs = 0, 0
    while done < kills:
        command.begin(cut)
        finished = False
        while not finished:
            # Short enough that a run is killed several times before it gets to its end.
            finished = _attempt(context, command, cut, chance.uniform(0, longest) if done < kills else None)
            done += not finished
            assert not (broken := half_written(cut)), broken
        found, runs = contents(cut), runs + 1
        differing = [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
        assert not differing, (sorted(differing), cut)
        shutil.rmtree(cut)
    return {"kills": done, "runs": runs, "files": len(expected), "longest": round(longest, 1)}


def _attempt(
    context: multiprocessing.context.BaseContext, command: Command, home: Path, delay: float | None
) -> bool:
    """Whether the command ended within ``delay`` seconds; otherwise it was killed, its children with it."""
    process = context.Process(target=_call, args=(command.words(home), home))
    process.start()
    process.join(delay)
    if process.is_alive():
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it leads no group yet
            process.kill()
        process.join()
    if process.exitcode not in (*command.ends, -9):
        said = home.with_suffix(".said").read_text()[-2000:]
        raise RuntimeError(f"{command.words(home)} ended with exit status {process.exitcode}: {said}")
    return process.exitcode in command.ends


def _call(words: list[str], home: Path) -> None:
    os.setpgid(0, 0)
    said = os.open(home.with_suffix(".said"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(home)
    # Bits may depend on how work is split over threads.
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    if words == ["snakemake"]:
        call = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1"]
        os.execv(sys.executable, [*call, "--rerun-incomplete", "--nolock"])  # the lock is a killed master's
    import torch

    from fairhuman.__main__ import main as fairhuman

    torch.set_num_threads(1)
    sys.argv = ["fairhuman", *words]
    fairhuman()


def _files(home: Path) -> dict[str, Path]:
    found = {path.relative_to(home): path for path in sorted(home.rglob("*")) if path.is_file()}
    return {str(name): path for name, path in found.items() if not NOT_OURS & set(name.parts)}


def contents(home: Path) -> dict[str, Any]:
    """Every file's content, but for times and the folder's own name."""
    found = {}
    for name, path in _files(home).items():
        data = path.read_bytes().replace(str(home).encode(), b"HOME")
        if path.suffix in (".json", ".ipynb"):
            found[name] = _timeless(json.loads(data))
        elif path.suffix == ".safetensors":
            found[name] = _weights(path)
        elif path.suffix == ".jsonl":
            found[name] = [_timeless(json.loads(line)) for line in data.splitlines()]
        elif path.suffix != ".log":
            found[name] = data
    return found


def _weights(path: Path) -> dict[str, Any]:
    """Every tensor's bits; of a checkpoint also its state, but for the seconds that it took."""
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118 - no mapping
        state = _timeless(json.loads((file.metadata() or {}).get("state", "null")))
    return tensors | {"state": state}


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in TIMES}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def half_written(home: Path) -> list[str]:
    """Files under a final name that cannot be read to their end."""
    broken = []
    for name, path in _files(home).items():
        if re.search(r"\.partial(/|$)", name) or ".drawn/" in name or name.endswith(".unfinished.ipynb"):
            continue
        try:
            _read(path)
        except Exception as error:  # whatever a reader says of a part of a file
            broken.append(f"{name}: {error!r}")
    return broken


def _read(path: Path) -> None:
    if path.suffix in (".png", ".jpg"):
        with Image.open(path) as image:
            image.load()
    elif path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                file.get_tensor(name)
    elif path.suffix in (".json", ".ipynb"):
        json.loads(path.read_bytes())
    elif path.suffix == ".jsonl":
        lines = path.read_bytes().split(b"\n")
        assert path.name in APPENDED or not lines[-1], "a line is cut short"
        for line in lines[:-1]:
            json.loads(line)
    elif path.suffix == ".yaml":
        yaml.safe_load(path.read_bytes())
    elif path.parent.name == "figures":
        assert path.stat().st_size in (8, 20_000), path.stat().st_size


if __name__ == "__main__":
    main()
