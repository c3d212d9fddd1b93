"""The workflow on a real queue: a Slurm of this machine alone, with the profile as it is shipped."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import torch
import yaml
from people import write_folder
from safetensors.torch import load_file

from fairhuman.experiments.ablations import Ablations, Budget, find_settings
from fairhuman.models import tiny_pipeline
from fairhuman.training import Run

ROOT = Path(__file__).parents[1]
PROFILE = ROOT / "cluster" / "slurm"
PLAN = {
    "profile": "quick", "tables": ["2-rank-64"], "seeds": [0], "base": "", "resolution": 64, "steps": 200,
    "batch_size": 2, "heldout_images": 2, "draws": 1, "checkpoint_every": 50,
    "measured": ["face", "hand"],
}  # fmt: skip
SETTINGS = ("rank-64", "sum-rank-64")
RULES = ["ablation_rank_64_0", "ablation_sum_rank_64_0"]
FAILING = "from pathlib import Path\nwith Path('../launches').open('a') as file: file.write('x')\n1 / 0"


@pytest.fixture(scope="module")
def slurm():
    pytest.importorskip("snakemake_executor_plugin_slurm")
    found = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    if lacking := [name for name in ("munged", "slurmctld", "slurmd") if not shutil.which(name, path=found)]:
        pytest.skip(f"needs {', '.join(lacking)} (Debian: apt-get install slurm-wlm munge)")
    call = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), str(PROFILE / "one-node.sh")]
    started = subprocess.run([*call, "start"], capture_output=True, text=True)
    if started.returncode:
        pytest.skip(started.stderr)
    yield
    subprocess.run([*call, "stop"], check=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Ablations of a tiny base, whose people are there already."""
    for folder in ("params", "notebooks"):
        (tmp_path / folder).mkdir()
    tiny_pipeline(seed=0).save_pretrained(tmp_path / "base")
    for part in ("train", "heldout"):
        write_folder(tmp_path / "runs" / "tiny" / "humans" / part, count=4, size=(64, 64))
    plan = {"notebooks": {"07_ablations": {"base": str(tmp_path / "base")}}}
    (tmp_path / "params" / "tiny.yaml").write_text(yaml.safe_dump(plan))
    parameters = {name: {"profile": "quick"} for name in ("00_humans", "12_failing")} | {"07_ablations": PLAN}
    for name, values in parameters.items():
        code = "\n".join(f"{key} = {value!r}" for key, value in values.items())
        cells = [nbformat.v4.new_code_cell(code, metadata={"tags": ["parameters"]})]
        cells += [nbformat.v4.new_code_cell(FAILING)] * (name == "12_failing")
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "notebooks" / f"{name}.ipynb"
        )
    executed = tmp_path / "runs" / "tiny" / "notebooks" / "00_humans.ipynb"
    executed.parent.mkdir()
    executed.touch()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # bits may depend on how work is split over threads
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.delenv("FAIRHUMAN_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(slurm, checkout):
    """``start(words)`` starts a master, whose output is in a file; none outlives the test."""
    masters = []

    def call(*words):
        masters.append(_start(*words))
        return masters[-1]

    yield call
    for master in masters:
        master.kill()


def _start(*words):
    call = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--config", "profile=tiny"]
    call += ["--workflow-profile", str(PROFILE), "--slurm-init-seconds-before-status-checks", "2", *words]
    with Path("master.log").open("a") as log:
        return subprocess.Popen(call, stdout=log, stderr=log)


@pytest.mark.slow
def test_requeued_killed_and_failing_jobs(start, checkout, monkeypatch):
    """One run: a job is requeued, later the master is killed and its jobs are cancelled; a second master
    finishes but for a job that always fails."""
    run = checkout / "runs" / "tiny" / "ablations" / "rank-64-seed0"
    master = start(*RULES)
    until(lambda: steps(run) > 20, master)
    (job,) = [number for number, comment in jobs().items() if comment == f"rule_{RULES[0]}"]
    subprocess.run(["scontrol", "requeue", job], check=True)
    before = until(lambda: job in jobs("PENDING") and steps(run), master)
    until(lambda: steps(run) > before + 10, master)

    master.kill()
    master.wait()
    assert job in jobs("RUNNING")  # a queue's jobs outlive their master
    subprocess.run(["scancel", *jobs()], check=True)
    until(lambda: not jobs())
    assert not (checkout / "results" / "tiny" / "ablations" / "rank-64-seed0.json").exists()

    assert start(*RULES, "--unlock").wait() == 0
    assert start(*RULES, "n12_failing").wait() == 1
    retries = yaml.safe_load((PROFILE / "config.yaml").read_text())["retries"]
    assert len((checkout / "launches").read_text()) == 1 + retries

    values = undisturbed(checkout, monkeypatch)
    for path in sorted((checkout / "results" / "tiny" / "ablations").iterdir()):
        timeless = {"seconds": 0, "seconds_a_step": 0}
        assert json.loads(path.read_text())["values"] | timeless == values.pop(path.name) | timeless
    assert not values
    one, two = (
        load_file(Run.open(folder).weights)
        for folder in (run, checkout / "other" / run.relative_to(checkout))
    )
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def until(happened, master=None, minutes=20):
    """What the call returns once it is true; the master must live until then."""
    end = time.monotonic() + 60 * minutes
    while not (found := happened()):
        assert time.monotonic() < end and (master is None or master.poll() is None), said()
        time.sleep(0.2)
    return found


def said():
    logs = [Path("master.log"), *Path(".snakemake/slurm_logs").rglob("*.log")]
    return "\n".join(path.read_text()[-2000:] for path in logs if path.is_file())


def jobs(state="PENDING,RUNNING,COMPLETING"):
    """Number → comment, in which the rule is named."""
    call = ["squeue", "--me", "--noheader", f"--states={state}", "--format=%i|%k"]
    lines = subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split("|", 1) for line in lines)


def steps(run):
    return len(Run(run, None).log)


def undisturbed(checkout, monkeypatch):
    """File name → values of the same ablations, made by one process in another workspace."""
    other = checkout / "other"
    shutil.copytree(checkout / "runs" / "tiny" / "humans", other / "runs" / "tiny" / "humans")
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(other))
    torch.set_num_threads(1)
    work = Ablations("tiny", Budget.of_profile("tiny"))
    names = [name for name, _ in work.compute(find_settings(SETTINGS), [0])]
    results = [other / "results" / "tiny" / f"{name}.json" for name in names]
    return {path.name: json.loads(path.read_text())["values"] for path in results}
