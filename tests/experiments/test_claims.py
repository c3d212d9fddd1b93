"""Verdicts follow from stored results and from nothing else, and change when the results do."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from fairhuman.experiments import figures
from fairhuman.experiments.claims import (
    SECTIONS,
    VERDICTS,
    Part,
    Row,
    cell_rows,
    counts,
    judge,
    ledger,
    ledger_markdown,
    load_rows,
    paper_value,
)
from fairhuman.experiments.claims._rows import row_from
from fairhuman.results import write_result

ROOT = Path(__file__).parents[2]
ROWS = load_rows()


def estimate(low, high, **more):
    return {
        "value": 0.0 if low is None else (low + high) / 2,
        "low": low,
        "high": high,
        "level": 0.95,
        "n": 40,
    } | more


@pytest.fixture
def outcome(workspace):
    """The outcome of one part on a stored estimate."""

    def judged(low, high, is_, *, margin=None, than=0.0, other=None, profiles=("quick",), once=False, **more):
        row = estimate(low, high, **more) | ({} if margin is None else {"margin": margin})
        write_result("quick", "made", {"one": row, "other": other}, parameters={}, samples=1, seed=0)
        part = Part(is_=is_, result="made", at="one", than=than, once=once, says="it")
        return part.judged(profiles)

    return judged


@pytest.mark.parametrize(
    ("low", "high", "is_", "expected"),
    [
        (0.1, 0.3, "higher", "holds"), (-0.1, 0.3, "higher", "open"), (-0.3, -0.1, "higher", "fails"),
        (-0.3, -0.1, "lower", "holds"), (-0.1, 0.3, "lower", "open"), (0.1, 0.3, "lower", "fails"),
        (-0.02, 0.03, "higher", "equal"), (-0.02, 0.03, "lower", "equal"),
        (-0.02, 0.03, "different", "equal"),
        (0.1, 0.3, "different", "holds"), (-0.1, 0.3, "different", "open"),
        (-0.02, 0.03, "equal", "holds"), (0.01, 0.03, "equal", "holds"), (-0.1, 0.03, "equal", "open"),
        (0.01, 0.3, "equal", "fails"), (-0.3, -0.01, "equal", "fails"),
        (-0.3, 0.03, "not higher", "holds"), (0.01, 0.03, "not higher", "holds"),
        (-0.1, 0.3, "not higher", "open"), (0.01, 0.3, "not higher", "fails"),
        (-0.03, 0.3, "not lower", "holds"), (-0.3, 0.1, "not lower", "open"),
        (-0.3, -0.01, "not lower", "fails"),
    ],
)  # fmt: skip
def test_the_ends_of_the_interval_decide(outcome, low, high, is_, expected):
    assert outcome(low, high, is_, margin=0.05).outcome == expected


def test_the_point_decides_nothing(outcome):
    """The same value, with ends on either side of the bound."""
    for value in (-5.0, 0.2, 5.0):
        assert outcome(-0.1, 0.3, "higher", value=value).outcome == "open"
        assert outcome(0.1, 0.3, "higher", value=value).outcome == "holds"


def test_without_a_margin_nothing_is_equal(outcome):
    assert outcome(-0.001, 0.001, "higher").outcome == "open"
    assert outcome(-0.001, 0.001, "equal").outcome == "absent"  # a rule that its result cannot serve


def test_no_interval_and_one_training_leave_a_part_open(outcome):
    assert outcome(None, None, "higher").outcome == "open"
    assert "no interval" in outcome(None, 0.3, "higher").words
    assert outcome(0.1, 0.3, "higher", once=True).outcome == "open"
    alone = outcome(0.1, 0.3, "higher", seeds=1)
    assert alone.outcome == "open" and "trained once" in alone.words and "over images alone" in alone.least
    assert outcome(0.1, 0.3, "higher", seeds=3).outcome == "holds"


def test_an_open_part_says_what_would_have_been_found(outcome):
    assert outcome(-0.1, 0.3, "higher", least_detectable=0.29).least == "it: 0.29"
    width = outcome(-0.2, 0.2, "higher").least  # half of the interval and 0.84 standard errors
    assert float(width.split(": ")[1]) == pytest.approx(0.2 * (1 + 0.8416 / 1.96), rel=0.01)
    assert outcome(-0.1, 0.3, "higher", value=0.1, share=0.2, least_detectable=0.3).least == "it: 60 %"
    assert outcome(0.1, 0.3, "higher").least == ""


def test_two_estimates_are_compared_by_their_near_ends(outcome):
    apart, near = estimate(0.0, 0.05), estimate(0.0, 0.15)
    assert outcome(0.1, 0.3, "higher", than="other", other=apart).outcome == "holds"
    assert outcome(0.1, 0.3, "higher", than="other", other=near).outcome == "open"
    assert outcome(0.1, 0.3, "lower", than="other", other=apart).outcome == "fails"
    assert outcome(0.1, 0.3, "higher", than="other", other=estimate(None, None)).outcome == "open"


@pytest.fixture
def number(workspace):
    def judged(values, is_, than=0.0, **more):
        write_result("quick", "made", {"values": values, "bound": 0.5}, parameters={}, samples=1, seed=0)
        return Part(is_=is_, result="made", at="values", than=than, says="it", **more).judged(["quick"])

    return judged


def test_a_number_is_held_against_a_bound(number):
    assert number(0.3, "<=", 0.3).outcome == number(0.3, "<", "bound").outcome == "holds"
    assert number(0.3, "<", 0.3).outcome == number(0.6, "<", "bound").outcome == "fails"
    assert number(0.3, "==", 0.3).outcome == number(0.3, "!=", 0.2).outcome == "holds"


def test_nulls_and_infinities_count_against_a_bound(number):
    rows = [{"excess": 0.1}, {"excess": 0.2}]
    for over, bound in (("max", 0.2), ("min", 0.1)):
        assert number(rows, "==", bound, over=over, column="excess").outcome == "holds"
    infinite = [*rows, {"excess": float("inf")}]
    for is_, over in (("<=", "max"), (">=", "min")):
        found = number(infinite, is_, 9.0, over=over, column="excess")
        assert found.outcome == "fails" and "1 of 3" in found.words and "not finite" in found.words
    assert number(None, "<=", 9.0).outcome == number(float("nan"), ">=", -9.0).outcome == "fails"
    assert number([], "<=", 9.0, over="max", column="excess").outcome == "absent"


def test_a_pair_is_found_either_way_round(workspace):
    row = estimate(0.1, 0.3, reference="a", setting="b", region="face", share=0.5)
    write_result(
        "quick", "made", {"differences": [row, row | {"region": "hand"}]}, parameters={}, samples=1, seed=0
    )

    def judged(pair, is_, **where):
        return Part(is_=is_, result="made", pair=pair, where=where, says="it").judged(["quick"])

    assert judged(["a", "b"], "higher", region="face").outcome == "holds"
    turned = judged(["b", "a"], "lower", region="face")
    assert turned.outcome == "holds" and "-50 % [-75, -25]" in turned.words
    assert judged(["a", "b"], "higher").outcome == "absent"  # two rows where one is meant
    assert judged(["a", "c"], "higher", region="face").outcome == "absent"


def test_the_first_profile_with_the_result_counts(workspace):
    part = Part(is_="higher", result="made", at="one", says="it")
    assert part.judged(["full", "quick"]).words == "it: no result made"
    for profile, low in (("quick", 0.1), ("full", -0.1)):
        write_result(profile, "made", {"one": estimate(low, 0.3)}, parameters={}, samples=1, seed=0)
    assert part.judged(["full", "quick"]).outcome == "open"
    assert part.judged(["quick", "full"]).outcome == "holds"
    assert part.judged(["quick"]).result == "quick/made"
    write_result("full", "made", {"other": 1}, parameters={}, samples=1, seed=0)
    lacking = part.judged(["full", "quick"])  # what long runs have not compared, ten steps do not decide
    assert (lacking.outcome, lacking.result) == ("absent", "full/made")


def test_what_the_paper_prints_is_compared_as_printed():
    same = ["Table 1/general T2I/MoLE/FID", "Table 1/general T2I/MoLE/FID"]
    assert Part(is_="==", paper=same).judged(()).outcome == "holds"
    assert Part(is_="<", paper=same).judged(()).outcome == "fails"
    assert paper_value("Table 5/strategy/SI/FID") == 46.01
    with pytest.raises(ValueError, match="cell 'Table 1/general T2I/Mole/FID': unknown name 'Mole'"):
        paper_value("Table 1/general T2I/Mole/FID")
    with pytest.raises(ValueError, match="unknown name 'pose'"):
        paper_value("Table 1/general T2I/MoLE/pose")


@pytest.fixture
def verdict(workspace):
    """The verdict of a row whose parts have these outcomes."""
    ends = {"holds": (0.1, 0.3), "fails": (-0.3, -0.1), "equal": (-0.01, 0.01), "open": (-0.1, 0.3)}
    values = {name: estimate(*found, margin=0.05, least_detectable=0.25) for name, found in ends.items()}
    write_result("quick", "made", values, parameters={}, samples=1, seed=0)

    def judged(*outcomes, kind="statement", formal=False):
        parts = tuple(Part(is_="higher", result="made", at=name, says=f"is {name}") for name in outcomes)
        row = Row("x", kind, "§1", "§1", "It is so.", parts, formal=formal)
        return judge(row, ["quick"])

    return judged


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["holds", "holds"], "holds in miniature"),
        (["holds", "open"], "half"), (["holds", "fails"], "half"), (["holds", "absent"], "half"),
        (["fails", "fails"], "does not hold"), (["equal"], "does not hold"),
        (["fails", "open"], "does not hold"),
        (["open", "open"], "inconclusive"), (["open", "absent"], "inconclusive"),
        (["absent", "absent"], "not tested yet"),
    ],
)  # fmt: skip
def test_parts_make_a_verdict(verdict, outcomes, expected):
    found = verdict(*outcomes)
    assert found.verdict == expected and expected in VERDICTS
    if expected == "half":
        assert "holds: is holds" in found.note
    if "open" in outcomes and expected in ("half", "inconclusive"):
        assert "least detectable: is open: 0.25" in found.note
    if expected == "holds in miniature":
        assert verdict(*outcomes, formal=True).verdict == "holds"


def test_a_cell_s_measures_must_all_speak_against_it(verdict):
    assert verdict("equal", "open", kind="cell").verdict == "inconclusive"
    assert verdict("fails", "absent", kind="cell").verdict == "inconclusive"
    assert verdict("fails", "equal", kind="cell").verdict == "does not hold"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"parts": [{"is": "≥", "result": "a", "at": "b"}]}, "x: is: unknown name '≥'"),
        ({"parts": [{"is": ">", "result": "a"}]}, "x: a part needs a result with a path or a pair"),
        (
            {"parts": [{"is": ">", "result": "a", "at": "b", "then": 0}]},
            "x: .*unexpected keyword argument 'then'",
        ),
        ({"parts": [{"is": ">", "result": "a", "at": "b", "over": "all"}]}, "x: over: unknown name 'all'"),
        (
            {"parts": [{"is": "lower", "result": "a", "at": "b", "margin": "los"}]},
            "x: margin: unknown name 'los'",
        ),
        ({}, "x: needs either parts or why it can't be tested"),
        ({"why": "no", "kind": "claim"}, "x: kind: unknown name 'claim'"),
    ],
)
def test_a_bad_row_is_named(changes, rule):
    with pytest.raises(ValueError, match=rule):
        row_from({"id": "x", "kind": "statement", "section": "§1", "where": "§1", "claim": "c", **changes})


def test_every_cell_of_the_tables_has_a_row():
    cells = cell_rows()
    sizes = {
        name: sum(row.section == name for row in cells) for name in dict.fromkeys(r.section for r in cells)
    }
    assert sizes == {"Table 1": 39, "Table 2": 33, "Table 3": 18, "Table 4": 4, "Table 5": 35}
    assert {row.id for row in ROWS if row.kind == "equation"} == {f"Eq. {n}" for n in range(1, 17)}
    assert {row.id for row in ROWS if row.kind == "figure"} == {f"Fig. {n}" for n in range(1, 10)}
    assert {row.id for row in ROWS if row.kind == "deviation"} == {f"D{n}" for n in range(1, 24)}


def test_a_cell_stands_for_the_printed_order():
    by_id = {row.id: row for row in cell_rows()}
    worse = by_id["Table 5/strategy/SI/hand"]
    assert "(93.99) is below that of MPD-FairGrad (94.03)" in worse.claim
    loss, seen = worse.parts
    assert (loss.pair, loss.is_) == (["mpd", "si"], "higher") and (seen.pair, seen.is_) == (
        ["mpd", "si"],
        "lower",
    )
    better = by_id["Table 1/controllable/ControlNet-SDXL/pose"]  # 3.45 degrees of what is better when lower
    assert [(part.pair, part.is_) for part in better.parts] == [
        (["controlnet-mpd", "controlnet-default"], "higher")
    ]
    assert len(by_id["Table 5/strategy/MPD-FairGrad/face"].parts) == 12  # two measures, six rivals
    assert by_id["Table 2/LoRA/l₁/hand"].parts[0].pair == ["sum", "global"]
    assert "the same as that of 256" in by_id["Table 3/LoRA rank/128/HPS"].claim


def test_every_row_can_be_followed():
    for row in ROWS:
        assert row.where and row.claim.endswith((".", ")")) and row.section in SECTIONS, row.id
        assert not row.notebook or (ROOT / "notebooks" / f"{row.notebook}.ipynb").is_file(), row.id
        assert not row.figure or (ROOT / "figures" / row.figure).is_file(), row.id
        assert all(part.says and ":" not in part.says for part in row.parts if not part.paper), row.id
        assert not row.parts or row.notebook or all(part.paper for part in row.parts), row.id


def test_what_was_recorded_in_one_run_is_no_statement_about_formulas():
    """Such rows hold in miniature at most."""
    recorded = [row for row in ROWS if any(part.at.startswith("recorded.") for part in row.parts)]
    assert len(recorded) >= 5 and not [row.id for row in recorded if row.formal]


def test_every_rule_finds_its_result():
    """Paths that lead nowhere would pass for results that are not stored yet."""
    findings = ledger()
    lost = re.findall(r"[^;]*not in [^;]*", " ".join(findings.evidence))
    expected = (
        r"no difference of (controlnet|dwa|uw|rlw|rank|mpd|sum)|not in full/ablations-(2-controlnet|3|5)"
    )
    assert [words for words in lost if not re.search(expected, words)] == []
    assert not findings.evidence.str.contains("no result").any()


def test_rules_judge_the_two_directions_of_every_measured_claim(workspace):
    """Stored intervals moved to the claim's side, and to the other, turn every verdict."""
    moved = {"lower": (-2.0, -1.0), "not higher": (-2.0, -1.0), "higher": (1.0, 2.0), "not lower": (1.0, 2.0),
             "equal": (-1e-9, 1e-9), "different": (1.0, 2.0)}  # fmt: skip
    for row in ROWS:
        parts = [part for part in row.parts if part.pair]
        if not parts or len(parts) != len(row.parts) or any(part.once for part in parts):
            continue
        seen = []
        for sign in (1, -1):
            values = {}
            for part in parts:
                low, high = (sign * end for end in moved[part.is_][::sign])
                if part.is_ in ("equal", "different") and sign < 0:
                    low, high = (1.0, 2.0) if part.is_ == "equal" else (-1e-9, 1e-9)
                found = estimate(low, high, reference=part.pair[0], setting=part.pair[1], seeds=8, margin=0.1)
                values.setdefault(part.result, {}).setdefault(part.rows, []).append(found | dict(part.where))
            for result, stored in values.items():
                write_result("quick", result, stored, parameters={}, samples=1, seed=0)
            seen.append(judge(row, ["quick"]).verdict)
        assert seen == ["holds in miniature", "does not hold"], row.id


