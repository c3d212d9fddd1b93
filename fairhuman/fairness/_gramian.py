"""Gram matrices: refusing what is not one, computing one without stacking the gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fairhuman.fairness._lanes import TENSORS, factorise

_CHUNK = 1 << 18
"""Gradient entries copied at a time when a Gram matrix is summed up (2 MB per objective)."""

_NO_PIVOT = 4 * torch.finfo(torch.float64).eps
"""Pivot of a factorisation up to which it may have been clamped from a negative one."""


def rounding_tolerance(dtype: torch.dtype) -> float:
    """How far, relative to √(KᵢᵢKⱼⱼ), a Gram matrix stored in ``dtype`` may be from exact."""
    return min(1024 * torch.finfo(dtype).eps, 0.05)


def check_gramian(gramian: Tensor) -> None:
    """Refuse what cannot be a batch of Gram matrices.

    Rounding of the input's dtype is forgiven: deviations below 1024 ε (at most 0.05) relative to
    √(KᵢᵢKⱼⱼ). Reads the values, so on an accelerator it waits for them.

    Args:
        gramian: shape (..., m, m), floating point.

    Raises:
        TypeError: if ``gramian`` is not a floating-point tensor.
        ValueError: if it is not square, or an entry is not finite, or it is not symmetric, or it has a
            negative eigenvalue; the message gives the position and the value found.
    """
    check_shape(gramian)
    if gramian.numel() == 0:
        return
    tolerance = rounding_tolerance(gramian.dtype)
    K = gramian.detach().to(torch.float64)
    if _are_surely_gramians(K, tolerance):
        return
    if not bool(K.isfinite().all()):
        index = _first(~K.isfinite())
        raise ValueError(f"`gramian` must be finite. Found {K[index].item()} at {list(index)}.")
    diagonal = K.diagonal(dim1=-2, dim2=-1)
    if bool((diagonal < 0).any()):
        index = _first(diagonal < 0)
        raise ValueError(
            "`gramian` must be positive semi-definite, but a squared gradient norm on its diagonal is "
            f"negative: {diagonal[index].item():.6g} at {[*index, index[-1]]}."
        )
    norms = diagonal.sqrt()
    scale = norms.unsqueeze(-1) * norms.unsqueeze(-2)
    skew = (K - K.mT).abs()
    if bool((skew > tolerance * scale).any()):
        index = _first(skew > tolerance * scale)
        mirror = (*index[:-2], index[-1], index[-2])
        raise ValueError(
            f"`gramian` must be symmetric. Found {K[index].item():.6g} at {list(index)} but "
            f"{K[mirror].item():.6g} at {list(mirror)}."
        )
    # A squared norm may have underflowed to 0, but then its inner products are as small as this:
    least = torch.finfo(gramian.dtype).tiny
    excess = (diagonal.unsqueeze(-1) == 0) & (K.abs() > (2 * least * diagonal).sqrt().unsqueeze(-2))
    m = K.shape[-1]
    C = torch.where(scale > 0, K, 0.0) / torch.where(scale > 0, scale, 1.0)
    C = C + torch.diag_embed((diagonal == 0).to(C.dtype) + m * tolerance)
    _, pivots = factorise([[C[..., i, j] for j in range(m)] for i in range(m)], TENSORS)
    # The factorisation clamps a negative pivot to ε: far below the m·tolerance just added.
    suspect = torch.stack(pivots, -1).amin(-1) <= _NO_PIVOT
    suspect = suspect | excess.any(-1).any(-1)
    if bool(suspect.any()):
        index = _first(suspect) if suspect.ndim else ()
        smallest = torch.linalg.eigvalsh(K[index])[0].item()
        where = f" (batch index {list(index)})" if index else ""
        raise ValueError(
            f"`gramian` must be positive semi-definite. Found the eigenvalue {smallest:.6g}{where} beside "
            f"a largest diagonal entry of {diagonal[index].amax().item():.6g}."
        )


def is_surely_gramian(rows: Sequence[Sequence[float]], tolerance: float) -> bool:
    """Whether one small matrix, as nested lists, certainly passes :func:`check_gramian`.

    The same tests in Python floats, without the cost of dispatching tensor operations; strict where a
    norm is 0, so that only the complete check may refuse.
    """
    m = len(rows)
    norms = [math.sqrt(row[i]) if 0 < row[i] < math.inf else 0.0 for i, row in enumerate(rows)]
    if not all(norms):
        return False
    L: list[list[float]] = [[0.0] * m for _ in range(m)]
    pivots: list[float] = []
    for i in range(m):
        for j in range(i + 1):
            entry = rows[i][j] / (norms[i] * norms[j])
            if not abs(entry - rows[j][i] / (norms[i] * norms[j])) <= tolerance:
                return False
            for k in range(j):
                entry -= L[i][k] * L[j][k] * pivots[k]
            if i == j:
                if not entry + m * tolerance > 0:
                    return False
                pivots.append(entry + m * tolerance)
            else:
                L[i][j] = entry / pivots[j]
    return True


def _are_surely_gramians(K: Tensor, tolerance: float) -> bool:
    """:func:`is_surely_gramian` for a batch; what passes is spared the complete check, which is dearer."""
    m = K.shape[-1]
    entries = K.movedim((-2, -1), (0, 1)).contiguous()
    # A norm of 0, infinite or no number makes a pivot NaN, which no comparison below lets pass.
    inverse = [entries[i, i].rsqrt() for i in range(m)]
    C = [[entries[i, j] * (inverse[i] * inverse[j]) for j in range(m)] for i in range(m)]
    skew = [(C[i][j] - C[j][i]).abs() for i in range(m) for j in range(i)]
    for i in range(m):
        C[i][i] = C[i][i] + m * tolerance
    _, pivots = factorise(C, TENSORS)
    symmetric = not skew or bool(torch.stack(skew).amax() <= tolerance)
    return symmetric and bool(torch.stack(pivots).amin() > _NO_PIVOT)


def check_shape(gramian: Tensor) -> None:
    """Refuse anything but a floating-point tensor of square matrices; reads no values."""
    if not isinstance(gramian, Tensor) or not gramian.is_floating_point():
        found = gramian.dtype if isinstance(gramian, Tensor) else type(gramian).__name__
        raise TypeError(f"`gramian` must be a floating-point tensor. Found {found}.")
    if gramian.ndim < 2 or gramian.shape[-1] != gramian.shape[-2] or gramian.shape[-1] == 0:
        raise ValueError(f"`gramian` must have shape (..., m, m) with m ≥ 1. Found {tuple(gramian.shape)}.")


def gramian_of(gradients: Sequence[Sequence[Tensor | None]]) -> Tensor:
    """Inner products of per-objective gradients, summed up chunk by chunk in float64.

    No more than a chunk of the gradients is ever copied, so nothing of the size of the model is
    allocated. Products of float32 entries are exact in float64.

    Args:
        gradients: for each of m objectives, its gradient for each parameter, None standing for zeros.

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
        given = [g for g in columns if g is not None]
        if not given:
            continue
        flat = [torch.zeros_like(given[0]) if g is None else g for g in columns]
        flat = [g.detach().reshape(-1) for g in flat]
        for start in range(0, flat[0].numel(), _CHUNK):
            pieces = [g[start : start + _CHUNK] for g in flat]
            if held + pieces[0].numel() > _CHUNK:
                flush()
            for row, piece in zip(pending, pieces, strict=True):
                row.append(piece)
            held += pieces[0].numel()
    flush()
    return torch.zeros(m, m, dtype=torch.float64) if gramian is None else gramian


def _first(condition: Tensor) -> tuple[int, ...]:
    return tuple(condition.nonzero()[0].tolist())
