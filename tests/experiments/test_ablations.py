"""Ablations: computed once, resumed, known again elsewhere, and no surer of themselves than they may be."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from people import write_folder
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.evaluation import expected_regions, paired_difference
from fairhuman.experiments.ablations import (
    SETTINGS,
    TABLES,
    Ablations,
    Budget,
    Setting,
    Table,
    compare_table,
    crossed_mean,
    find_settings,
    find_table,
    images_name,
    planned,
    result_name,
    sample_settings,
    seed_variance,
)
from fairhuman.experiments.figures import ablation_markdown
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
    assert read_result("quick", names[0])["values"] == read_result("quick", names[1])["values"]


def test_images_are_sampled_once_and_judged(budget, people, tmp_path, workspace):
    write_folder(tmp_path / "more", count=10, size=(64, 64))
    work = Ablations(
        "quick", budget.changed({"prompts": 10, "sampling_steps": 2, "heldout": tmp_path / "more"})
    )
    assert list(sample_settings(Ablations("quick", budget), [BASE])) == []  # none asked for
    control = SETTINGS["controlnet-mpd"]
    assert [name for name, _ in sample_settings(work, [BASE, control, MPD])] == [
        "ablations/base-images", "ablations/mpd-images"
    ]  # fmt: skip
    assert list(sample_settings(work, [BASE, MPD])) == []
    stored = read_result("quick", "ablations/mpd-images")
    assert stored["samples"] == 10 and len(stored["values"]["detection"]["face"]) == 10
    asked = expected_regions(work.heldout_records())
    for region in ("face", "hand"):
        best = stored["values"]["detection"][region]
        assert [one is not None for one in best] == asked[f"{region}_expected"].tolist()
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
    assert all("change" in r for r in rows if r["setting"] == "mpd" and r["detector"] == "face")
    assert [
        name for name, _ in sample_settings(Ablations("quick", work.budget.changed({"prompts": 0})), [MPD])
    ] == []


def test_a_change_of_what_is_seen_is_as_sure_as_all_of_its_table(workspace):
    """Images without a face asked for count for nothing, and three changes are three chances to err."""
    random = np.random.default_rng(0)
    hits = {name: random.random(60) < rate for name, rate in (("base", 0.3), ("sum", 0.6), ("mpd", 0.9))}
    for name, own in hits.items():
        best = [None, None, *own.astype(float)]
        write_result("quick", images_name(SETTINGS[name]), {"detection": {"face": best}, "distance": {}},
                     parameters={}, samples=62, seed=0)  # fmt: skip
        figures = {"losses": {"global": random.random(20).tolist()}, "steps": 3, "seconds": 1.0,
                   "seconds_a_step": 0.3, "skipped": 0, "median_weights": {}}  # fmt: skip
        write_result("quick", result_name(SETTINGS[name], 0), figures, parameters={}, samples=20, seed=0)
    told = compare_table("quick", Table("t", "T", ("base", "sum", "mpd"), ("base",)), [0], level=0.9)
    rows = {row["setting"]: row for row in told["detection"] if row["detector"] == "face"}
    for name in ("sum", "mpd"):
        change = paired_difference(hits["base"], hits[name], bounds=(0, 1), level=0.95)
        found = [rows[name][key] for key in ("value", "change", "change_low", "change_high", "n")]
        assert found == [hits[name].mean(), change.value, change.low, change.high, 60]
        assert rows[name]["change_supported"] == change.excludes(0)
    assert "change" not in rows["base"]


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


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Three seeds and forty images, each with an effect of its own, in proportions of all kinds."""
    random = np.random.default_rng(0)
    for seeds_share in (0.0, 0.3, 1.0):
        held = []
        for _ in range(400):
            effects = seeds_share * random.normal(size=(3, 1)) + random.normal(size=(1, 40))
            estimate = crossed_mean(effects + random.normal(size=(3, 40)))
            held.append(estimate.low <= 0 <= estimate.high)
        assert 0.92 <= np.mean(held) <= 1, seeds_share


def test_differences_between_settings_hold_the_truth_too():
    """Seeds as blocks: an effect of the seed common to all settings, and one of each setting's own."""
    random = np.random.default_rng(0)
    held, widths = {"base": [], "trained": []}, []
    for _ in range(300):
        seeds, images = random.normal(0, 0.5, (3, 1)), random.normal(0, 1, (1, 40))
        base = {"face": images + random.normal(0, 0.2, (1, 40))}
        losses = {"base": base} | {
            name: {"face": images + seeds + random.normal(0, 0.3, (3, 1)) + random.normal(0, 0.2, (3, 40))}
            for name in "abcde"
        }
        for kind, pair in (("base", ("base", "a")), ("trained", ("a", "b"))):
            change = losses[pair[1]]["face"] - losses[pair[0]]["face"]
            found = crossed_mean(change, seed_variance=seed_variance(losses, "face", pair))
            held[kind].append(found.low <= 0 <= found.high)
            widths.append((found.high - found.low) / (crossed_mean(change).high - crossed_mean(change).low))
    assert min(np.mean(held["trained"]), np.mean(held["base"])) >= 0.92
    assert np.median(widths) < 0.9  # what pooling is for


def test_one_seed_says_nothing_about_others():
    values = np.random.default_rng(0).normal(1, 0.1, (1, 40))
    assert crossed_mean(values).interval == "images"
    assert crossed_mean(np.repeat(values, 3, axis=0)).interval == "crossed"
    apart = np.array([[0.0], [1.0], [2.0]]) + 0 * values
    few = crossed_mean(apart)
    assert few.value == 1 and few.low == pytest.approx(
        1 - 4.303 / np.sqrt(3), abs=1e-3
    )  # Student's, 2 degrees


def test_images_without_a_region_are_left_out():
    values = np.array([[1.0, np.nan, 3.0, 4.0], [2.0, np.nan, 4.0, 5.0]])
    assert crossed_mean(values).n == 3 and crossed_mean(values).value == pytest.approx(19 / 6)
    with pytest.raises(ValueError, match="for every seed or for none"):
        crossed_mean([[1.0, np.nan], [2.0, 3.0]])
    with pytest.raises(ValueError, match=r"shape \(seeds, images\), got \(2,\)"):
        crossed_mean([1.0, 2.0])


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

    assert "4 settings, seeds 0: 4 results left" in told("--state")
    assert not (workspace / "results").exists()
    short = told("--minutes", "0")
    assert "ablations/base-seed0.json" in short and "the same command goes on" in short
    assert "4 settings, seeds 0: 3 results left" in told()
    assert "0 results left" in told("--state")
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
def test_adapters_that_follow_conditions_are_trained_and_compared(budget, kind):
    budget = budget.changed({"by_adapter": {kind: {"steps": 1}}})
    table = TABLES[f"2-{kind}"]
    list(Ablations("quick", budget).compute(find_settings([f"{kind}-sum", f"{kind}-mpd"]), [0]))
    told = compare_table("quick", table, [0])
    assert told["settings"] == [f"{kind}-sum", f"{kind}-mpd"]
    assert {row["steps"] for row in told["training"]} == {1}
    with pytest.raises(ValueError, match="by_adapter: unknown name 'controlnets'; did you mean 'controlnet'"):
        budget.changed({"by_adapter": {"controlnets": {"steps": 1}}})
