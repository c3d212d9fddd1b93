"""Numbers in notebooks, compared with a tolerance.

nbval compares the text of an output. Processors differ in a float's last digits, and training amplifies
that, so a printed number either flakes or is rounded until it says nothing. :func:`within` prints the same
text for every value inside a stated tolerance, and the value itself for any other, which nbval then reports.
"""

import math


def within(label: str, value: float, expected: float, *, relative: float = 0.0, absolute: float = 0.0) -> str:
    """Text that is constant exactly as long as ``value`` agrees with ``expected``.

    Args:
        label: What the number is, with its unit.
        value: The number measured.
        expected: The number recorded when the notebook was last read through.
        relative: Tolerance as a share of ``expected`` (0.05 is 5 %).
        absolute: Tolerance in the number's unit. The larger of the two tolerances counts.

    Raises:
        ValueError: Neither tolerance is positive, or one is negative.

    >>> within("mean norm", 0.01203, 0.012, relative=0.05)
    'mean norm: 0.012 ± 5 %'
    >>> within("mean norm", 0.02, 0.012, relative=0.05)
    'mean norm: found 0.02, expected 0.012 ± 5 %'
    """
    if min(relative, absolute) < 0 or relative == absolute == 0:
        raise ValueError(f"relative, absolute: one must be positive, found {relative} and {absolute}")
    tolerance = max(relative * abs(expected), absolute)
    shown = f"{100 * relative:g} %" if relative * abs(expected) >= absolute else f"{absolute:g}"
    if math.isfinite(value) and abs(value - expected) <= tolerance:
        return f"{label}: {expected:g} ± {shown}"
    return f"{label}: found {value:.6g}, expected {expected:g} ± {shown}"
