"""Is the annotation of rendered people right, by detectors that know nothing of it?

    python benchmarks/annotations.py --count 500 --preset studio --workers 2

Renders a fresh data set, looks for faces and hands with MediaPipe, prints the shares of
`fairhuman.experiments.annotations.CHECKS` as JSON and writes results/benchmarks/annotations-PRESET.json.
"""

import argparse
import json
import tempfile
from pathlib import Path

from fairhuman.data import HumanFolder
from fairhuman.detectors import detect
from fairhuman.experiments.annotations import BOX_COLUMNS, CHECKS, judge_annotations, summarise_annotations
from fairhuman.humans import generate
from fairhuman.results import write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="studio")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder to render into and keep")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        out = given.keep or Path(temporary) / "humans"
        generate(out, given.count, given.seed, given.size, given.preset, given.workers)
        folder = HumanFolder(out, regions=("face", "hand"), conditions=("depth",))
        found = detect([record.image for record in folder.records], workers=given.workers)
        judged = judge_annotations(folder, found)
    found_boxes = judged.loc[judged.face_expected & judged.face_found, list(BOX_COLUMNS)]
    figures = {
        **{
            name: share.stored() | {"meaning": CHECKS[name]}
            for name, share in summarise_annotations(judged).items()
        },
        "face_boxes": found_boxes.quantile([0.05, 0.5, 0.95]).round(4).to_dict(),
    }
    parameters = {name: value for name, value in vars(given).items() if name != "keep"}
    name = f"annotations-{given.preset}"
    write_result("benchmarks", name, figures, parameters=parameters, samples=given.count, seed=given.seed)
    print(json.dumps({"parameters": parameters, "values": figures}, indent=1))


if __name__ == "__main__":
    main()
