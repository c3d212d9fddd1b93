"""Figures in one style, saved with their data and redrawn from stored results.

A drawing function takes a result's values and returns a Matplotlib figure with the data it shows;
``@drawn_from(result, name)`` makes it known to :func:`redraw`.
"""

# Each module that holds drawings registers them when it is imported.
from ._ablations import ablation_figure, ablation_latex, ablation_markdown, primary_figure, primary_markdown
from ._amortised import amortised_figure
from ._base import base_detection_figure, base_progress_figure, base_training_figure
from ._claims import ledger_figure
from ._derivation import (
    condition_figure,
    dimension_figure,
    maps_figure,
    rates_figure,
    shrinking_figure,
    stationary_figure,
    strategies_figure,
)
from ._efficiency import PAPER_MEMORY, STEP_NAMES, efficiency_figure, step_cost_figure
from ._evaluation import detection_figure, image_metrics_figure, losses_figure, rates_by_area_figure
from ._files import preview, save, stored, write_text
from ._humans import annotation_figure, areas_figure, boxes_figure, draw_regions
from ._index import figure_index
from ._marks import draw_estimates, label
from ._motivation import motivation_figure, repair_figure
from ._objectives import latent_masks_figure, shares_figure, timestep_conflict_figure
from ._paper import PAPER_ABLATIONS, PAPER_COLUMNS
from ._pipeline import pipeline_figure
from ._redraw import drawn_profiles, redraw
from ._registry import DRAWINGS, Drawing, drawn_from
from ._study import preference_figure
from ._style import COLOURS, COLUMN, PAGE, colour, style
from ._tables import images_table, latex_table, markdown_table, supported_best
from ._training import conflict_figure, controlnet_heldout_figure, gradients_figure, heldout_figure

__all__ = [
    "COLOURS",
    "COLUMN",
    "DRAWINGS",
    "PAGE",
    "PAPER_ABLATIONS",
    "PAPER_COLUMNS",
    "PAPER_MEMORY",
    "STEP_NAMES",
    "Drawing",
    "ablation_figure",
    "ablation_latex",
    "ablation_markdown",
    "amortised_figure",
    "annotation_figure",
    "areas_figure",
    "base_detection_figure",
    "base_progress_figure",
    "base_training_figure",
    "boxes_figure",
    "colour",
    "condition_figure",
    "conflict_figure",
    "controlnet_heldout_figure",
    "detection_figure",
    "dimension_figure",
    "draw_estimates",
    "draw_regions",
    "drawn_from",
    "drawn_profiles",
    "efficiency_figure",
    "figure_index",
    "gradients_figure",
    "heldout_figure",
    "image_metrics_figure",
    "images_table",
    "label",
    "latent_masks_figure",
    "latex_table",
    "ledger_figure",
    "losses_figure",
    "maps_figure",
    "markdown_table",
    "motivation_figure",
    "pipeline_figure",
    "preference_figure",
    "preview",
    "primary_figure",
    "primary_markdown",
    "rates_by_area_figure",
    "rates_figure",
    "redraw",
    "repair_figure",
    "save",
    "shares_figure",
    "shrinking_figure",
    "stationary_figure",
    "step_cost_figure",
    "strategies_figure",
    "stored",
    "style",
    "supported_best",
    "timestep_conflict_figure",
    "write_text",
]
