"""Table 1 in miniature: the six systems on one base, by every offline metric, with intervals.

    python benchmarks/table1.py RUNS HELDOUT REFERENCE [--prompts 256] [--only NAME …]

RUNS holds a folder for each trained system of fairhuman.experiments.systems.SYSTEMS, named by its ``run``;
an absent one is left out and named. HELDOUT is an annotated data set whose captions are the prompts
and whose poses and depths the controlled systems follow; REFERENCE is the training set that distances are
measured from. Each system is sampled at all of its β and averaged prompt by prompt. Writes
results/benchmarks/<name>.json: ``systems`` (title, β, how trained), ``rows``, ``differences`` (every system
against its ``reference``, base or ControlNet-SDXL, and the paper's against their rivals), ``absent``. Samples
are kept in RUNS/samples and taken up again: several processes, each with --only some systems, share the work,
and a last one without it judges.
"""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairhuman.data import HumanFolder
from fairhuman.evaluation import fingerprint
from fairhuman.evaluation.reader import AttributeReader
from fairhuman.experiments.systems import (
    NEGATIVE_PROMPT,
    PROMPT_SUFFIX,
    SYSTEMS,
    load_system,
    with_suffix,
)
from fairhuman.experiments.table1 import judge_system, system_differences, system_rows
from fairhuman.images import as_rgb
from fairhuman.models import load_base
from fairhuman.results import write_result
from fairhuman.sampling import sample_with
from fairhuman.training import Run

REFERENCES = ("base", "controlnet-default")
"""What systems without and with conditions are compared with."""
RIVALS = [("mole", "lora-mpd"), ("controlnet-union", "controlnet-mpd")]
"""The paper's method and its rivals."""


def main() -> None:
    given = _arguments()
    runs, data = Path(given.runs), HumanFolder(given.heldout, conditions=("pose", "depth"))
    records = data.records[: given.prompts]
    captions = [record.text for record in records]
    prompts = with_suffix(captions, PROMPT_SUFFIX if given.suffix else "")
    reader, pipeline = AttributeReader.load(), load_base(given.base, device=given.device)
    shown = HumanFolder(given.reference).records[: given.prompts]
    reference = reader.features([as_rgb(record.image) for record in shown])
    looking = {"workers": given.workers, "cache": runs / "detections"}
    options = {
        "seeds": [given.seed],
        "steps": given.steps,
        "guidance": given.guidance,
        "negative_prompt": NEGATIVE_PROMPT if given.negative else None,
        "precision": given.precision,
    }
    judged, systems, absent = {}, {}, []
    for name, system in SYSTEMS.items():
        if given.only and name not in given.only:
            continue
        weights = None if system.run is None else runs / system.run
        if weights is not None and not weights.is_dir():
            absent.append(name)
            continue
        adapter = load_system(name, pipeline, weights)
        mark = fingerprint(pipeline, prompts, options, name, adapter=adapter)
        images = []
        for scale in system.scales:
            out = runs / "samples" / f"{name}-{mark}-{scale:g}"
            made = sample_with(
                pipeline, adapter, prompts, out, scale=scale, asked=data, batch=given.batch, **options
            )
            images.append([one.path for one in made])
        if adapter is not None:
            adapter.remove()
        if given.only:
            continue
        judged[name] = judge_system(images, records, reader, **looking)
        systems[name] = {
            "title": system.title,
            "scales": system.scales,
            "reference": None if name in REFERENCES else REFERENCES[system.controlled],
            "paper": system.paper,
            "trained": weights and _trained(weights),
        }
    if given.only:
        return
    judged["renders"] = judge_system([[record.image for record in records]], records, reader, **looking)
    systems["renders"] = {"title": "renders", "scales": [], "reference": None, "paper": {}}
    rows = [{"system": name} | row for name, seen in judged.items() for row in system_rows(seen, reference)]
    pairs = [(system["reference"], name) for name, system in systems.items()] + RIVALS
    pairs = [pair for pair in pairs if set(pair) <= set(judged)]
    differences = system_differences(judged, pairs, reference)
    values = {"systems": systems, "rows": rows, "differences": differences, "absent": absent}
    for row in rows:
        print(
            f"{row['system']:20} {row['metric']:28} {row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"
        )
    print("absent:", ", ".join(absent) or "none")
    parameters = {
        key: value for key, value in vars(given).items() if key not in ("runs", "heldout", "reference")
    }
    path = write_result(
        "benchmarks", given.name, values, parameters=parameters, samples=len(records), seed=given.seed
    )
    print(path)


def _trained(weights: Path) -> dict[str, Any] | None:
    """How the adapter in a run's folder was trained; None of a folder without settings."""
    with suppress(FileNotFoundError):
        facts = Run.open(weights).settings.facts
        return {name: value for name, value in facts.items() if name != "base"}
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", help="folder of the trained systems")
    parser.add_argument("heldout", help="annotated data set: captions, poses, depths")
    parser.add_argument("reference", help="annotated data set that distances are measured from")
    parser.add_argument("--base", help="base pipeline; by default the embedded one")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--suffix", action="store_true", help="append the paper's suffix to every prompt")
    parser.add_argument("--negative", action="store_true", help="give a negative prompt")
    parser.add_argument("--precision", default="no", help="no, or bf16: half the time on some processors")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), help="sample these, judge nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="table1", help="name of the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
