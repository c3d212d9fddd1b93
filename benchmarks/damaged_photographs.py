"""A folder of 2 000 files, 5 % of them damaged or odd in ten ways: annotated at a stretch, and killed twice.

    python benchmarks/damaged_photographs.py

The good files are crops of the photograph that Matplotlib ships. Checked: every good file is annotated, every
bad one listed with its reason, the exit status is the documented 1, two kills change no byte of the result;
what does not hold is named and the script's exit status is 1. Measured: the largest resident memory up to
the end, lists and contact sheet with it, and up to a tenth of the files; of several processes the sum. Writes
results/benchmarks/damaged_photographs.json.
"""

import argparse
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from fairhuman.results import write_result

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "annotation"))
from damaged import FILTERED, ODD, UNREADABLE, heed_permissions, make_odd, photograph  # noqa: E402

OPTIONS = ["--min-side", "200", "--max-pixels", "1000000", "--scales", "1", "--duplicate-distance", "-1",
           "--caption", "a person"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        good, bad = make_files(work / "in", given.count)
        start = time.perf_counter()
        status, memory = finish(launch(work, "whole", given.workers), work / "whole")
        seconds = time.perf_counter() - start
        killed_at = []
        for share in (0.3, 0.6):
            process = launch(work, "killed", given.workers)
            while done(work / "killed") < share * given.count:
                assert process.poll() is None, "the run ended before it was killed"
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed_at.append(done(work / "killed"))
        status_resumed, _ = finish(launch(work, "killed", given.workers), work / "killed")
        kept = {entry["original"] for entry in lines(work / "whole/metadata.jsonl")}
        rejected = {entry["original"]: entry["reason"] for entry in lines(work / "whole/rejected.jsonl")}
        figures = {
            "files": len(good) + len(bad),
            "good": len(good),
            "good_annotated": len(kept & good),
            "annotated": len(kept),
            "bad": len(bad),
            "bad_listed_with_reason": sum(why in rejected.get(name, "") for name, why in bad.items()),
            "listed": len(rejected),
            "exit_status": status,
            "exit_status_resumed": status_resumed,
            "killed_after_files": killed_at,
            "same_after_two_kills": digest(work / "whole") == digest(work / "killed"),
            "megabytes_to_a_tenth": max(most for count, most in memory if count <= 0.1 * given.count),
            "megabytes_most": max(most for _, most in memory),
            "seconds": seconds,
        }
    write_result(
        "benchmarks", "damaged_photographs", figures, parameters=vars(given), samples=given.count, seed=0
    )
    print(json.dumps(figures, indent=1))
    if wrong := unmet(figures):
        raise SystemExit(f"not as demanded: {', '.join(wrong)}")


def unmet(figures: dict) -> list[str]:
    """What is checked and does not hold."""
    demands = {
        "good_annotated": figures["good"],
        "annotated": figures["good"],
        "bad_listed_with_reason": figures["bad"],
        "listed": figures["bad"],
        "exit_status": 1,
        "exit_status_resumed": 1,
        "same_after_two_kills": True,
    }
    return [name for name, value in demands.items() if figures[name] != value]


def make_files(root: Path, count: int) -> tuple[set[str], dict[str, str]]:
    """The folder; names of the files to be annotated, and of the others with a part of the reason."""
    root.mkdir()
    whole = photograph().resize((256, 300), Image.Resampling.LANCZOS)
    sets = max(1, round(0.05 * count / 12))  # twelve files show the ten ways
    good, bad = set(), {}
    for index in range(sets):
        folder = root / f"odd {index:02d}"
        folder.mkdir()
        make_odd(folder, whole)
        good |= {f"{folder.name}/{name}" for name in ODD}
        reasons = UNREADABLE | {"moving.gif": FILTERED["moving.gif"]}
        bad |= {f"{folder.name}/{name}": reason for name, reason in reasons.items()}
    for index in range(count - len(good) - len(bad)):
        folder = root / f"{index // 500:02d}"
        folder.mkdir(exist_ok=True)
        left, top = index % 40, index // 40 % 50
        name = f"{folder.name}/{index:04d}.jpg"
        whole.crop((left, top, left + 216, top + 250)).save(root / name, quality=90)
        good.add(name)
    return good, bad


def launch(work: Path, out: str, workers: int) -> subprocess.Popen:
    words = [sys.executable, "-m", "fairhuman", "annotate", str(work / "in"), str(work / out), *OPTIONS]
    return subprocess.Popen(
        [*words, "--workers", str(workers)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=heed_permissions,
    )  # fmt: skip


def finish(process: subprocess.Popen, out: Path) -> tuple[int, list[tuple[int, float]]]:
    """Waits for the end; exit status, and over time the files done and the most megabytes resident so far."""
    memory, count = [], 0
    while process.poll() is None:
        count = max(count, done(out))  # the journal goes when the lists are written
        memory.append((count, resident(process.pid)))
        time.sleep(0.2)
    return process.returncode, memory


def resident(pid: int) -> float:
    """The most megabytes that a process and its children have had resident so far."""
    process = Path(f"/proc/{pid}")
    try:
        status = (process / "status").read_text().splitlines()
        children = (process / f"task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = next((float(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")), 0.0)
    return own + sum(map(resident, map(int, children)))


def done(out: Path) -> int:
    try:
        return (out / "journal.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def digest(folder: Path) -> dict[str, str]:
    """Path to hash, of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


if __name__ == "__main__":
    main()
