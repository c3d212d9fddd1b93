"""The plan names what can be compared, and is read as it stands."""

import pytest

from fairhuman.evaluation.statistics import Estimate
from fairhuman.experiments.ablations import SETTINGS, TABLES
from fairhuman.experiments.plan import load_plan

TEXT = """alpha: 0.05
correction: {correction}
power: 0.8
seeds: 3
exploratory: 0.9
primary: {{comparisons: [[a, b], [c, b]], outcomes: [[loss, face], [{measure}, hand]]}}
margins: {{loss: 0.1, crops: 0.2}}
"""


@pytest.fixture
def written(tmp_path):
    def write(correction="bonferroni", measure="crops", more=""):
        path = tmp_path / f"{correction}-{measure}-{len(more)}.yaml"
        path.write_text(TEXT.format(correction=correction, measure=measure) + more)
        return path

    return write


def test_every_comparison_of_the_plan_stands_in_a_table():
    """The primary ones would otherwise never be trained."""
    for pair in load_plan().comparisons:
        assert set(pair) <= set(SETTINGS)
        tables = [t for t in TABLES.values() if set(pair) <= set(t.settings) and set(pair) & set(t.against)]
        assert tables, pair


def test_the_family_is_corrected_together_and_the_rest_is_not(written):
    plan = load_plan(written())
    assert plan.size == 4
    for pair in (("a", "b"), ("b", "a")):  # whichever way round
        assert plan.level(*pair, "loss", "face") == pytest.approx(1 - 0.05 / 4)
    for other in (("a", "c", "loss", "face"), ("a", "b", "loss", "hand"), ("a", "b", "crops", "face")):
        assert plan.level(*other) == 0.9


def test_what_an_interval_says(written):
    plan = load_plan(written())

    def said(low, high, scale=1.0):
        row = plan.judged(
            Estimate((low + high) / 2, low, high, 9, "crossed", 0.9),
            measure="loss",
            primary=True,
            scale=scale,
        )
        return row["supported"], row["equal"]

    assert said(0.01, 0.05) == (True, True)
    assert said(-0.01, 0.05) == (False, True)
    assert said(-0.01, 0.05, scale=0.4) == (False, False)  # the margin is a share
    assert said(0.2, 0.5) == (True, False)
    row = plan.judged(Estimate(0.0, -0.3, 0.3, 9, "crossed", 0.9), measure="loss", primary=False)
    assert row["family"] == "exploratory" and 0.3 < row["least_detectable"] < 0.5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"correction": "holm"}, "correction: unknown name 'holm'"),
        ({"measure": "crop"}, "margins: unknown name 'crop'; did you mean 'crops'"),
        ({"more": "level: 0.9\n"}, "unexpected keyword argument 'level'"),
        ({"more": "alpha: 2\n"}, r"alpha: must be in \(0, 1\), got 2"),
    ],
)
def test_a_bad_plan_is_refused(written, values, message):
    with pytest.raises(ValueError, match=message):
        load_plan(written(**values))
