"""What large data sets cost: starting a training, a step with latents on disk, an evaluation, duplicates.

    python benchmarks/scale.py [--counts 1000 10000 50000] [--lines 1000000] [--repeats 9]

Writes ``results/benchmarks/scale.json``. Images are tiny (16², three files each), so what is measured is the
bookkeeping: decoding real ones comes on top, once, at the cold start. Every figure is of a fresh process with
one thread: CPU seconds, and the most memory it held, with and without that of the imported libraries. Of the
large index only the lines are there, over the files of 1 000 images, and its stamp is written, not verified.
The evaluation has stand-ins for detectors and features (64 numbers an image) and few resamples; its
bookkeeping, its crops and its distances are the real ones.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE, KINDS, FEATURES, RESAMPLES, REFERENCE = 16, 16, 64, 99, 2000
FOLDERS = ("images", "face_masks", "hand_masks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 50_000])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--base", default="embedded", help='"tiny" for a trial')
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", help="what a child process measures, as JSON")
    given = parser.parse_args()
    if given.part:
        name, *arguments = json.loads(given.part)
        print(json.dumps(PARTS[name](*arguments)))
        return
    from fairhuman.results import write_result

    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(Path(temporary), given)
    shown = {name: value for name, value in vars(given).items() if name != "part"}
    path = write_result(
        "benchmarks", "scale", figures, parameters=shown, samples=max(given.counts), seed=given.seed
    )
    print(f"{path}:\n{json.dumps(figures, indent=1)}")


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    os.environ["FAIRHUMAN_CACHE"] = str(folder / "cache")
    starts = []
    for count in given.counts:
        data = folder / f"people-{count}"
        write_people(data, count, given.seed)
        time.sleep(2.5)  # files that changed just now would be read again
        starts.append({"images": count, **{way: child("start", str(data)) for way in ("cold", "warm")}})
    largest = folder / f"people-{max(given.counts)}"
    lines = child("listing", str(folder), given.lines, given.seed)
    return {
        "start": starts,
        "index": {"lines": given.lines, "megabytes": lines, **child("start", str(folder / "lines"))},
        "step": child("steps", str(folder / "step"), given.base, given.repeats, given.seed),
        "evaluation": {
            "images": max(given.counts),
            **child("evaluation", str(largest), str(folder / "cache"), given.seed),
        },
        "duplicates": [
            {"images": n, **child("duplicates", n, given.seed)} for n in (*given.counts, given.lines)
        ],
    }


def child(name: str, *arguments: Any) -> Any:
    """What a part gives in a fresh process, whose memory tells nothing of other parts."""
    command = [sys.executable, __file__, "--part", json.dumps([name, *arguments])]
    single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **single}
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return json.loads(found.splitlines()[-1])


def cost(work: Callable[[], object]) -> dict[str, float]:
    """CPU seconds, and megabytes held at most: in all, and beyond what was held before."""
    before, start, clock = peak(), time.process_time(), time.perf_counter()
    work()
    seconds = {"cpu_seconds": time.process_time() - start, "seconds": time.perf_counter() - clock}
    return seconds | {"peak_megabytes": peak(), "added_megabytes": peak() - before}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def entry(index: int, file: int, width: int = SIDE) -> str:
    names = [f"{folder}/{file // 1000:03d}/{file:06d}.png" for folder in FOLDERS]
    keys = ("file_name", "face_mask_file_name", "hand_mask_file_name")
    points = [[float(index % 97), float(point), 2.0] for point in range(17)]
    return json.dumps(
        dict(zip(keys, names, strict=True))
        | {"text": f"person {index}", "keypoints": points, "width": width, "height": width}
    )


def write_people(folder: Path, count: int, seed: int) -> None:
    """Images of noise with two square masks, of a few kinds: only their number matters."""
    random = np.random.default_rng(seed)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[2:6, 2:6] = 255
    pictures = [random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(KINDS)]
    contents = [[png(picture), png(mask), png(mask.T[::-1])] for picture in pictures]
    for index in range(count):
        for name, content in zip(FOLDERS, contents[index % KINDS], strict=True):
            path = folder / name / f"{index // 1000:03d}" / f"{index:06d}.png"
            if index % 1000 == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(content)
    (folder / "metadata.jsonl").write_text("".join(f"{entry(i, i)}\n" for i in range(count)))


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def start(folder: str) -> dict[str, float]:
    """What a training does with its data before it loads the base."""
    from fairhuman.data import HumanFolder, JointTransform
    from fairhuman.training._inputs import fingerprint_data
    from fairhuman.training._suitability import check_suitability

    def work() -> None:
        data = HumanFolder(folder)
        fingerprint_data(data)
        check_suitability(data, JointTransform(SIDE))

    return cost(work)


def listing(folder: str, lines: int, seed: int) -> float:
    """A listing of many lines, and the stamp that verifying them would leave; its megabytes."""
    from fairhuman.data import _index
    from fairhuman.data._check import Facts
    from fairhuman.files import file_state

    root = Path(folder) / "lines"
    files = min(lines, 1000)
    write_people(root, files, seed)
    path = root / "metadata.jsonl"
    with path.open("w") as file:
        file.writelines(f"{entry(index, index % files)}\n" for index in range(lines))
    time.sleep(2.5)
    index = _index._scan(path, len(FOLDERS))
    nothing = [float("nan")] * 3
    nowhere = [(float("nan"), float("nan"))] * 3
    for file in range(files):
        names = [f"{name}/{file // 1000:03d}/{file:06d}.png" for name in FOLDERS]
        states = [file_state(root / name) for name in names]
        facts = Facts((SIDE, SIDE), 1, names, states, [""] * 3, [False, True, True], nothing, nowhere)
        index.put(file, facts)
    again = np.arange(lines) % files
    for name in ("size", "repeats", "bytes", "changed", "present", "central", "half"):
        index.rows[name] = index.rows[name][again]
    index.names = [index.names[file] for file in again]
    stamp = _index.stamp_of(path, ("face", "hand"), ())
    stamp.parent.mkdir(parents=True, exist_ok=True)
    _index._save(index, stamp)
    return path.stat().st_size / 1e6


def steps(folder: str, base: str, repeats: int, seed: int) -> dict[str, Any]:
    """A step with latents on disk over one with latents in memory, in turns on the same images."""
    from fairhuman.data import HumanFolder
    from fairhuman.models import tiny_pipeline
    from fairhuman.training import Run, TrainSettings
    from fairhuman.training._loop import Trainer

    root, place = Path(folder), None
    write_people(root / "data", 4, seed)
    if base == "tiny":
        place = str(root / "base")
        tiny_pipeline(seed=seed).save_pretrained(place)
    trainers = {}
    for name, kept in (("memory", None), ("disk", str(root / "kept"))):
        settings = TrainSettings(
            data=str(root / "data"), output=str(root / name), base=place, cache_folder=kept,
            resolution=64 if base == "tiny" else 256, steps=1 + repeats, seed=seed,
        )  # fmt: skip
        data = HumanFolder(settings.data)
        trainers[name] = Trainer(Run(Path(settings.output), settings), data)
        trainers[name].advance()  # an epoch: all is encoded now
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for repeat in range(repeats):
        for name in list(trainers)[:: 1 if repeat % 2 else -1]:
            begun = time.process_time()
            trainers[name].advance()
            seconds[name].append(time.process_time() - begun)
    low, middle, high = np.quantile(np.divide(seconds["disk"], seconds["memory"]), [0.25, 0.5, 0.75])
    return {
        "cpu_seconds": {name: float(np.median(values)) for name, values in seconds.items()},
        "disk_over_memory": {"median": middle, "quartile_1": low, "quartile_3": high},
    }


def evaluation(folder: str, cache: str, seed: int) -> dict[str, float]:
    """Detection rows and distances of a whole data set's images, with stand-ins for the networks."""
    from fairhuman.detectors import Detection, Face, Hand
    from fairhuman.evaluation import distances, statistics
    from fairhuman.evaluation.evaluate import EvaluateSettings, ImageSets, _evaluate, evaluate_images
    from fairhuman.evaluation.intake import inspect_images
    from fairhuman.evaluation.reader import AttributeReader

    class Reader(AttributeReader):
        def features(self, images, view="whole", batch=64):
            random = np.random.default_rng(len(images))
            return random.normal(size=(len(images), FEATURES)).astype(np.float32)

    def detect(paths, **options):
        random = np.random.default_rng(seed)
        box, small = (1.0, 1.0, 14.0, 14.0), (1.0, 1.0, 9.0, 9.0)  # too small to be cut out
        return [
            Detection(
                SIDE, SIDE, (Face(random.uniform(0.5, 1), box, np.ones((6, 2))),), (),
                (Hand(random.uniform(0.5, 1), "left", small, np.ones((21, 3))),) * random.integers(3),
            )
            for _ in paths
        ]  # fmt: skip

    _evaluate.detect, _evaluate.AttributeReader = detect, Reader
    statistics._RESAMPLES = distances._RESAMPLES = RESAMPLES
    settings = EvaluateSettings(groups=("detection", "distance"), cache=cache, progress=False, seed=seed)
    paths = sorted((Path(folder) / "images").rglob("*.png"))

    def work() -> None:
        intake = inspect_images(paths)
        places = list(range(len(intake.images)))
        sets = ImageSets({"one": intake.images}, None, {"one": places}, {"one": intake}, paired=False)
        evaluate_images(sets, reference=paths[:REFERENCE], settings=settings)

    return cost(work)


def duplicates(count: int, seed: int) -> dict[str, float]:
    """Duplicates among so many hashes, a tenth of which are of altered copies."""
    from fairhuman.data.store import find_duplicates

    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**63, count, dtype=np.uint64)
    copies = random.integers(0, count, max(1, count // 10))
    hashes[: len(copies)] = hashes[copies] ^ np.uint64(5)
    return cost(lambda: find_duplicates(hashes.tolist(), 4))


PARTS = {part.__name__: part for part in (start, listing, steps, evaluation, duplicates)}

if __name__ == "__main__":
    main()
