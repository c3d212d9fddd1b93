"""Ablations: computed once, resumed, known again elsewhere, and no surer of themselves than they may be."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from people import write_folder
from scipy import stats
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.evaluation import crossed_difference, expected_regions, paired_difference
from fairhuman.experiments.ablations import (
    SETTINGS,
    TABLES,
    Ablations,
    Budget,
    Setting,
    Table,
    compare_pair,
    compare_table,
    find_settings,
    find_table,
    images_name,
    planned,
    primary_family,
    result_name,
    sample_settings,
)
from fairhuman.experiments.figures import ablation_markdown
from fairhuman.experiments.paths import enter
from fairhuman.experiments.plan import load_plan
from fairhuman.models import tiny_pipeline
from fairhuman.profiles import load_profile
from fairhuman.results import read_result, write_result

BASE, SUM, MPD = (SETTINGS[name] for name in ("base", "sum", "mpd"))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablations")
    tiny_pipeline(seed=0).save_pretrained(folder / "base")
    write_folder(folder / "people", count=6, size=(64, 64))
    return folder


@pytest.fixture
def budget(people, workspace):
    return Budget(
        data=people / "people", heldout=people / "people", base=str(people / "base"), resolution=64, steps=3,
        batch_size=2, rank=2, learning_rate=1e-2, heldout_images=6, draws=2, measured=("face", "hand"),
    )  # fmt: skip


def files(workspace):
    return {p.stem: p.stat().st_mtime_ns for p in (workspace / "results" / "quick" / "ablations").glob("*")}


def test_what_is_stored_is_not_computed_again(budget, workspace):
    work = Ablations("quick", budget)
    first = [name for name, _ in work.compute([BASE, SUM, MPD], [0, 1])]
    assert first == [
        f"ablations/{n}" for n in ("base-seed0", "sum-seed0", "mpd-seed0", "sum-seed1", "mpd-seed1")
    ]
    before = files(workspace)
    shutil.rmtree(workspace / "runs")  # as on another machine: only results are kept
    assert list(Ablations("quick", budget).compute([BASE, SUM, MPD], [0, 1])) == []
    assert files(workspace) == before
    (workspace / "results" / "quick" / "ablations" / "mpd-seed1.json").unlink()
    assert [name for name, _ in work.compute([BASE, SUM, MPD], [0, 1])] == ["ablations/mpd-seed1"]
    again = {name: time for name, time in files(workspace).items() if name != "mpd-seed1"}
    assert again == {name: time for name, time in before.items() if name != "mpd-seed1"}

    stored = read_result("quick", "ablations/mpd-seed1")
    assert stored["samples"] == 6 and stored["seed"] == 1
    assert stored["parameters"]["settings"]["strategy"] == "mpd"
    assert set(stored["values"]["losses"]) == {"global", "face", "hand"}
    assert "/" not in json.dumps(stored["parameters"])  # no path of this machine
    told = compare_table("quick", TABLES["2"], [0, 1])
    assert told["settings"] == ["base", "sum", "mpd"] and told["missing"] == ["global"]
    assert {(r["reference"], r["setting"]) for r in told["differences"]} == {
        ("sum", "base"), ("sum", "mpd"), ("base", "mpd")
    }  # fmt: skip
    (row,) = [
        r
        for r in told["differences"]
        if (r["reference"], r["setting"], r["region"]) == ("sum", "mpd", "hand")
    ]
    losses = {
        name: np.array(
            [read_result("quick", f"ablations/{name}-seed{s}")["values"]["losses"]["hand"] for s in (0, 1)]
        )
        for name in ("sum", "mpd")
    }
    assert row["value"] == pytest.approx((losses["mpd"] - losses["sum"]).mean())
    assert row["share"] == pytest.approx(row["value"] / losses["sum"].mean())
    assert not np.array_equal(losses["mpd"][0], losses["mpd"][1])  # seeds differ


def test_other_inputs_make_a_result_outdated(budget, people, tmp_path):
    work = Ablations("quick", budget)
    assert work.state(BASE, 0) == "missing"
    list(work.compute([BASE], [0]))
    assert work.state(BASE, 0) == work.state(BASE, 5) == "stored"  # the base has no seeds
    for change in ({"heldout_images": 5}, {"draws": 3}, {"measured": ("face",)}):
        assert Ablations("quick", budget.changed(change)).state(BASE, 0) == "outdated"
    for change in ({"steps": 4}, {"checkpoint_every": 1}):  # nothing to the base
        assert Ablations("quick", budget.changed(change)).state(BASE, 0) == "stored"
    shutil.copytree(people / "people", tmp_path / "moved")
    assert Ablations("quick", budget.changed({"heldout": str(tmp_path / "moved")})).state(BASE, 0) == "stored"
    write_folder(tmp_path / "others", count=6, size=(64, 64), seed=50)
    assert Ablations("quick", budget.changed({"heldout": tmp_path / "others"})).state(BASE, 0) == "outdated"


def test_other_code_makes_a_result_outdated_but_is_told_apart(budget, monkeypatch):
    from fairhuman.experiments.ablations import _runner

    work = Ablations("quick", budget)
    list(work.compute([BASE], [0]))
    stored = read_result("quick", "ablations/base-seed0")["parameters"]
    assert stored["code"] == _runner.trained_by()
    for module in ("_runner", "_inputs"):
        monkeypatch.setattr(f"fairhuman.experiments.ablations.{module}.trained_by", lambda: "another")
    assert work.state(BASE, 0) == "older code"
    assert work.left([BASE], [0]) == [(BASE, 0)] and work.left([BASE], [0], older=True) == []
    assert Ablations("quick", budget.changed({"draws": 3})).state(BASE, 0) == "outdated"


def test_tables_say_that_versions_of_the_code_are_mixed(runs):
    told = compare_table("quick", TABLES["2"], range(8))
    assert len(told["code"]) == 1 and "versions of the code" not in ablation_markdown(told)
    stored = read_result("quick", "ablations/mpd-seed3")
    parameters = stored["parameters"] | {"code": "0123456789abcdef"}
    write_result("quick", "ablations/mpd-seed3", stored["values"], parameters=parameters, samples=20, seed=3)
    told = compare_table("quick", TABLES["2"], range(8))
    assert "The runs are of 2 versions of the code: 0123456789abcdef, commit " in ablation_markdown(told)


def test_constants_taken_from_measurements_are_still_theirs():
    """Weights and lengths that the settings copy from stored results of the profile full."""
    for kind in ("", "controlnet-"):
        runs = [read_result("full", f"ablations/{kind}mpd-seed{seed}")["values"] for seed in range(3)]
        medians = np.median([list(run["median_weights"].values()) for run in runs], axis=0)
        weights = SETTINGS[f"{kind}sum-weighted"].changes["strategy"].removeprefix("ls:").split(",")
        assert np.array(weights, float) == pytest.approx(medians / medians[0], rel=0.15)
    areas = read_result("quick", "objectives")["values"]["median_areas"]
    strategy = SETTINGS["mpd-area"].changes["strategy"].removeprefix("mpd_area:").split(",")
    assert np.array(strategy, float) == pytest.approx([1, areas["face"], areas["hand"]], rel=0.05)
    cost = read_result("benchmarks", "step_cost")["values"]["time_over_ordinary"]["exact"]["median"]
    assert SETTINGS["sum-longer"].longer == pytest.approx(cost, rel=0.05)


@pytest.mark.xfail(raises=LookupError, strict=True, reason="no ControlNet's step has been timed yet")
def test_the_longer_controlnet_has_the_time_of_an_exact_step():
    """Once `benchmarks/step_cost.py` has stored its cases, this says whether the factor is right."""
    values = read_result("benchmarks", "step_cost")["values"]
    cost = enter(values, "cases.case=controlnet-batch4,way=exact.median")
    assert SETTINGS["controlnet-sum-longer"].longer == pytest.approx(cost, rel=0.05)


def test_the_script_as_released_has_all_that_its_deviations_have_one_by_one():
    """The LoRA script's: the clean-latent term is the ControlNet's, and it does not accumulate."""
    whole = dict(SETTINGS["released-all"].changes)
    parts = [f"released-{name}" for name in ("fp16", "flips", "masks", "adamw", "clip")]
    single = [SETTINGS[name].changes for name in (*parts, "mpd-solver")]
    switches = set(whole.pop("released"))
    assert switches == {"local_scale_inside", "times_k"}.union(*(one.get("released", ()) for one in single))
    assert whole == {k: v for one in single for k, v in one.items() if k != "released"}


def test_renders_are_known_again_whatever_the_last_bits_of_their_coordinates(budget, people, tmp_path):
    def copy(name, changes):
        shutil.copytree(people / "people", tmp_path / name)
        listing = tmp_path / name / "metadata.jsonl"
        lines = [json.loads(line) | {"preset": "studio", "seed": 1, "index": i} | changes
                 for i, line in enumerate(listing.read_text().splitlines())]  # fmt: skip
        listing.write_text("\n".join(map(json.dumps, lines)) + "\n")
        return budget.changed({"heldout": tmp_path / name})

    list(Ablations("quick", copy("here", {})).compute([BASE], [0]))
    assert Ablations("quick", copy("there", {"face_yaw": 0.1})).state(BASE, 0) == "stored"
    assert Ablations("quick", copy("others", {"seed": 2})).state(BASE, 0) == "outdated"


def test_the_same_run_under_another_name_is_not_made_twice(budget, workspace):
    work = Ablations("quick", budget)
    twin = dataclasses.replace(MPD, name="twin", changes={"rank": budget.rank})
    list(work.compute([MPD, twin], [0]))
    assert sorted(path.name for path in (workspace / "runs" / "quick" / "ablations").iterdir()) == [
        "mpd-seed0"
    ]
    names = ("ablations/mpd-seed0", "ablations/twin-seed0")
    made, repeated = (read_result("quick", name) for name in names)
    assert made["values"] == repeated["values"] and made["provenance"] == repeated["provenance"]
    assert repeated["parameters"]["same_as"] == names[0]


def test_images_are_sampled_once_and_judged(budget, people, tmp_path, workspace):
    write_folder(tmp_path / "more", count=10, size=(64, 64))
    work = Ablations(
        "quick", budget.changed({"prompts": 10, "sampling_steps": 2, "heldout": tmp_path / "more"})
    )
    assert list(sample_settings(Ablations("quick", budget), [BASE])) == []  # none asked for
    assert [name for name, _ in sample_settings(work, [BASE, MPD], [0, 1])] == [
        "ablations/base-images", "ablations/mpd-images", "ablations/mpd-images-seed1"
    ]  # fmt: skip
    assert list(sample_settings(work, [BASE, MPD], [0, 1])) == []
    stored = read_result("quick", "ablations/mpd-images")
    assert stored["samples"] == 10 and len(stored["values"]["detection"]["face"]) == 10
    asked = expected_regions(work.heldout_records())
    for region in ("face", "hand"):
        best = stored["values"]["detection"][region]
        assert [one is not None for one in best] == asked[f"{region}_expected"].tolist()
        crops = stored["values"]["crops"][region]
        assert all(share in (None, 0, 0.5, 1) for share in crops)
        assert not [one for one, found in zip(crops, best, strict=True) if one is not None and found is None]
    twin = dataclasses.replace(MPD, name="twin", changes={"rank": budget.rank})
    assert [name for name, _ in sample_settings(work, [twin])] == ["ablations/twin-images"]
    assert read_result("quick", "ablations/twin-images")["values"] == stored["values"]
    assert not (workspace / "runs" / "quick" / "ablations" / "twin-seed0").exists()
    list(work.compute([BASE, MPD], [0]))
    rows = compare_table("quick", Table("t", "T", ("base", "mpd"), ("base",)), [0])["detection"]
    assert {(r["setting"], r["detector"]) for r in rows} >= {
        ("base", "face"),
        ("mpd", "hand"),
        ("mpd", "distance"),
    }
    assert [
        name for name, _ in sample_settings(Ablations("quick", work.budget.changed({"prompts": 0})), [MPD])
    ] == []


def store_run(name, seed, losses, **figures):
    told = {"losses": losses, "steps": 3, "seconds": 1.0, "seconds_a_step": 0.3, "skipped": 0,
            "median_weights": {}} | figures  # fmt: skip
    write_result("quick", result_name(SETTINGS[name], seed), told, parameters={}, samples=20, seed=seed)


def store_images(name, seed, best, crops):
    told = {"detection": {"face": best}, "crops": {"face": crops}, "distance": {"value": 0.1}}
    name = images_name(SETTINGS[name], seed)
    write_result("quick", name, told, parameters={}, samples=len(best), seed=seed)


@pytest.fixture
def runs(workspace):
    """Losses of four settings from eight seeds, and the images of three of them from one."""
    random = np.random.default_rng(0)
    images = random.uniform(0.5, 1, 30)
    for name, factor in (("base", 1.0), ("global", 0.999), ("sum", 0.99), ("mpd", 0.9)):
        for seed in range(8) if name != "base" else (0,):
            faces = images * factor + random.normal(0, 0.002, 30)
            store_run(name, seed, {"global": images.tolist(), "face": faces.tolist()})
    for name, rate in (("base", 0.3), ("sum", 0.6), ("mpd", 0.9)):
        hits = random.random(60) < rate
        best = [None, None, *(0.5 + 0.5 * random.random(60)) * hits]
        store_images(name, 0, best, [None, 1.0, *hits.astype(float)])
    return random


def only(rows, **values):
    (row,) = [row for row in rows if values.items() <= row.items()]
    return row


def losses_of(name, region="face"):
    seeds = range(8) if name != "base" else (0,)
    return np.array(
        [read_result("quick", f"ablations/{name}-seed{s}")["values"]["losses"][region] for s in seeds]
    )


def test_a_difference_has_one_interval_in_whatever_table_it_stands(runs):
    """At the level that the plan gives it, with the variances of its own two settings."""
    small = compare_table("quick", Table("t", "T", ("sum", "mpd"), ("sum",)), range(8))
    large = compare_table(
        "quick", Table("t", "T", ("base", "global", "sum", "mpd"), ("mpd", "base")), range(8)
    )
    straight = only(small["differences"], reference="sum", setting="mpd", region="face")
    turned = only(large["differences"], reference="mpd", setting="sum", region="face")
    assert (straight["low"], straight["high"]) == (-turned["high"], -turned["low"])
    plan = load_plan()
    assert straight["level"] == pytest.approx(1 - plan.alpha / plan.size) and straight["family"] == "primary"
    expected = crossed_difference(losses_of("sum"), losses_of("mpd"), level=straight["level"])
    assert (straight["low"], straight["high"]) == pytest.approx((expected.low, expected.high))
    assert straight["supported"] and straight["seeds"] == 8
    other = only(large["differences"], reference="mpd", setting="global", region="face")
    assert other["family"] == "primary"  # the same pair, whichever way round
    aside = only(large["differences"], reference="base", setting="sum", region="face")
    assert (aside["family"], aside["level"]) == ("exploratory", plan.exploratory)
    (row,) = [r for r in compare_pair("quick", "sum", "mpd", range(8)) if r["region"] == "face"][:1]
    assert row == straight


def test_equal_and_inconclusive_are_told_apart(runs):
    told = compare_table("quick", Table("t", "T", ("base", "global", "sum", "mpd"), ("base",)), range(8))
    near = only(told["differences"], setting="global", region="face")
    assert near["equal"] and near["margin"] == pytest.approx(0.01 * losses_of("base").mean())
    far = only(told["differences"], setting="sum", region="face")
    assert not far["equal"]
    rough = only(told["detection_differences"], setting="sum", measure="rate")
    assert not rough["equal"] and rough["least_detectable"] > rough["margin"]


def test_what_is_seen_of_one_seed_is_compared_caption_by_caption(runs):
    """Images without a face asked for count for nothing."""
    told = compare_table("quick", Table("t", "T", ("base", "sum", "mpd"), ("base",)), range(8))
    best = {
        n: read_result("quick", f"ablations/{n}-images")["values"]["detection"]["face"]
        for n in ("base", "mpd")
    }
    hits = {name: np.array(own[2:], float) > 0 for name, own in best.items()}
    row = only(told["detection_differences"], setting="mpd", measure="rate")
    change = paired_difference(hits["base"], hits["mpd"], bounds=(0, 1), level=load_plan().exploratory)
    assert [row[key] for key in ("value", "low", "high", "n")] == [change.value, change.low, change.high, 60]
    assert only(told["detection"], setting="mpd", metric="rate")["value"] == hits["mpd"].mean()
    shown = only(told["detection"], setting="mpd", metric="confidence")
    assert shown["value"] == pytest.approx(np.mean([b for b in best["mpd"][2:] if b]))
    crops = only(told["detection_differences"], setting="mpd", measure="crops")
    assert crops["family"] == "primary" and crops["n"] == 61


def test_what_is_seen_of_several_seeds_is_compared_over_seeds_too(runs):
    for seed in range(1, 8):
        for name in ("sum", "mpd"):
            hits = (runs.random(60) < 0.7).astype(float)
            store_images(name, seed, [None, None, *hits], [None, 1.0, *hits])
    told = compare_table("quick", Table("t", "T", ("base", "sum", "mpd"), ("sum",)), range(8))
    kinds = {
        r["measure"]: (r["interval"], r["seeds"])
        for r in told["detection_differences"]
        if r["setting"] == "mpd"
    }
    assert set(kinds.values()) == {("crossed", 8)} and set(kinds) == {
        "rate", "confidence", "confidence_with_misses", "crops"
    }  # fmt: skip
    for measure in ("rate", "confidence_with_misses", "confidence"):
        shown = only(told["detection"], setting="mpd", detector="face", metric=measure)
        assert (shown["interval"], shown["seeds"]) == ("crossed", 8)
    best = best_of("mpd", range(8))
    assert shown["value"] == pytest.approx(best.sum() / (best > 0).sum())


def best_of(name, seeds):
    names = [images_name(SETTINGS[name], seed) for seed in seeds]
    return np.array([read_result("quick", one)["values"]["detection"]["face"][2:] for one in names], float)


def test_a_mean_over_detections_is_as_unsure_as_its_seeds(runs):
    """The same detections in every image of a seed: eight numbers, whatever the number of images."""
    scores = runs.uniform(0.6, 0.9, 8)
    for seed, score in enumerate(scores):
        store_images("mpd", seed, [None, None, *[score] * 30, *[0.0] * 30], [None, *[1.0] * 61])
    told = compare_table("quick", Table("t", "T", ("sum", "mpd"), ("sum",)), range(8), level=0.9)
    shown = only(told["detection"], setting="mpd", detector="face", metric="confidence")
    arm = stats.t.ppf(0.95, 7) * scores.std(ddof=1) / np.sqrt(8)
    assert shown["value"] == pytest.approx(scores.mean()) and shown["level"] == 0.9
    assert [shown["low"], shown["high"]] == pytest.approx([scores.mean() - arm, scores.mean() + arm])


def test_images_of_seeds_that_the_other_lacks_are_left_out(runs):
    for seed in range(1, 8):
        store_images("mpd", seed, [None, None, *[0.9] * 60], [None, *[1.0] * 61])
    told = compare_table("quick", Table("t", "T", ("base", "sum", "mpd"), ("sum", "base")), range(8))
    alone = only(told["detection_differences"], reference="sum", setting="mpd", measure="rate")
    change = paired_difference(
        best_of("sum", [0])[0] > 0, best_of("mpd", [0])[0] > 0, bounds=(0, 1), level=load_plan().exploratory
    )
    assert (alone["seeds"], alone["low"], alone["high"]) == (1, change.low, change.high)
    against = only(told["detection_differences"], reference="base", setting="mpd", measure="rate")
    assert (against["seeds"], against["interval"]) == (8, "crossed")  # the base has no seeds to lack


def test_the_primary_family_is_the_plan_s_and_names_what_is_absent(runs):
    plan, told = load_plan(), primary_family("quick", range(8))
    assert len(told["differences"]) + len(told["absent"]) == plan.size
    assert {row["level"] for row in told["differences"]} == {1 - plan.alpha / plan.size}
    assert all(row["family"] == "primary" for row in told["differences"])
    assert {row["setting"] for row in told["absent"]} >= {"controlnet-mpd"}


def test_settings_of_unequal_budgets_are_not_compared(budget):
    list(Ablations("quick", budget).compute([BASE, SUM], [0]))
    table = Table("t", "T", ("base", "sum", "mpd"), ("sum",))
    for change, words in (
        ({"steps": 2}, "equal steps, got 2 of mpd and 3 of sum"),
        ({"draws": 1}, "equal draws, got 1 of mpd and 2 of base"),
        ({"learning_rate": 1e-3}, "equal learning_rate, got 0.001 of mpd and 0.01 of sum"),
    ):
        list(Ablations("quick", budget.changed(change)).compute([MPD], [0]))
        with pytest.raises(ValueError, match=words):
            compare_table("quick", table, [0])


def test_bad_values_are_refused_before_anything_is_trained(budget, workspace):
    bad = Setting("bad", "bad", {"strategy": "mpd", "rank": 0})
    with pytest.raises(ValueError, match="rank"):
        list(Ablations("quick", budget).compute([MPD, bad], [0]))
    assert not (workspace / "runs").exists() and not (workspace / "results").exists()
    with pytest.raises(ValueError, match="seeds: there must be at least one"):
        list(Ablations("quick", budget).compute([MPD], []))
    with pytest.raises(ValueError, match="table: unknown name '6'"):
        find_table("6")
    with pytest.raises(ValueError, match="setting: unknown name 'mdp'; did you mean 'mpd'"):
        find_settings(["mdp"])
    with pytest.raises(ValueError, match="budget: unknown name 'step'; did you mean 'steps'"):
        budget.changed({"step": 1})
    with pytest.raises(ValueError, match="draws: must be ≥ 1, got 0"):
        budget.changed({"draws": 0})


def test_a_setting_that_diverges_does_not_stop_the_others(budget, caplog):
    work = Ablations("quick", budget.changed({"steps": 12}))
    wild = Setting("wild", "wild", {"strategy": "ls", "learning_rate": 1e30, "skip_limit": 2})
    made = [name for name, _ in work.compute([wild, BASE], [0])]
    assert made == ["ablations/wild-seed0", "ablations/base-seed0"]
    assert "wild, seed 0, diverged: training: loss or gradient not finite" in caplog.text
    assert work.state(wild, 0) == "stored"
    assert "not finite" in read_result("quick", "ablations/wild-seed0")["values"]["diverged"]
    assert list(sample_settings(Ablations("quick", work.budget.changed({"prompts": 2})), [wild])) == []


def test_a_diverged_setting_is_named_and_not_compared(budget, monkeypatch):
    wild = Setting("wild", "wild", {"strategy": "ls", "learning_rate": 1e30, "skip_limit": 2})
    monkeypatch.setitem(SETTINGS, "wild", wild)
    work = Ablations("quick", budget)
    table = Table("wild", "Wild", ("base", "sum", "wild"), ("sum",))
    list(work.compute([BASE, SUM], [0]))
    list(Ablations("quick", budget.changed({"steps": 12})).compute([wild], [0]))
    told = compare_table("quick", table, [0])
    assert told["diverged"] == ["wild"] and told["settings"] == ["base", "sum"] and not told["missing"]
    assert "Diverged: wild." in ablation_markdown(told)


def test_every_setting_of_every_table_can_be_trained(budget, tmp_path):
    told = {name for table in TABLES.values() for name in table.settings}
    assert told == set(SETTINGS)
    for table in TABLES.values():
        assert set(table.against) <= set(table.settings)
    made = [
        budget.changed({"batch_size": 4}).settings(s, 0, tmp_path) for s in SETTINGS.values() if s.trained
    ]
    made = {str(s.changed(output="x")) for s in made}
    assert len(made) == len(SETTINGS) - 1  # no two are the same, and only the base is not trained
    with pytest.raises(ValueError, match="'base' is not trained"):
        budget.settings(BASE, 0, tmp_path)


def test_a_table_of_nothing_stored_is_empty(workspace):
    told = compare_table("quick", Table("t", "T", ("base", "mpd"), ("base",)), [0])
    assert told["missing"] == ["base", "mpd"] and told["losses"] == told["differences"] == []


def test_the_command_computes_in_sittings(people, workspace):
    for part in ("train", "heldout"):
        shutil.copytree(people / "people", workspace / "runs" / "quick" / "humans" / part)
    shared = {"base": people / "base", "resolution": 64, "steps": 2, "batch_size": 2, "rank": 2, "draws": 1,
              "heldout_images": 6, "measured": "[face, hand]"}  # fmt: skip
    words = ["ablate", "--table", "2", "--seed", "0"]
    words += [word for name, value in shared.items() for word in ("--set", f"{name}={value}")]

    def told(*more):
        done = CliRunner().invoke(app, [*words, *more])
        assert done.exit_code == 0, done.output
        return done.output

    assert "4 settings, seeds 0: 4 results missing" in told("--state")
    assert not (workspace / "results").exists()
    short = told("--minutes", "0")
    assert "ablations/base-seed0.json" in short and "the same command resumes" in short
    assert "4 settings, seeds 0: 3 results missing" in told()
    assert "0 results missing" in told("--state")
    assert len(files(workspace)) == 4
    summary = read_result("quick", "ablations-2")
    assert summary["values"]["settings"] == ["base", "global", "sum", "mpd"]


def test_a_profile_s_plan_names_every_run_once():
    plan = planned("full")
    wanted = {name for table in load_profile("full").parameters("07_ablations")["tables"]
              for name in TABLES[table].settings}  # fmt: skip
    assert len(plan) == 1 + 3 * (len(wanted) - 1)
    assert plan["ablations/base-seed0"] == ("base", 0) and plan["ablations/mpd-seed2"] == ("mpd", 2)


def test_the_paper_s_plan_gives_every_adapter_the_paper_s_budget():
    budget = Budget.of_profile("paper")
    runs = {name: budget.settings(SETTINGS[name], 0, Path("run")) for name in ("mpd", "t2i-adapter-mpd")}
    assert (runs["mpd"].steps, runs["mpd"].rank, runs["mpd"].cache) == (50_000, 256, False)
    assert (runs["t2i-adapter-mpd"].steps, runs["t2i-adapter-mpd"].batch_size) == (60_000, 16)
    adapters = {SETTINGS[name].adapter for name, _ in planned("paper").values()}
    assert adapters == {"lora", "controlnet", "controlnet-union", "t2i-adapter"}


@pytest.mark.parametrize("kind", ["controlnet", "controlnet-union", "t2i-adapter"])
def test_adapters_that_follow_conditions_are_trained_and_compared(budget, kind, tmp_path):
    budget = budget.changed({"by_adapter": {kind: {"steps": 1}}})
    table = TABLES[f"2-{kind}"]
    list(Ablations("quick", budget).compute(find_settings([f"{kind}-sum", f"{kind}-mpd"]), [0]))
    if kind == "controlnet":
        write_folder(tmp_path / "more", count=10, size=(64, 64))
        seen = budget.changed({"prompts": 10, "sampling_steps": 2, "heldout": tmp_path / "more"})
        (made,) = [
            name for name, _ in sample_settings(Ablations("quick", seen), [SETTINGS["controlnet-mpd"]])
        ]
        assert read_result("quick", made)["samples"] == 10
    told = compare_table("quick", table, [0])
    assert told["settings"] == [f"{kind}-sum", f"{kind}-mpd"]
    assert {row["steps"] for row in told["training"]} == {1}
    with pytest.raises(ValueError, match="by_adapter: unknown name 'controlnets'; did you mean 'controlnet'"):
        budget.changed({"by_adapter": {"controlnets": {"steps": 1}}})
