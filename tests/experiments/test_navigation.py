"""The head of each notebook is that which ``python -m fairhuman.experiments.navigation`` writes."""

import json
import re

import pytest

from fairhuman.experiments.navigation import navigated
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


def test_an_unknown_notebook_is_refused():
    with pytest.raises(ValueError, match="notebook"):
        navigated("99_nothing")
