"""Raters' answers, checked and assigned to systems by the key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ._ballot import CHECK, QUESTIONS

CHOICES = ("left", "right", "tie")


def read_answers(files: Iterable[Path], key: Mapping[str, Any]) -> pd.DataFrame:
    """Read the raters' files and map their choices to systems.

    Args:
        files: JSON files saved by the page, complete or not.
        key: Content of ``key.json``.

    Returns:
        See :func:`tabulate_answers`.

    Raises:
        ValueError: A file is unreadable, belongs to another study or has invalid answers, or a rater has two
            files. The message names the file.
    """
    contents = []
    for file in files:
        try:
            content = json.loads(Path(file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"answers: cannot read {file}: {error}") from error
        _check(content, key, str(file))
        contents.append(content)
    raters = [content["rater"] for content in contents]
    for rater in set(raters):
        if raters.count(rater) > 1:
            raise ValueError(f"answers: must be one file per rater, got {raters.count(rater)} of {rater}")
    return tabulate_answers(contents, key)


def tabulate_answers(contents: Sequence[Mapping[str, Any]], key: Mapping[str, Any]) -> pd.DataFrame:
    """Answers by system.

    Returns:
        One row for each answer: ``rater``, ``trial``, ``question``, ``first``, ``second`` (the systems
        compared, always in the key's order), ``score`` of the first as in §9.2 (1 if it was chosen, 0 if the
        other was, 0.5 for a tie), ``left`` (whether the first was on the left).
    """
    rows = []
    for content in contents:
        ballot = key["ballots"][content["rater"] % len(key["ballots"])]
        for number, swapped in ballot:
            trial = key["trials"][number]
            for question, choice in content["answers"].get(trial["name"], {}).items():
                if question not in QUESTIONS:
                    continue  # seconds
                chose_first = (choice == "left") != swapped
                rows.append(
                    {
                        "rater": content["rater"],
                        "trial": trial["name"],
                        "question": question,
                        "first": trial["systems"][0],
                        "second": trial["systems"][1],
                        "score": 0.5 if choice == "tie" else float(chose_first),
                        "left": not swapped,
                    }
                )
    columns = ["rater", "trial", "question", "first", "second", "score", "left"]
    return pd.DataFrame(rows, columns=columns)


def split_checks(answers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The comparisons, and the attention checks, in which a score of 1 is right."""
    checks = answers.second == CHECK
    return answers[~checks].reset_index(drop=True), answers[checks].reset_index(drop=True)


def _check(content: Any, key: Mapping[str, Any], file: str) -> None:
    if not isinstance(content, dict) or content.get("study") != key["study"]:
        found = content.get("study") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"answers: {file} must be of study {key['study']}, got {found!r}")
    rater = content.get("rater")
    if isinstance(rater, bool) or not isinstance(rater, int) or rater < 0:
        raise ValueError(f"answers: {file}: rater must be a number ≥ 0, got {rater!r}")
    known = {trial["name"] for trial in key["trials"]}
    answers = content.get("answers")
    if not isinstance(answers, dict):
        raise ValueError(f"answers: {file}: answers must be a mapping of trials, got {answers!r}")
    for trial, given in answers.items():
        if trial not in known:
            raise ValueError(f"answers: {file}: no trial {trial!r} in this study")
        if not isinstance(given, dict):
            raise ValueError(f"answers: {file}: {trial} must map questions to choices, got {given!r}")
        for question in QUESTIONS:
            if question in given and given[question] not in CHOICES:
                raise ValueError(
                    f"answers: {file}: {trial}.{question} must be one of {', '.join(CHOICES)}, "
                    f"got {given[question]!r}"
                )
