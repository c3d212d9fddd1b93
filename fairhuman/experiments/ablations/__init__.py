"""Ablations: named settings, trained on equal budgets from the same seeds, and compared pairwise.

:data:`TABLES` has the paper's Tables 2, 3 and 5 and further ones; :class:`Ablations` computes missing
results, one JSON file per setting and seed; :func:`compare_table` compares the stored results, and
:func:`summarise` stores the comparison for figures and tables.
"""

from fairhuman.experiments.ablations._budget import NOTEBOOK, Budget, plan_of
from fairhuman.experiments.ablations._compare import compare_pair, compare_table
from fairhuman.experiments.ablations._images import images_name, sample_settings
from fairhuman.experiments.ablations._named import SETTINGS, TABLES, Setting, Table, find_settings, find_table
from fairhuman.experiments.ablations._runner import FOLDER, Ablations, planned, result_name
from fairhuman.experiments.ablations._summary import PRIMARY, primary_family, summarise, summary_name

__all__ = [
    "FOLDER",
    "NOTEBOOK",
    "PRIMARY",
    "SETTINGS",
    "TABLES",
    "Ablations",
    "Budget",
    "Setting",
    "Table",
    "compare_pair",
    "compare_table",
    "find_settings",
    "find_table",
    "images_name",
    "plan_of",
    "planned",
    "primary_family",
    "result_name",
    "sample_settings",
    "summarise",
    "summary_name",
]
