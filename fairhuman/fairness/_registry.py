"""Strategies by name."""

from __future__ import annotations

from fairhuman.fairness._alpha_fair import alpha_fair_weights, closed_form_weights
from fairhuman.fairness._strategy import FromGramian, LinearScalarisation, Strategy

STRATEGIES = ("ls", "mpd", "mpd_closed_form")
"""Names that :func:`get_strategy` knows, besides ``alpha_fair:<α>``."""


def get_strategy(name: str) -> Strategy:
    """The strategy of that name, fresh.

    Args:
        name: one of :data:`STRATEGIES`, or ``alpha_fair:<α>`` for any α > 0.

    Raises:
        ValueError: if there is no such strategy, or α is not a positive number.

    Example:
        >>> get_strategy("mpd").needs_gramian
        True
    """
    kind, colon, argument = name.partition(":")
    if kind == "alpha_fair" and colon:
        return _alpha_fair(name, argument)
    if name == "ls":
        return LinearScalarisation()
    if name == "mpd":
        return FromGramian(name, alpha_fair_weights)
    if name == "mpd_closed_form":
        return FromGramian(name, closed_form_weights)
    raise ValueError(f"`strategy` must be one of {', '.join(STRATEGIES)} or alpha_fair:<α>. Found {name!r}.")


def _alpha_fair(name: str, argument: str) -> Strategy:
    from fairhuman.fairness._alpha_fair import check_alpha

    try:
        alpha = check_alpha(float(argument))
    except ValueError as error:
        raise ValueError(f"`strategy` alpha_fair:<α> needs a positive, finite α. Found {name!r}.") from error
    return FromGramian(name, lambda gramian: alpha_fair_weights(gramian, alpha))
