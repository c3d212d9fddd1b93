"""Face shape check: an aligned face mesh against the distribution of renders' meshes.

A detector also finds distorted faces, for example with the mouth on the cheek. Landmarks give the positions
of eyes, nose and mouth; the deviation of such a shape from renders is measured relative to the renders' own
variation in each direction.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fairhuman.files import written_whole

__all__ = ["FACE_SHAPES", "FaceShapes", "align_shape"]

FACE_SHAPES: Final = Path(__file__).parent / "face_shapes.safetensors"
"""Shapes of renders of the preset ``everyday``, as ``benchmarks/face_shapes.py`` fits them."""

_ROUNDS: Final = 5  # of aligning to the mean and averaging again; the mean no longer moves
_NAMES: Final = ("mean", "axes", "variances", "scales", "limit")


@dataclass(frozen=True)
class FaceShapes:
    """The distribution of renders' face shapes.

    Attributes:
        mean: Their mean, shape (points, 3), centred, of unit size.
        axes: Their principal axes, shape (kept, 3 · points).
        variances: Along each axis, shape (kept,).
        scales: Typical values, shape (2,), of a shape's two deviations: along the axes, and off them.
        limit: The distance that contains the given fraction of renders.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    variances: NDArray[np.float64]
    scales: NDArray[np.float64]
    limit: float

    @classmethod
    def fit(
        cls,
        meshes: Sequence[NDArray[np.float64]],
        *,
        explained: float = 0.98,
        share: float = 0.95,
        seed: int = 0,
    ) -> FaceShapes:
        """Fit principal axes on one half of the meshes, and scales and limit on the other.

        Shapes used for fitting the axes are closer to them than others, so a limit from the same shapes would
        be too narrow.

        Args:
            meshes: From :func:`fairhuman.detectors.detect_meshes`, at least 40, each of shape (points, 3).
            explained: Fraction of the variance explained by the axes, in (0, 1).
            share: Fraction of renders within the limit, in (0, 1).
            seed: Seed of the split.

        Raises:
            ValueError: There are too few meshes, or a fraction is out of range.
        """
        if len(meshes) < 40:
            raise ValueError(f"meshes: must be at least 40, got {len(meshes)}")
        for name, value in (("explained", explained), ("share", share)):
            if not 0 < value < 1:
                raise ValueError(f"{name}: must be in (0, 1), got {value!r}")
        order = np.random.default_rng(seed).permutation(len(meshes))
        first, second = (
            [np.asarray(meshes[place], dtype=np.float64) for place in half]
            for half in np.array_split(order, 2)
        )
        mean = _mean_shape(first)
        rows = np.stack([align_shape(mesh, mean).ravel() for mesh in first]) - mean.ravel()
        _, values, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        variances = values**2 / (len(first) - 1)
        kept = int(np.searchsorted(np.cumsum(variances) / variances.sum(), explained)) + 1
        shapes = cls(mean, axes[:kept], variances[:kept], np.ones(2), np.inf)
        deviations = np.array([shapes.deviations(mesh) for mesh in second])
        scales = deviations.mean(axis=0)
        limit = float(np.quantile((deviations / scales).mean(axis=1), share))
        return cls(mean, axes[:kept], variances[:kept], scales, limit)

    def deviations(self, mesh: NDArray[np.float64]) -> tuple[float, float]:
        """Squared deviation along the axes, in units of their variances (Hotelling's T²), and off them.

        Args:
            mesh: Shape (points, 3), in any position, size and orientation.

        Raises:
            ValueError: The number of points differs.
        """
        if np.shape(mesh) != self.mean.shape:
            raise ValueError(f"mesh: must have shape {self.mean.shape}, got {np.shape(mesh)}")
        row = (align_shape(mesh, self.mean) - self.mean).ravel()
        along = self.axes @ row
        return float((along**2 / self.variances).sum()), float(max(0.0, row @ row - along @ along))

    def distance(self, mesh: NDArray[np.float64]) -> float:
        """Mean of both deviations, each in units of its typical value: about 1 for a render.

        This is the combined index of multivariate process monitoring (Yue and Qin, Ind. Eng. Chem. Res. 40,
        2001): the axes' variances detect unusual shapes in directions in which renders vary; deviations that
        no render has lie off the axes.
        """
        return float(np.mean(self.deviations(mesh) / self.scales))

    def holds(self, mesh: NDArray[np.float64]) -> bool:
        """Whether the shape is within the range of renders."""
        return self.distance(mesh) <= self.limit

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the shapes as safetensors in single precision."""
        path = Path(path)
        tensors = {name: np.asarray(getattr(self, name), dtype=np.float32) for name in _NAMES}
        with written_whole(path) as partial:
            save_file({name: np.atleast_1d(value) for name, value in tensors.items()}, partial)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str] = FACE_SHAPES) -> FaceShapes:
        """Read face shapes. Default: those shipped with the package.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: The file is of another kind.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"shapes: no such file: {path}")
        try:
            tensors = {name: value.astype(np.float64) for name, value in load_file(path).items()}
            return cls(*(tensors[name] for name in _NAMES[:-1]), limit=float(tensors["limit"][0]))
        except (SafetensorError, KeyError) as error:
            raise ValueError(f"shapes: {path} holds no face shapes: {error}") from error


def align_shape(points: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """Align points to others by the best similarity transform (Umeyama 1991, no reflection).

    Args:
        points, to: Shape (points, 3).

    >>> shape = np.random.default_rng(0).normal(size=(9, 3))
    >>> turned = 3 * shape[:, [1, 2, 0]] + 5
    >>> bool(np.allclose(align_shape(turned, shape), shape))
    True
    """
    centred, target = points - points.mean(axis=0), to - to.mean(axis=0)
    left, values, right = np.linalg.svd(centred.T @ target)
    signs = np.ones(len(values))
    signs[-1] = np.sign(np.linalg.det(left @ right))
    scale = (values * signs).sum() / (centred**2).sum()
    return scale * centred @ (left * signs) @ right + to.mean(axis=0)


def _mean_shape(meshes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean of the meshes aligned to it (generalised Procrustes), centred and of unit root mean square."""
    mean = _normal(meshes[0])
    for _ in range(_ROUNDS):
        mean = _normal(np.mean([align_shape(mesh, mean) for mesh in meshes], axis=0))
    return mean


def _normal(points: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = points - points.mean(axis=0)
    return centred / np.sqrt((centred**2).sum(axis=1).mean())
