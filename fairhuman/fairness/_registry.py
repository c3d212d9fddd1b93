"""Strategies by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fairhuman.fairness._alpha_fair import alpha_fair_weights, check_alpha, closed_form_weights
from fairhuman.fairness._amortised import Amortised
from fairhuman.fairness._min_norm import PeriodicMinNorm, SDMGrad
from fairhuman.fairness._nash import Nash
from fairhuman.fairness._optional import needs_torchjd
from fairhuman.fairness._rescaled import AreaMPD, LogLossMPD
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


def _famo(**options: Any) -> Strategy:
    from fairhuman.fairness._scalarisers import FastAdaptive

    return FastAdaptive(**options)


def _pcd(**options: Any) -> Strategy:
    from fairhuman.fairness._stateful import PriorityConstrained

    return PriorityConstrained(**options)


def _modo(**options: Any) -> Strategy:
    from fairhuman.fairness._stateful import MoDo

    return MoDo(**options)


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

    def weights(gramian: Tensor) -> Tensor:
        # On unit gradients: torchjd's regularisation, 1e-4 of the largest, would hide a small region's.
        norms = gramian.diagonal().sqrt()
        largest = norms.max()
        weighting = UPGradWeighting(norms / largest / len(norms))
        return weighting(gramian / norms.outer(norms)) * largest / norms

    return FromGramian("upgrad", weights)


_MAKERS: dict[str, Callable[..., Strategy]] = {
    "ls": LinearScalarisation,
    "dwa": _dwa,
    "uw": _uw,
    "rlw": _rlw,
    "si": _si,
    "famo": _famo,
    "nash_mtl": Nash,
    "mpd": _mpd,
    "mpd_amortised": Amortised,
    "mpd_log": LogLossMPD,
    "mpd_closed_form": _closed_form,
    "fairgrad_official": _official,
    "mgda": _mgda,
    "upgrad": _upgrad,
    "psmgd": PeriodicMinNorm,
    "sdmgrad": SDMGrad,
    "modo": _modo,
    "pcd": _pcd,
}

STRATEGIES = tuple(_MAKERS)
"""Names that :func:`get_strategy` knows, in addition to ``alpha_fair:<α>``, ``ls:<w₁>,<w₂>,…`` and
``mpd_area:<a₁>,<a₂>,…``."""


def get_strategy(name: str, **options: Any) -> Strategy:
    """Create a strategy by name.

    - ``ls``: linear scalarisation with all weights 1; ``ls:1,20,60``: with these weights, in the objectives'
      order;
    - ``dwa``, ``uw``, ``rlw``, ``si``: loss-based weights (torchjd's scalarisers);
    - ``mpd``: minimum potential delay, Eq. 8 solved exactly; ``alpha_fair:<α>``: any other fairness exponent;
    - ``mpd_amortised``: ``mpd`` at the cost of ``ls`` (:class:`Amortised`);
    - ``mpd_log``: ``mpd`` on the logarithms of the losses, invariant to the losses' units;
    - ``mpd_area:<a₁>,<a₂>,…``: ``mpd`` on losses divided by these constants, such as mean areas;
    - ``mpd_closed_form``: Eq. 10 as printed;
    - ``fairgrad_official``: Eq. 8 solved by ``scipy.optimize.least_squares`` on float32 inner products and
      multiplied by the number of objectives, as in the released code;
    - ``nash_mtl``: the exact Nash bargaining solution, clipped to length 1;
    - ``mgda``, ``upgrad``: torchjd's implementations;
    - ``psmgd``: MGDA's weights, computed at every fourth step and kept in between;
    - ``sdmgrad``: MGDA pulled towards the mean gradient; ``modo``: one step towards MGDA's weights per
      training step; both use one batch where the published methods use several;
    - ``pcd``: descent on the first objective, constrained so that each other objective makes a given fraction
      of its own progress;
    - ``famo``: equal rates of loss decrease, at the cost of ``ls`` and an additional forward pass.

    ``dwa``, ``uw``, ``rlw``, ``si``, ``famo``, ``fairgrad_official``, ``mgda``, ``upgrad``, ``modo`` and
    ``pcd`` need torchjd.

    Args:
        name: one of :data:`STRATEGIES`, ``alpha_fair:<α>`` for any α > 0, or ``ls:`` or ``mpd_area:`` with
            one number > 0 per objective.
        options: keyword arguments of the strategy, such as ``period`` for ``dwa``.

    Raises:
        ValueError: if the strategy does not exist, an option is out of range, or α or a weight is not
            positive.
        TypeError: if the strategy has no such option.
        ImportError: if torchjd or one of its optional dependencies is needed but not installed; gives the
            install command.

    Example:
        >>> get_strategy("mpd").needs_gramian, get_strategy("ls").needs_gramian
        (True, False)
    """
    kind, colon, argument = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind == "alpha_fair" and colon:
        return _alpha_fair(name, argument, **options)
    if kind in _WITH_CONSTANTS and colon:
        return _with_constants(name, kind, argument, **options)
    if name not in _MAKERS:
        raise ValueError(
            f"strategy: must be one of {', '.join(STRATEGIES)}, alpha_fair:<α>, ls:<w₁>,<w₂>,… or "
            f"mpd_area:<a₁>,<a₂>,…, got {name!r}"
        )
    with needs_torchjd(f"Strategy `{name}`"):
        return _MAKERS[name](**options)


_WITH_CONSTANTS: dict[str, tuple[Callable[[list[float]], Strategy], str]] = {
    "ls": (LinearScalarisation, "ls:<w₁>,<w₂>,… must have positive, finite weights"),
    "mpd_area": (AreaMPD, "mpd_area:<a₁>,<a₂>,… must have positive, finite constants"),
}


def _with_constants(name: str, kind: str, argument: str) -> Strategy:
    make, rule = _WITH_CONSTANTS[kind]
    try:
        return make([float(one) for one in argument.split(",")])
    except ValueError as error:
        raise ValueError(f"strategy: {rule}, got {name!r}") from error


def _alpha_fair(name: str, argument: str) -> Strategy:
    try:
        alpha = check_alpha(float(argument))
    except ValueError as error:
        raise ValueError(f"strategy: alpha_fair:<α> must have a positive, finite α, got {name!r}") from error
    return FromGramian(name, lambda gramian: alpha_fair_weights(gramian, alpha))
