"""Human Preference Score v2.1, ImageReward and CLIP score from their published weights.

The networks are those of transformers, with the published weights, so no further packages are needed. The
weights, between 1.7 and 2 GB each, are not shipped, and are downloaded only with ``download``; without them,
a column is empty and gives the reason.

>>> from fairhuman.evaluation.preference import preference_scores
>>> table = preference_scores({"base": []}, [])
>>> list(table.columns)
['system', 'image', 'hps_v2.1', 'image_reward', 'clip_score']
"""

from fairhuman.evaluation.preference._scorers import (
    SCORERS,
    ClipScore,
    Hps,
    ImageReward,
    Scorer,
    load_scorer,
)
from fairhuman.evaluation.preference._table import (
    preference_estimates,
    preference_scores,
)
from fairhuman.evaluation.preference._weights import MissingWeights

__all__ = [
    "SCORERS",
    "ClipScore",
    "Hps",
    "ImageReward",
    "MissingWeights",
    "Scorer",
    "load_scorer",
    "preference_estimates",
    "preference_scores",
]
