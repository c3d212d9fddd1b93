"""A user study as in §9.2 of the paper: blind ballots on one page, answers, scores and agreement.

:func:`build_study` pairs the images of several systems, hides which is which and balances their sides;
:func:`write_study` leaves one HTML page for the raters and, apart from it, the key; :func:`read_answers`
takes back what they sent, and :func:`score_study` says which system they preferred and how far they agreed.
"""

from ._agreement import krippendorff_alpha
from ._answers import read_answers, tabulate_answers
from ._ballot import QUESTIONS, Study, Trial, build_study
from ._page import write_study
from ._scores import preference_scores, score_study
from ._simulation import simulate_raters

__all__ = [
    "QUESTIONS",
    "Study",
    "Trial",
    "build_study",
    "krippendorff_alpha",
    "preference_scores",
    "read_answers",
    "score_study",
    "simulate_raters",
    "tabulate_answers",
    "write_study",
]
