"""Evaluation of arbitrary images by all metrics: tidy rows for a file, tables for the terminal."""

from fairhuman.evaluation.evaluate._evaluate import EvaluateSettings, evaluate_folders, evaluate_images
from fairhuman.evaluation.evaluate._file import check_place, write_evaluation
from fairhuman.evaluation.evaluate._sets import ImageSets, paired_sets, read_sets
from fairhuman.evaluation.evaluate._terminal import terminal_tables

__all__ = [
    "EvaluateSettings",
    "ImageSets",
    "check_place",
    "evaluate_folders",
    "evaluate_images",
    "paired_sets",
    "read_sets",
    "terminal_tables",
    "write_evaluation",
]
