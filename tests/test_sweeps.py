"""Sweeps: members and settings from a file, a comparison from the runs, and what Snakemake would do."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from people import write_folder

from fairhuman.models import tiny_pipeline
from fairhuman.results import read_result
from fairhuman.sweeps import Sweep
from fairhuman.training import Run
from fairhuman.training._run import HELDOUT_FILE, write_settings

ROOT = Path(__file__).parent.parent
CONTENT = {
    "vary": {"adapter": ["lora"], "strategy": ["ls", "mpd"], "rank": [2], "seed": [0, 1]},
    "reference": "ls",
    "shared": {"data": "people", "heldout": "people", "base": "base", "resolution": 64, "steps": 2,
               "heldout_draws": 1, "learning_rate": 0.01},
}  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A checkout with one sweep, and a function that rewrites it."""
    for folder in ("notebooks", "params/sweeps", "people"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(tmp_path))

    def write(**changes):
        (tmp_path / "params/sweeps/small.yaml").write_text(yaml.safe_dump(CONTENT | changes))
        return tmp_path

    write()
    return write


def test_members_and_their_settings(place):
    place(vary=CONTENT["vary"] | {"adapter": ["lora", "controlnet"], "rank": [2, 4]},
          by_adapter={"controlnet": {"steps": 7}})  # fmt: skip
    sweep = Sweep.open("small")
    members = [tuple(member.values()) for member in sweep.members()]
    assert len(members) == 2 * 2 * 2 + 2 * 2  # a ControlNet has no rank to vary
    assert ("controlnet", "mpd", 0, 1) in members
    assert sweep.settings("lora", "mpd", 4, 1).rank == 4
    assert sweep.settings("controlnet", "ls", 0, 0).steps == 7
    assert len({sweep.folder(*member) for member in members}) == len(members)


def test_a_sweep_is_trained_and_compared(place):
    folder = place()
    write_folder(folder / "people", count=4, size=(64, 64))
    tiny_pipeline(seed=0).save_pretrained(folder / "base")
    sweep = Sweep.open("small")
    with pytest.raises(FileNotFoundError):
        sweep.compare()
    for member in sweep.members():
        assert sweep.train(**member).is_file()
    sweep.compare()
    rows = read_result("sweeps", "small")["figures"]["rows"]
    assert {row["region"] for row in rows} == {"global", "face", "hand"}
    values = {(row["strategy"], row["reference"], row["region"]): row for row in rows}
    change = values["mpd", "ls", "face"]
    expected = values["mpd", None, "face"]["value"] - values["ls", None, "face"]["value"]
    assert change["value"] == pytest.approx(expected) and change["interval"] == "crossed"
    assert np.isfinite([change["low"], change["high"]]).all()


def test_what_a_file_lacks_is_named(place):
    path = place() / "params/sweeps/small.yaml"
    path.write_text(yaml.safe_dump({"vary": CONTENT["vary"]}))
    with pytest.raises(ValueError, match="'reference' is missing"):
        Sweep.open("small")
    path.write_text("")
    with pytest.raises(ValueError, match="must be a mapping"):
        Sweep.open("small")


def test_only_members_are_trained_and_only_their_ends_compared(place):
    folder = place()
    sweep = Sweep.open("small")
    with pytest.raises(ValueError, match="member: must be one of sweep small, got .*'seed': 7"):
        sweep.train("lora", "ls", 2, 7)
    for member in sweep.members():
        settings = sweep.settings(**member)
        write_settings(sweep.folder(**member), settings, {})
        (sweep.folder(**member) / HELDOUT_FILE).write_text('{"step": 0, "errors": {"global": [1.0, 2.0]}}\n')
    with pytest.raises(FileNotFoundError, match="seed0 is not complete"):
        sweep.compare()
    for member in sweep.members():
        Run(sweep.folder(**member), sweep.settings(**member)).weights.write_bytes(b"")
    assert sweep.compare() == folder / "results/sweeps/small.json"
    place(shared=CONTENT["shared"] | {"learning_rate": 0.02})
    with pytest.raises(ValueError, match="learning_rate is 0.01 there, 0.02 here"):
        Sweep.open("small").compare()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vary": {"adapter": ["lora"]}}, "vary must give values for adapter, strategy, rank, seed"),
        ({"reference": "mdp"}, "reference unknown name 'mdp'"),
        ({"share": {}}, "did you mean 'shared'"),
        ({"vary": CONTENT["vary"] | {"seed": [0, 0]}}, r"vary.seed must be a list of distinct values"),
        ({"vary": CONTENT["vary"] | {"rank": 2}}, r"vary.rank must be a list of distinct values, found 2"),
        ({"vary": CONTENT["vary"] | {"strategy": ["ls", "mdp"]}}, "strategy: must be one of"),
        ({"by_adapter": {"lore": {"steps": 1}}}, "by_adapter unknown name 'lore'; did you mean 'lora'"),
        ({"shared": {"data": "people"}}, r"shared must name heldout, found \['data'\]"),
        ({"shared": CONTENT["shared"] | {"rang": 4}}, "unknown name 'rang'"),
    ],
)
def test_bad_files_are_refused(place, change, words):
    place(**change)
    with pytest.raises(ValueError, match=words):
        Sweep.open("small")
    with pytest.raises(ValueError, match="did you mean 'small'"):
        Sweep.open("smal")


@pytest.mark.parametrize("cluster", ["slurm", "kubernetes"])
def test_a_cluster_profile_is_taken_up_by_a_dry_run(cluster):
    """The executors' plugins are not installed here: theirs is replaced, the rest of the profile counts."""
    profile = ROOT / "cluster" / cluster
    assert yaml.safe_load((profile / "config.yaml").read_text())["executor"] == cluster
    words = ["-s", "Snakefile.sweeps", "--config", "sweep=paper", "-n", "-e", "dryrun", "--forceall"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "--workflow-profile", str(profile)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    jobs = [line.split() for line in done.stdout.splitlines()]
    assert ["member", "36"] in jobs and ["compare", "1"] in jobs
