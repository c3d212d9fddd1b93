"""Two regressions for many weightings of one sample at once, as a bootstrap needs them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["firth_logistic", "least_squares"]

_STEPS, _LONGEST = 40, 1.5  # Newton's: how many, and how far a coefficient may go in one
_RIDGE = 1e-9  # a resample may lack what a coefficient needs


def firth_logistic(
    design: NDArray[np.floating], outcome: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Logistic regression by Firth's penalised likelihood (1993), for many weightings at once.

    Args:
        design: Shape (n, k).
        outcome: 0 or 1, shape (n,).
        weights: How often each row counts, shape (fits, n).

    Returns:
        Coefficients, shape (fits, k); finite also where outcomes are separated.

    >>> found = firth_logistic(np.ones((4, 1)), np.ones(4), np.ones((1, 4)))
    >>> bool(np.isclose(found[0, 0], np.log(4.5 / 0.5)))  # half a success and half a failure more
    True
    """
    beta = np.zeros((len(weights), design.shape[1]))
    ridge = _RIDGE * np.eye(design.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(beta @ design.T)))
        v = weights * p * (1 - p)
        information = np.einsum("bn,nk,nl->bkl", v, design, design, optimize=True) + ridge
        inverse = np.linalg.inv(information)
        leverage = v * np.einsum("nk,bkl,nl->bn", design, inverse, design, optimize=True)
        gradient = (weights * (outcome - p) + leverage * (0.5 - p)) @ design
        step = np.einsum("bkl,bl->bk", inverse, gradient)
        step *= np.minimum(1, _LONGEST / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def least_squares(
    design: NDArray[np.floating], outcome: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Weighted least squares; arguments and result as of :func:`firth_logistic`, outcomes of any value."""
    normal = np.einsum("bn,nk,nl->bkl", weights, design, design, optimize=True)
    normal += _RIDGE * np.eye(design.shape[1])
    return np.linalg.solve(normal, ((weights * outcome) @ design)[..., None])[..., 0]
