"""The paper's ablation tables, quoted beneath ours and never computed with."""

from collections.abc import Mapping

#: Columns of Tables 2, 3 and 5 that are quoted: face and hand confidence in per cent, FID of the regions.
PAPER_COLUMNS = ("face confidence", "hand confidence", "FID")

#: Our table → the paper's rows: label → values in the order of :data:`PAPER_COLUMNS`. SDXL, 1024², one run
#: per row, no intervals.
PAPER_ABLATIONS: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "2": {
        "LoRA, l₁": (83.84, 92.81, 49.48),
        "LoRA, l₁ + l₂ + l₃, without fairness": (84.82, 93.70, 47.22),
        "LoRA, l₁ + l₂ + l₃, with fairness": (85.31, 94.03, 46.11),
    },
    "2-controlnet": {
        "ControlNet, l₁": (85.13, 93.50, 46.18),
        "ControlNet, l₁ + l₂ + l₃, without fairness": (85.24, 93.99, 46.79),
        "ControlNet, l₁ + l₂ + l₃, with fairness": (85.61, 94.48, 45.36),
    },
    "3": {
        "rank 64": (84.69, 93.25, 47.87),
        "rank 128": (85.11, 93.79, 46.79),
        "rank 256": (85.31, 94.03, 46.11),
    },
    "5": {
        "LS": (84.82, 93.70, 47.22),
        "DWA": (84.86, 93.40, 46.34),
        "UW": (84.15, 93.76, 47.42),
        "RLW": (84.24, 93.80, 47.90),
        "SI": (85.31, 93.99, 46.01),
        "Nash-MTL": (84.33, 93.68, 47.50),
        "MPD-FairGrad": (85.34, 94.03, 46.11),
    },
}
