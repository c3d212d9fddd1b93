"""Checks of settings, shared by every dataclass of them: keys, types, ranges, and the file they come from."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

from fairhuman.profiles import unknown

__all__ = ["at_least", "check_keys", "coerce_fields", "coerced", "positive", "require"]


def require(name: str, holds: bool, rule: str, value: Any) -> None:
    """Refuse a value that breaks a rule, such as ``must be ≥ 1``."""
    if not holds:
        raise ValueError(f"{name}: {rule}, got {value!r}")


def at_least(settings: Any, least: float, *names: str) -> None:
    """Refuse fields below ``least``."""
    for name in names:
        require(name, getattr(settings, name) >= least, f"must be ≥ {least}", getattr(settings, name))


def positive(settings: Any, *names: str) -> None:
    """Refuse fields that are not above 0; ``None`` passes."""
    for name in names:
        value = getattr(settings, name)
        require(name, value is None or value > 0, "must be > 0", value)


def coerce_fields(settings: Any) -> None:
    """Bring each field of a frozen dataclass to the type it declares."""
    hints = get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        value = coerced(field.name, getattr(settings, field.name), hints[field.name])
        object.__setattr__(settings, field.name, value)


def coerced(name: str, value: Any, hint: Any) -> Any:
    """The value in the type its field declares, refused where it does not fit."""
    choices = get_args(hint)
    if type(None) in choices:
        if value is None:
            return None
        hint = next(choice for choice in choices if choice is not type(None))
        choices = get_args(hint)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if get_origin(hint) is tuple:
        return _sequence(name, value, choices[0])
    if choices:  # a Literal of names
        value = "no" if value is False and "no" in choices else value  # as YAML 1.1 reads a bare no
        if value not in choices:
            raise ValueError(f"{name}: {unknown(value, choices)}")
        return value
    if hint is float:
        return _number(name, value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError(f"{name}: must be {hint.__name__}, got {value!r} ({type(value).__name__})")
    return value


def _sequence(name: str, value: Any, kind: type) -> tuple[Any, ...]:
    entries = list(value) if isinstance(value, list | tuple) else [value]
    fits = [type(e) is int if kind is int else isinstance(e, str | os.PathLike) for e in entries]
    if not isinstance(value, list | tuple) or not all(fits):
        what = "whole numbers" if kind is int else "names"
        raise TypeError(f"{name}: must be a list of {what}, got {value!r}")
    return tuple(entries if kind is int else map(os.fspath, entries))


def _number(name: str, value: Any) -> float:
    # YAML 1.1 reads 1e-4, without a point, as a string: what is meant is clear.
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise TypeError(f"{name}: must be a finite number, got {value!r}")
    return number


def check_keys(kind: type, values: Mapping[str, Any], source: str) -> None:
    """Refuse keys that a dataclass has no field for, and a field left out that has no default."""
    names = [field.name for field in dataclasses.fields(kind)]
    for key in values:
        if key not in names:
            raise ValueError(f"{source}: {unknown(key, names)}")
    for field in dataclasses.fields(kind):
        defaults = (field.default, field.default_factory)
        if defaults == (dataclasses.MISSING, dataclasses.MISSING) and field.name not in values:
            raise ValueError(f"{source}: {field.name!r} is missing")
