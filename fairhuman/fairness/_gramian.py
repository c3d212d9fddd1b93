"""Gram matrices: validation, and computation without stacking the gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

_CHUNK = 1 << 18
"""Gradient entries copied at a time when accumulating a Gram matrix (2 MB per objective)."""


def rounding_tolerance(dtype: torch.dtype) -> float:
    """Tolerated error of a Gram matrix stored in ``dtype``, relative to √(KᵢᵢKⱼⱼ)."""
    return min(1024 * torch.finfo(dtype).eps, 0.05)


def check_gramian(gramian: Tensor) -> None:
    """Check that a tensor is a batch of Gram matrices.

    Rounding errors of the input's dtype are tolerated: deviations below 1024 ε (at most 0.05) relative to
    √(KᵢᵢKⱼⱼ).

    Args:
        gramian: shape (..., m, m), floating point.

    Raises:
        TypeError: if ``gramian`` is not a floating-point tensor.
        ValueError: if a matrix is not square, finite, symmetric and positive semi-definite; the message gives
            the position and value of the violation.
    """
    check_shape(gramian)
    K = as_array(gramian)
    if not np.isfinite(K).all():
        index = _first(~np.isfinite(K))
        raise ValueError(f"gramian: must be finite, got {K[index]} at {list(index)}")
    squares = np.diagonal(K, axis1=-2, axis2=-1)
    if (squares < 0).any():
        index = _first(squares < 0)
        raise ValueError(
            "gramian: must be positive semi-definite, got a negative squared gradient norm on its diagonal: "
            f"{squares[index]:.6g} at {[*index, index[-1]]}"
        )
    tolerance = rounding_tolerance(gramian.dtype)
    norms = np.sqrt(squares)
    scale = norms[..., :, None] * norms[..., None, :]
    skewed = np.abs(K - K.swapaxes(-1, -2)) > tolerance * scale
    if skewed.any():
        index = _first(skewed)
        mirror = (*index[:-2], index[-1], index[-2])
        raise ValueError(
            f"gramian: must be symmetric, got {K[index]:.6g} at {list(index)} but "
            f"{K[mirror]:.6g} at {list(mirror)}"
        )
    _check_definite(K, squares, scale, tolerance, float(torch.finfo(gramian.dtype).tiny))


def _check_definite(K: Array, squares: Array, scale: Array, tolerance: float, tiny: float) -> None:
    m = K.shape[-1]
    absent = squares == 0
    # A squared norm may have underflowed to 0, but then its inner products are as small as this:
    excess = absent[..., :, None] & (np.abs(K) > np.sqrt(2 * tiny * squares)[..., None, :])
    cosines = K / np.where(scale > 0, scale, np.inf)
    lifted = cosines + (absent + m * tolerance)[..., None] * np.eye(m)
    if not excess.any():
        try:
            np.linalg.cholesky(lifted)
            return
        except np.linalg.LinAlgError:
            pass
    suspect = excess.any((-2, -1)) | (np.linalg.eigvalsh(lifted)[..., 0] <= 0)
    if not suspect.any():
        return
    index = _first(suspect) if suspect.ndim else ()
    least = np.linalg.eigvalsh(K[index])[0]
    where = f" (batch index {list(index)})" if index else ""
    raise ValueError(
        f"gramian: must be positive semi-definite, got the eigenvalue {least:.6g}{where} beside a largest "
        f"diagonal entry of {squares[index].max():.6g}"
    )


def as_array(gramian: Tensor) -> Array:
    """Copy the matrices to the host in float64; synchronises with an accelerator."""
    return gramian.detach().to("cpu", torch.float64).numpy()


def check_shape(gramian: Tensor) -> None:
    """Check that the argument is a floating-point tensor of square matrices, without reading values."""
    if not isinstance(gramian, Tensor) or not gramian.is_floating_point():
        found = gramian.dtype if isinstance(gramian, Tensor) else type(gramian).__name__
        raise TypeError(f"gramian: must be a floating-point tensor, got {found}")
    if gramian.ndim < 2 or gramian.shape[-1] != gramian.shape[-2] or gramian.shape[-1] == 0:
        raise ValueError(f"gramian: must have shape (..., m, m) with m ≥ 1, got {tuple(gramian.shape)}")


def gramian_of(gradients: Sequence[Sequence[Tensor | None]]) -> Tensor:
    """Inner products of per-objective gradients, accumulated in chunks in float64.

    At most one chunk of the gradients is copied at a time, so nothing as large as the model is allocated;
    sparse gradients are densified one by one. Products of float32 entries are exact in float64. A complex
    entry counts as two real entries, so the result is the real part of the complex inner product.

    Args:
        gradients: for each of m objectives, its gradient with respect to each parameter; None means zeros.

    Returns:
        shape (m, m), float64, on the gradients' device (the CPU if there are none).
    """
    m = len(gradients)
    gramian: Tensor | None = None
    pending: list[list[Tensor]] = [[] for _ in range(m)]
    held = 0

    def flush() -> None:
        nonlocal gramian, held
        if held:
            G = torch.stack([torch.cat(row) if len(row) > 1 else row[0] for row in pending])
            G = G.to(torch.float64)
            product = G @ G.mT
            gramian = product if gramian is None else gramian + product.to(gramian.device)
        for row in pending:
            row.clear()
        held = 0

    for columns in zip(*gradients, strict=True):
        if all(g is None for g in columns):
            continue
        dense = [g if g is None else _real_and_dense(g.detach()) for g in columns]
        model = next(g for g in dense if g is not None)
        flat = [(torch.zeros_like(model) if g is None else g).reshape(-1) for g in dense]
        for start in range(0, flat[0].numel(), _CHUNK):
            pieces = [g[start : start + _CHUNK] for g in flat]
            if held + pieces[0].numel() > _CHUNK:
                flush()
            for row, piece in zip(pending, pieces, strict=True):
                row.append(piece)
            held += pieces[0].numel()
    flush()
    return torch.zeros(m, m, dtype=torch.float64) if gramian is None else gramian


def _real_and_dense(gradient: Tensor) -> Tensor:
    gradient = gradient.to_dense() if gradient.is_sparse else gradient
    return torch.view_as_real(gradient.resolve_conj()) if gradient.is_complex() else gradient


def _first(condition: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.argwhere(condition)[0].tolist())
