"""Whole numbers among settings."""

from __future__ import annotations

__all__ = ["check_whole"]


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuses what is no whole number from ``least`` to ``most``; the message names rule and value."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}: must be a whole number {bounds}, got {value!r}")
