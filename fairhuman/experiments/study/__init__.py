"""A user study as in §9.2 of the paper: blind ballots on a single page, answers, scores and agreement.

:func:`build_study` pairs the images of several systems, anonymises them and balances their sides;
:func:`write_study` writes one HTML page for the raters and a separate key; :func:`read_answers` reads their
answers, and :func:`score_study` computes preferences and agreement.
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
