"""A gate is reached or missed by its value, and supported only as far as the samples go."""

import numpy as np
import pandas as pd
import pytest

from fairhuman.evaluation.anatomy import Anatomy
from fairhuman.experiments.base import base_gates
from fairhuman.experiments.figures import base_progress_figure

AREAS = (0.005, 0.02, 0.2)


def anatomy(rates, count=60, seed=0):
    """Images whose face and hand are found at a rate for each area, from small to large."""
    random = np.random.default_rng(seed)
    rows = []
    for image in range(3 * count):
        area, share = AREAS[image % 3], rates[image % 3]
        for kind in ("face", "hand"):
            hit = bool(random.random() < share)
            rows.append(
                {"image": image, "region": kind, "kind": kind, "framing": "upper body", "area": area,
                 "placed": "found", "whole": hit, "crop": hit, "second": hit, "shape": hit}
            )  # fmt: skip
    images = pd.DataFrame(
        {"image": range(3 * count), "framing": "upper body", "hands_asked": 1, "hands_found": 1,
         "gesture": None, "hand": None, "fingers": None}
    )  # fmt: skip
    return Anatomy(pd.DataFrame(rows), images)


def verdicts(renders, samples, agreement=()):
    gates = base_gates(renders, samples, agreement)
    return {gate["gate"]: (gate["reached"], gate["supported"]) for gate in gates}


def test_all_found_is_not_proof_of_all():
    """Of sixty of sixty, 95 % of what renders show is no more than likely."""
    renders = anatomy((1.0, 1.0, 1.0))
    assert verdicts(renders, renders)["face on crop, ≥ 4 %, against renders"] == (True, None)


def test_a_good_base_reaches_and_a_bad_one_misses():
    renders = anatomy((0.95, 0.99, 1.0))
    good, bad = (
        verdicts(renders, anatomy((0.1, 0.99, 1.0))),
        verdicts(renders, anatomy((0.1, 0.1, 0.1), seed=1)),
    )
    assert {reached for reached, _ in good.values()} == {True}
    assert good["face on crop, 1–4 %, against renders"] == (True, True)
    missed = {name for name, verdict in bad.items() if verdict == (False, False)}
    assert {"face on crop, ≥ 4 %, against renders", "hand on crop, 1–4 %, against renders"} < missed
    assert "close-up faces shaped as renders" in missed
    assert good["face on crop, fall with area beyond the renders'"] == (True, True)
    assert not bad["face on crop, fall with area beyond the renders'"][0]


def test_few_samples_leave_a_gate_open():
    renders = anatomy((1.0, 1.0, 1.0), count=12)
    found = verdicts(renders, anatomy((0.8, 0.8, 0.92), count=12, seed=3))
    assert found["face on crop, ≥ 4 %, against renders"][1] is None


def test_every_pose_has_a_gate_and_the_mean_of_poses_has_none():
    row = {"system": "samples", "attribute": "pose", "interval": "wilson", "n": 40}
    rows = [
        row | {"asked": "all", "value": 0.9, "low": 0.85, "high": 0.95},
        row | {"asked": "waving", "value": 0.3, "low": 0.2, "high": 0.4},
        row | {"asked": "standing", "value": 0.9, "low": 0.79, "high": 0.95},
        row | {"asked": "waving", "value": 1.0, "low": 0.9, "high": 1.0, "system": "renders"},
    ]
    renders = anatomy((1.0, 1.0, 1.0))
    found = verdicts(renders, renders, rows)
    poses = {name: verdict for name, verdict in found.items() if name.startswith("pose")}
    assert poses == {
        "pose: waving as the caption says": (False, False),
        "pose: standing as the caption says": (True, None),
    }


def row(system, detector, value):
    return {"system": system, "detector": detector, "area": "all", "metric": "rate", "value": value,
            "low": value - 0.1, "high": min(1.0, value + 0.1), "n": 50}  # fmt: skip


def judgement(seen, face):
    whole = [row(s, d, v) for s, v in (("renders", 1.0), ("samples", face)) for d in ("face", "hand")]
    crops = [
        {"measure": f"{one['detector']} on crop", "by": "all", "group": "all"}
        | one
        | {"value": one["value"] / 2}
        for one in whole
    ]
    return {"images_seen": seen, "detection": whole, "anatomy": crops}


def test_the_curve_joins_both_recipes(workspace):
    old = {
        "renders": [row("renders", d, 1.0) for d in ("face", "hand")],
        "detection": [row("samples", d, 0.3) | {"images_seen": 22400} for d in ("face", "hand")],
    }
    figure, data = base_progress_figure([old, judgement(200_000, 0.6), judgement(100_000, 0.4)])
    crops = data[(data.measure == "crop") & (data.detector == "face") & (data.system == "samples")]
    assert crops.sort_values("images_seen").value.tolist() == [0.2, 0.3]
    assert set(data.recipe) == {"earlier", "present"}
    lines = figure.axes[0].get_legend_handles_labels()[1]
    assert len(lines) == 3
    finished = judgement(1, 0.5)
    del finished["images_seen"]
    with pytest.raises(ValueError, match="images_seen"):
        base_progress_figure([finished])
