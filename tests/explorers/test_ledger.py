"""The ledger that a reader filters: its widget, its stored page, and that page in a browser."""

import re
from pathlib import Path

import pandas as pd
import pytest

from fairhuman.experiments.claims import ledger
from fairhuman.explorers import MIME, LedgerExplorer

ROOT = Path(__file__).parents[2]
TITLE = "The ledger of claims"


@pytest.fixture(scope="module")
def findings():
    return ledger()


def test_the_stored_page_is_what_the_stored_results_give(findings):
    explorer = LedgerExplorer(findings)
    explorer.words = "a reader's search, which is no part of the page"
    assert (ROOT / "figures" / "ledger.html").read_text() == explorer.page(TITLE)


def test_choices_survive_another_run_of_the_cell(findings):
    LedgerExplorer(findings[:20]).verdict = "half"
    assert LedgerExplorer(findings[:20]).verdict == "half"
    assert LedgerExplorer(findings[:21]).verdict == ""


def test_a_choice_that_no_row_has_is_refused(findings):
    with pytest.raises(ValueError, match=r"section: must be one of .*got '§99'"):
        LedgerExplorer(findings, section="§99")


def test_without_a_kernel_it_is_a_table_of_all_rows(findings):
    bundle, _ = LedgerExplorer(findings)._repr_mimebundle_()
    assert bundle["text/html"].count("<tr>") == len(findings) + 1
    assert pd.DataFrame(bundle[MIME]["values"]["rows"]).equals(findings)


def test_the_page_is_filtered_searched_and_linked(findings, chromium):
    page = ROOT / "figures" / "ledger.html"
    with chromium() as context:
        tab, complaints = context.new_page(), []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(page.as_uri())
        count, rows = tab.get_by_role("status"), tab.locator("tbody tr")
        assert count.inner_text() == f"{len(findings)} of {len(findings)} rows"
        assert rows.count() == len(findings)
        links = tab.evaluate(
            "Array.from(document.querySelectorAll('.links a'), link => link.getAttribute('href'))"
        )
        assert len(links) > len(findings)
        assert [link for link in set(links) if not (page.parent / link).is_file()] == []

        verdict = tab.get_by_label("verdict")
        verdict.select_option("does not hold")
        known = findings[findings.verdict == "does not hold"]
        assert count.inner_text().startswith(f"{len(known)} of ")
        assert rows.locator("td:nth-child(2)").all_inner_texts() == list(known.claim)

        tab.get_by_label("contains").press_sequentially("EQ. 10")
        both = known[known.apply(lambda row: "eq. 10" in " ".join(row).lower(), axis=1)]
        assert 0 < len(both) < len(known)
        assert rows.locator("td:nth-child(2)").all_inner_texts() == list(both.claim)

        tab.get_by_label("contains").fill("no row says this")
        assert count.inner_text().startswith("0 of ") and rows.count() == 0
        tab.get_by_role("button", name="show all").press("Enter")
        assert rows.count() == len(findings) and verdict.input_value() == ""
        assert complaints == []


def test_no_verdict_is_without_a_colour(findings):
    text = LedgerExplorer(findings).page(TITLE)
    shades = re.search(r"const COLOURS = (\{.*?\});", text)[1]
    assert [name for name in findings.verdict.unique() if f'"{name}": "#' not in shades] == []
