"""Verdicts follow from stored results and from nothing else."""

import copy

import pytest

from fairhuman.experiments.claims import VERDICTS, judge, ledger, load_claims
from fairhuman.results import write_result

ROWS = [
    {"method": "a", "low": 0.2, "high": 0.4},
    {"method": "b", "low": 0.5, "high": None},
    {"method": "c", "low": float("nan"), "high": 0.1},
]


@pytest.fixture
def verdict(workspace, tmp_path):
    """The verdict of one condition on stored figures."""
    write_result(
        "quick", "made", {"share": {"low": 0.3, "high": 0.6}, "rows": ROWS}, parameters={}, samples=1, seed=0
    )

    def judged(condition, then="reproduced in miniature"):
        path = tmp_path / "claims.yaml"
        path.write_text(
            "- {name: one, claim: It holds., where: Eq. 1, otherwise: refuted, "
            f"then: {then}, all_of: [{condition}]}}"
        )
        (row,) = ledger("quick", path).to_dict("records")
        return row["verdict"], row["evidence"]

    return judged


def test_a_number_decides_both_ways(verdict):
    assert verdict('{result: made, path: share.low, is: ">", than: 0.2}') == (
        "reproduced in miniature",
        "made: share.low = 0.3 is > 0.2",
    )
    assert verdict('{result: made, path: share.low, is: ">", than: 0.3}') == (
        "refuted",
        "made: share.low = 0.3 is not > 0.3",
    )


def test_rows_are_chosen_and_reduced(verdict):
    one = "{result: made, path: rows, where: {method: %s}, column: low, is: '>', than: %s}"
    assert verdict(one % ("b", 0.4))[0] == "reproduced in miniature"
    assert verdict(one % ("a", "{where: {method: c}, column: high}"))[0] == "reproduced in miniature"
    assert verdict(one % ("c", "{where: {method: a}, column: high}"))[0] == "not tested yet"
    alone = "{result: made, path: share.low, is: '<', than: {path: share.high}}"
    assert verdict(alone) == ("reproduced in miniature", "made: share.low = 0.3 is < share.high = 0.6")
    every = "{result: made, path: rows, column: low, over: %s, is: '==', than: %s}"
    assert verdict(every % ("max", 0.5))[0] == verdict(every % ("min", 0.2))[0] == "reproduced in miniature"


@pytest.mark.parametrize(
    "condition",
    [
        "{result: absent, path: share.low, is: '>', than: 0}",
        "{result: made, path: share.middle, is: '>', than: 0}",
        "{result: made, path: rows, column: low, is: '>', than: 0}",  # three rows where one is meant
        "{result: made, path: rows, where: {method: d}, column: low, over: max, is: '>', than: 0}",
        "{result: made, path: rows, where: {method: b}, column: high, is: '>', than: 0}",  # null
        "{result: made, path: rows, is: '>', than: 0}",
    ],
)
def test_what_is_not_stored_is_not_judged(verdict, condition):
    assert verdict(condition)[0] == "not tested yet"


@pytest.mark.parametrize(
    ("condition", "then", "rule"),
    [
        ("{result: made, path: share.low, is: '≥', than: 0}", "refuted", "one: is: unknown name '≥'"),
        ("{result: made, path: a, is: '>', then: 0}", "refuted", "one: .*unexpected keyword argument 'then'"),
        ("{result: made, path: a, is: '>', than: {were: {}}}", "refuted", "one: than: unknown name 'were'"),
        ("{result: made, path: a, is: '>', than: {over: all}}", "refuted", "one: than.over: unknown name"),
        ("{result: made, path: a, is: '>', than: 0}", "proven", "one: then: unknown name 'proven'"),
        ("{result: made, path: a, is: '>', than: 0}", "not tested", "one: a verdict needs conditions"),
    ],
)
def test_a_bad_rule_is_named(verdict, condition, then, rule):
    with pytest.raises(ValueError, match=rule):
        verdict(condition, then)


def test_without_results_nothing_is_judged(workspace):
    assert set(ledger("quick").verdict) <= {"not tested yet", "not tested"}


def test_every_rule_of_the_ledger_can_go_both_ways(workspace):
    """Each tested claim gets another verdict when its first number is moved past the bound."""
    for claim in load_claims():
        assert claim.then in VERDICTS and claim.where and claim.remark
        if not claim.all_of:
            continue
        seen = {judged(claim, side) for side in (-10.0, 10.0, 0.0)}
        assert claim.otherwise in seen and len(seen) > 1, claim.name


def judged(claim, value):
    for result in {condition.result for condition in claim.all_of}:
        figures = {}
        for condition in (c for c in claim.all_of if c.result == result):
            store(figures, condition.path, condition.where, condition.column, value)
            if not isinstance(condition.than, float | int):
                where = dict(condition.than["where"])
                store(figures, condition.path, where, condition.than["column"], 1.0)
        folder, _, name = result.rpartition("/")
        write_result(folder or "quick", name, copy.deepcopy(figures), parameters={}, samples=1, seed=0)
    return judge(claim).verdict


def store(figures, path, where, column, value):
    *folders, last = path.split(".")
    for name in folders:
        figures = figures.setdefault(name, {})
    if column is None:
        figures[last] = value
        return
    rows = figures.setdefault(last, [])
    match = [row for row in rows if where.items() <= row.items()]
    match[0].update({column: value}) if match else rows.append({**where, column: value})
