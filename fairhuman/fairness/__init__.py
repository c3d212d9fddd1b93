"""Fair directions for several objectives: α-fair weights, strategies and the backward pass.

The paper's minimum potential delay (MPD) direction is the case α = 2. Computing the weights
(:func:`alpha_fair_weights`, a :class:`Strategy`) is separate from applying them (:func:`fair_backward`).
"""

from typing import TYPE_CHECKING, Any

from fairhuman.fairness._alpha_fair import (
    AlphaFairSolution,
    alpha_fair_weights,
    closed_form_weights,
    solve_alpha_fair,
)
from fairhuman.fairness._amortised import Amortised
from fairhuman.fairness._backward import FairAccumulator, FairStep, fair_backward
from fairhuman.fairness._gramian import check_gramian, gramian_of
from fairhuman.fairness._optional import needs_torchjd
from fairhuman.fairness._registry import STRATEGIES, get_strategy
from fairhuman.fairness._strategy import Strategy

if TYPE_CHECKING:
    from fairhuman.fairness._torchjd import AlphaFair as AlphaFair
    from fairhuman.fairness._torchjd import AlphaFairWeighting as AlphaFairWeighting

__all__ = [
    "STRATEGIES",
    "AlphaFairSolution",
    "Amortised",
    "FairAccumulator",
    "FairStep",
    "Strategy",
    "alpha_fair_weights",
    "check_gramian",
    "closed_form_weights",
    "fair_backward",
    "get_strategy",
    "gramian_of",
    "solve_alpha_fair",
]


def __getattr__(name: str) -> Any:
    # Subclasses of torchjd's, which need not be installed: neither loaded with the package nor in __all__.
    if name in ("AlphaFair", "AlphaFairWeighting"):
        with needs_torchjd(f"`{name}`"):
            from fairhuman.fairness import _torchjd

        return getattr(_torchjd, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
