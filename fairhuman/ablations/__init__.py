"""Ablations: named settings, trained with equal means from the same seeds, and compared in pairs.

:data:`TABLES` holds the paper's Tables 2, 3 and 5 and what goes beyond them; :class:`Ablations` computes what
is not stored yet, one JSON file a setting and seed; :func:`compare_table` says what the stored files support
and :func:`summarise` keeps it for figures and tables.
"""

from fairhuman.ablations._budget import Budget
from fairhuman.ablations._compare import compare_table, crossed_mean
from fairhuman.ablations._named import SETTINGS, TABLES, Setting, Table, find_settings, find_table
from fairhuman.ablations._runner import FOLDER, Ablations, result_name
from fairhuman.ablations._summary import summarise, summary_name

__all__ = [
    "FOLDER",
    "SETTINGS",
    "TABLES",
    "Ablations",
    "Budget",
    "Setting",
    "Table",
    "compare_table",
    "crossed_mean",
    "find_settings",
    "find_table",
    "result_name",
    "summarise",
    "summary_name",
]
