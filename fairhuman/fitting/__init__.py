"""From photographs to a trained LoRA, a comparison and recommendations, in one call."""

from fairhuman.fitting._advice import Advice
from fairhuman.fitting._fit import Fitted, fit
from fairhuman.fitting._push import push
from fairhuman.fitting._settings import FitSettings, SampleSettings

__all__ = ["Advice", "FitSettings", "Fitted", "SampleSettings", "fit", "push"]
