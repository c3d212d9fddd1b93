"""Depths agree up to scale and shift of their inverse, in order without any fit, and only where asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from depth_models import write_depth_model
from people import write_folder, write_metadata
from PIL import Image
from scipy.stats import spearmanr

from fairhuman.evaluation import estimate_depths, judge_depths, load_depth_model, summarise_depths
from fairhuman.evaluation.depth_alignment import explain_depths, read_depth
from fairhuman.evaluation.evaluate import EvaluateSettings, evaluate_folders

ROWS, COLUMNS = np.mgrid[:40, :30]
# A slope from 1 m to 5 m, with nobody at its edge.
DEPTH = np.where((COLUMNS > 2) & (COLUMNS < 27), 1000 + 100 * ROWS + COLUMNS, 0).astype(np.uint16)
SHOWN = DEPTH > 0
NEAR = np.divide(1.0, DEPTH, where=SHOWN, out=np.zeros(DEPTH.shape))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return str(write_depth_model(tmp_path_factory.mktemp("model")))


def judge(asked, found):
    return judge_depths([asked], [found]).iloc[0]


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (3e4, -7), (1e3, 20)])
def test_scale_and_shift_of_inverse_depth_cost_nothing(scale, shift):
    row = judge(DEPTH, scale * NEAR + shift)
    assert row.error < 1e-6 and row.delta == 1 and row["rank"] == pytest.approx(1)
    assert row.pixels == SHOWN.sum() and row.coverage == SHOWN.mean() and not row.problem
    flat = 1 / NEAR[SHOWN].mean()
    assert row.flat_error == pytest.approx(np.mean(abs(flat / DEPTH[SHOWN] - 1)))


def test_another_order_preserving_map_costs_error_but_not_rank():
    rows = judge_depths([DEPTH] * 4, [NEAR**power for power in (1, 2, 4, 8)])
    assert rows["rank"].tolist() == pytest.approx([1] * 4)
    assert (np.diff(rows.error) > 0.01).all() and (np.diff(rows.delta) < 0).all()


def test_near_for_far_is_not_turned_round():
    row = judge(DEPTH, -NEAR)
    assert row["rank"] == pytest.approx(-1) and row.error == pytest.approx(row.flat_error)


@pytest.mark.parametrize("noise", [0.1, 1.0, 4.0])
def test_values_are_those_of_numpy_and_scipy(noise):
    found = NEAR / NEAR.std() + np.random.default_rng(0).normal(0, noise, NEAR.shape)
    wanted, seen, depth = NEAR[SHOWN], found[SHOWN], DEPTH[SHOWN].astype(float)
    (scale, shift), *_ = np.linalg.lstsq(np.column_stack([seen, np.ones(seen.size)]), wanted, rcond=None)
    assert scale > 0
    fitted = scale * seen + shift
    # A fitted depth ends at twice the greatest. Little noise does not reach that; much leaves a small scale.
    assert (noise == 1) == bool((fitted < 0.5 / depth.max()).any())
    fitted = 1 / fitted.clip(min=0.5 / depth.max())
    row = judge(DEPTH, found)
    assert row.error == pytest.approx(np.mean(abs(fitted - depth) / depth))
    assert row.delta == pytest.approx(np.mean((fitted / depth < 1.25) & (depth / fitted < 1.25)))
    assert row["rank"] == pytest.approx(spearmanr(seen, -depth).statistic)


def test_only_pixels_of_known_depth_count():
    found = NEAR**2
    reference = judge(DEPTH, found)
    wild = np.where(SHOWN, found, np.random.default_rng(0).choice([np.nan, np.inf, 5], found.shape))
    assert judge(DEPTH, wild).equals(reference)
    for far in (65_535, np.inf, np.nan):  # a background without a known distance
        assert judge(np.where(SHOWN, DEPTH, far), wild).equals(reference)
    half = np.where(ROWS < 20, DEPTH, 0)
    assert judge(half, np.where(ROWS < 20, NEAR, 9)).error < 1e-6 < judge(DEPTH, found).error


def test_what_cannot_be_compared_is_counted():
    few, level = np.zeros_like(DEPTH), np.full_like(DEPTH, 2000)
    few.flat[:99] = DEPTH[SHOWN][:99]
    asked = [few, level, DEPTH, DEPTH, DEPTH, DEPTH]
    constant = np.float32(0.3) * np.ones_like(NEAR) * (1 + 1e-7 * ROWS)
    judged = judge_depths(asked, [NEAR, NEAR, constant, np.where(ROWS > 5, NEAR, np.nan), NEAR, NEAR**2])
    values = judged[["error", "flat_error", "delta", "rank"]]
    assert values[:4].isna().all(axis=None) and values[4:].notna().all(axis=None)
    assert explain_depths(judged) == (
        "not compared: 1 × condition with depth at fewer than 100 pixels, 1 × condition of one depth, "
        "1 × constant estimate, 1 × estimate that is not finite"
    )
    summary = summarise_depths(judged)
    assert summary["depth_found"].value == 0.5 and summary["depth_found"].n == 4
    assert summary["error"].n == 2 and summary["error"].value == pytest.approx(judged.error[4:].mean())
    assert summarise_depths(judged[:2])["depth_found"].n == 0


def test_intervals_hold_their_means():
    rng = np.random.default_rng(0)
    judged = judge_depths([DEPTH] * 12, [NEAR + rng.normal(0, 1e-4, NEAR.shape) for _ in range(12)])
    summary = summarise_depths(judged)
    for name in ("error", "delta", "rank"):
        one = summary[name]
        assert one.n == 12 and one.value == pytest.approx(judged[name].mean())
        assert one.interval == "bca" and one.low < one.value < one.high
    assert summary["coverage"].value == pytest.approx(SHOWN.mean())


def test_estimates_are_the_networks_own(tmp_path, model_folder):
    pixels = np.random.default_rng(0).integers(0, 256, (70, 60, 3), dtype=np.uint8)
    (found,) = estimate_depths([pixels], load_depth_model(model_folder), progress=False)
    from transformers import DepthAnythingForDepthEstimation, DPTImageProcessor

    inputs = DPTImageProcessor.from_pretrained(model_folder)(images=pixels, return_tensors="pt")
    with torch.no_grad():
        raw = DepthAnythingForDepthEstimation.from_pretrained(model_folder)(**inputs).predicted_depth
    near = torch.nn.functional.interpolate(raw[None], size=(70, 60), mode="bicubic", align_corners=False)
    np.testing.assert_allclose(found, near[0, 0], rtol=1e-5)
    assert np.ptp(found) > 0.1 * found.mean()
    metric = load_depth_model(str(write_depth_model(tmp_path, "metric")))
    (found,) = estimate_depths([Image.fromarray(pixels)], metric, progress=False)
    assert np.ptp(found) > 0.05 * found.mean()
    assert np.allclose(1000 / found, metric(Image.fromarray(pixels)), atol=1)  # the model's own millimetres


def test_evaluation_says_what_the_metric_says(tmp_path, model_folder):
    entries = write_folder(tmp_path / "set", count=3, size=(64, 48))
    (tmp_path / "made").mkdir()
    for entry in entries:  # images of another size than what they follow
        image = Image.open(tmp_path / "set" / entry["file_name"]).resize((96, 128))
        image.save(tmp_path / "made" / entry["file_name"].rpartition("/")[2])
    settings = EvaluateSettings(groups=["depth"], posed=True, depth_model=model_folder, progress=False)
    found = evaluate_folders([tmp_path / "made"], asked=tmp_path / "set", settings=settings)
    paths = [tmp_path / "set" / entry["depth_file_name"] for entry in entries]
    asked = [np.array(Image.open(path)).repeat(2, 0).repeat(2, 1) for path in paths]
    images = sorted((tmp_path / "made").iterdir())
    estimated = estimate_depths(images, load_depth_model(model_folder), progress=False)
    wanted = summarise_depths(judge_depths(asked, estimated))
    rows = {row["metric"]: row for row in found["rows"]}
    assert {name: row["value"] for name, row in rows.items()} == {
        name: pytest.approx(one.value) for name, one in wanted.items()
    }
    assert rows["rank"]["n"] == 3 and {row["group"] for row in found["rows"]} == {"depth"}

    none = EvaluateSettings(groups=["depth"], posed=True, progress=False)
    absent = evaluate_folders([tmp_path / "made"], asked=tmp_path / "set", settings=none)["rows"]
    assert {row["metric"] for row in absent} == set(rows)
    assert all(row["n"] == 0 and row["note"].startswith("no depth model; name") for row in absent)

    for entry in entries:
        del entry["depth_file_name"]
    write_metadata(tmp_path / "set", entries)
    with pytest.raises(ValueError, match="line 1: 'depth_file_name' must name a file, got None"):
        evaluate_folders([tmp_path / "made"], asked=tmp_path / "set", settings=settings)
    with pytest.raises(ValueError, match="depth_model: needs asked"):
        evaluate_folders([tmp_path / "made"], settings=settings)
    with pytest.raises(ValueError, match="depth_model: needs posed images, got .* without posed"):
        EvaluateSettings(depth_model=model_folder)


def test_stored_depths_are_read_as_millimetres(tmp_path):
    grid = np.array([[0, 65_535], [1200, 3]], np.uint16)
    Image.fromarray(grid).save(tmp_path / "deep.png")
    assert (read_depth(tmp_path / "deep.png", (4, 6)) == grid.repeat(2, 0).repeat(3, 1)).all()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(ValueError, match="depth: must be 16-bit grey in millimetres, found mode 'L' in"):
        read_depth(tmp_path / "grey.png", (4, 4))
    Image.fromarray(np.random.default_rng(0).integers(0, 9999, (64, 64), np.uint16)).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    with pytest.raises(ValueError, match="depth: cannot read .*cut.png"):
        read_depth(tmp_path / "cut.png", (4, 4))


def test_maps_are_checked():
    with pytest.raises(ValueError, match="asked, found: must be of one length, got 1 found and more asked"):
        judge_depths([DEPTH] * 2, iter([NEAR]))
    with pytest.raises(ValueError, match=r"asked\[0\], found\[0\]: .* got \(40, 30\) and \(30, 40\)"):
        judge_depths([DEPTH], [NEAR.T])
    with pytest.raises(ValueError, match=r"asked\[1\]: must not be negative, got -1"):
        judge_depths([DEPTH, np.where(SHOWN, DEPTH, -1.0)], [NEAR] * 2)


def test_a_folder_must_hold_a_depth_model(tmp_path, model_folder):
    with pytest.raises(FileNotFoundError, match="depth_model: .*absent holds no config.json"):
        load_depth_model(str(tmp_path / "absent"))
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((Path(model_folder) / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="depth_model: .* must hold a depth estimator"):
        load_depth_model(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="depth_model: .* must hold a depth estimator"):
        load_depth_model(str(tmp_path))