def test_without_results_nothing_is_judged_but_what_is_printed(workspace):
    findings = ledger(["quick"])
    judged = findings[~findings.verdict.isin(["not tested yet", "not testable here"])]
    assert set(judged.id) == {row.id for row in ROWS if row.parts and all(part.paper for part in row.parts)}
    assert judged.results.eq("").all() and len(judged) < 10


def test_the_ledger_is_shown_by_section_and_verdict(tmp_path):
    findings = ledger()
    table = counts(findings)
    assert table.to_numpy().sum() == len(findings) and list(table.index) == [
        s for s in SECTIONS if s in table.index
    ]
    assert counts(findings, "kind").loc["cell"].sum() == 129
    drawing, data = figures.ledger_figure(findings)
    assert data.set_index("section").equals(table)
    widths = {(bar.get_y(), round(bar.get_width())) for bar in drawing.axes[0].patches}
    assert len(widths) > 20
    text = ledger_markdown(findings)
    assert text.count("\n| ") == len(findings) + 2 * findings.section.nunique()
    links = set(re.findall(r"\]\(([^)]+)\)", text))
    assert links and [link for link in links if not (ROOT / "figures" / link).resolve().exists()] == []


def test_the_stored_ledger_is_what_the_stored_results_give():
    findings = ledger()
    pd.testing.assert_frame_equal(figures.stored("ledger"), counts(findings).reset_index(), check_names=False)
    assert (ROOT / "figures" / "ledger.md").read_text() == ledger_markdown(findings)


def test_ids_are_given_once(tmp_path):
    text = "common: {kind: statement, section: §1}\nrows:\n"
    text += 2 * "  - {id: a, where: §1, claim: c., why: none}\n"
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match="the id 'a' is given twice"):
        load_rows(tmp_path)
    (tmp_path / "a.yaml").write_text(text.replace("§1}", "§11}").rsplit("  - ", 1)[0])
    with pytest.raises(ValueError, match="a: section: must be one of"):
        load_rows(tmp_path)


def test_a_row_is_judged_by_its_own_rule(workspace):
    """Dropping a part may change a verdict, and never its row."""
    (row,) = [row for row in ROWS if row.id == "Eq. 13"]
    alone = dataclasses.replace(row, parts=row.parts[1:])
    write_result(
        "benchmarks",
        "equations",
        {"eq13_16": {"farther_largest_change": -0.1}},
        parameters={},
        samples=1,
        seed=0,
    )
    assert judge(row, ["quick"]).verdict == "half" and judge(alone, ["quick"]).verdict == "holds"
