"""The head of each notebook is that which ``python -m fairhuman.experiments.navigation`` writes."""

import json
import re

import pytest

from fairhuman.experiments.navigation import navigated, run_time
from fairhuman.workflow import notebook_path, steps

NAMES = list(steps())


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_head_is_current(name):
    assert notebook_path(name).read_text(encoding="utf-8") == navigated(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_the_contents_is_a_heading(name):
    cells = json.loads(navigated(name))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    anchors = {title.replace("`", "").replace(" ", "-") for title in re.findall(r"(?m)^#+ (.+)$", text)}
    links = re.findall(r"\(<#(.+?)>\)", text)
    assert links and set(links) <= anchors


def test_neighbours_lead_through_all_notebooks():
    seen = [NAMES[0]]
    while found := re.search(
        r"\(([^()]+)\.ipynb\) →", "".join(json.loads(navigated(seen[-1]))["cells"][1]["source"])
    ):
        seen.append(found[1])
    assert seen == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_head_tells_profile_and_run_time_as_they_were_recorded(name):
    cells = json.loads(notebook_path(name).read_text(encoding="utf-8"))["cells"]
    record = cells[0]["metadata"].get("run")
    told = "".join(cells[1]["source"]).splitlines()[-1]
    assert told == run_time(name, record)
    assert told.startswith("Stored outputs: profile `quick`")
    if record is not None:
        minutes, seconds = re.search(r"(?:(\d+) min )?(\d+) s on", told).groups("0")
        assert 60 * int(minutes) + int(seconds) == round(record["seconds"])


def test_a_run_time_says_when_earlier_runs_made_it_shorter():
    record = {"profile": "quick", "seconds": 59.6, "processors": 4, "kept": True}
    told = "Stored outputs: profile `quick`, 1 min 0 s on 4 processors, with earlier runs at hand."
    assert run_time("08_efficiency", record) == told
    assert "fairhuman refresh 08_efficiency" in run_time("08_efficiency", None)


def test_an_unknown_notebook_is_refused():
    with pytest.raises(ValueError, match="notebook"):
        navigated("99_nothing")
