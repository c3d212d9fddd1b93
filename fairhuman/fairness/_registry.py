"""Strategies by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fairhuman.fairness._alpha_fair import alpha_fair_weights, check_alpha, closed_form_weights
from fairhuman.fairness._amortised import Amortised
from fairhuman.fairness._nash import Nash
from fairhuman.fairness._optional import needs_torchjd
from fairhuman.fairness._strategy import FromGramian, LinearScalarisation, Strategy


def _dwa(**options: Any) -> Strategy:
    from fairhuman.fairness._scalarisers import DynamicWeightAverage

    return DynamicWeightAverage(**options)


def _uw(**options: Any) -> Strategy:
    from fairhuman.fairness._scalarisers import UncertaintyWeighting

    return UncertaintyWeighting(**options)


def _rlw(**options: Any) -> Strategy:
    from fairhuman.fairness._scalarisers import RandomWeighting

    return RandomWeighting(**options)


def _si() -> Strategy:
    from fairhuman.fairness._scalarisers import ScaleInvariant

    return ScaleInvariant()


def _mpd() -> Strategy:
    return FromGramian("mpd", alpha_fair_weights)


def _closed_form() -> Strategy:
    return FromGramian("mpd_closed_form", closed_form_weights)


def _official() -> Strategy:
    from torchjd.aggregation import FairGradWeighting

    solver = FairGradWeighting(2.0)

    def weights(gramian: Tensor) -> Tensor:
        return solver(gramian.float()) * len(gramian)

    return FromGramian("fairgrad_official", weights, keep_absent=True)


def _mgda(**options: Any) -> Strategy:
    from torchjd.aggregation import MGDAWeighting

    return FromGramian("mgda", MGDAWeighting(**options))


def _upgrad() -> Strategy:
    from torchjd.aggregation import UPGradWeighting

    return FromGramian("upgrad", UPGradWeighting())


_MAKERS: dict[str, Callable[..., Strategy]] = {
    "ls": LinearScalarisation,
    "dwa": _dwa,
    "uw": _uw,
    "rlw": _rlw,
    "si": _si,
    "nash_mtl": Nash,
    "mpd": _mpd,
    "mpd_amortised": Amortised,
    "mpd_closed_form": _closed_form,
    "fairgrad_official": _official,
    "mgda": _mgda,
    "upgrad": _upgrad,
}

STRATEGIES = tuple(_MAKERS)
"""Names that :func:`get_strategy` knows, besides ``alpha_fair:<α>`` and ``ls:<w₁>,<w₂>,…``."""


def get_strategy(name: str, **options: Any) -> Strategy:
    """A fresh strategy.

    - ``ls``: linear scalarisation, all weights 1; ``ls:1,20,60``: these weights, in the objectives' order;
    - ``dwa``, ``uw``, ``rlw``, ``si``: weights from the losses' values (torchjd's scalarisers);
    - ``mpd``: minimum potential delay, Eq. 8 solved exactly; ``alpha_fair:<α>``: any other fairness;
    - ``mpd_amortised``: ``mpd`` at the price of ``ls`` (:class:`Amortised`);
    - ``mpd_closed_form``: Eq. 10 as printed;
    - ``fairgrad_official``: Eq. 8 by ``scipy.optimize.least_squares`` on float32 inner products, times the
      number of objectives, as the released code has it;
    - ``nash_mtl``: the Nash bargaining solution, solved exactly and cut to length 1;
    - ``mgda``, ``upgrad``: torchjd's.

    ``dwa``, ``uw``, ``rlw``, ``si``, ``fairgrad_official``, ``mgda`` and ``upgrad`` need torchjd.

    Args:
        name: one of :data:`STRATEGIES`, or ``alpha_fair:<α>`` for any α > 0, or ``ls:`` and weights > 0.
        options: keyword arguments of that strategy, such as ``period`` of ``dwa``.

    Raises:
        ValueError: if there is no such strategy, an option is out of range, α or a weight is not positive.
        TypeError: if the strategy has no such option.
        ImportError: if the strategy needs torchjd, or torchjd an optional dependency, that is not installed;
            gives the command that installs it.

    Example:
        >>> get_strategy("mpd").needs_gramian, get_strategy("ls").needs_gramian
        (True, False)
    """
    kind, colon, argument = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind == "alpha_fair" and colon:
        return _alpha_fair(name, argument, **options)
    if kind == "ls" and colon:
        return _constant_weights(name, argument, **options)
    if name not in _MAKERS:
        raise ValueError(
            f"strategy: must be one of {', '.join(STRATEGIES)}, alpha_fair:<α> or ls:<w₁>,<w₂>,…, "
            f"got {name!r}"
        )
    with needs_torchjd(f"Strategy `{name}`"):
        return _MAKERS[name](**options)


def _constant_weights(name: str, argument: str) -> Strategy:
    try:
        return LinearScalarisation([float(one) for one in argument.split(",")])
    except ValueError as error:
        raise ValueError(
            f"strategy: ls:<w₁>,<w₂>,… must have positive, finite weights, got {name!r}"
        ) from error


def _alpha_fair(name: str, argument: str) -> Strategy:
    try:
        alpha = check_alpha(float(argument))
    except ValueError as error:
        raise ValueError(f"strategy: alpha_fair:<α> must have a positive, finite α, got {name!r}") from error
    return FromGramian(name, lambda gramian: alpha_fair_weights(gramian, alpha))
