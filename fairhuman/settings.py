"""Validated settings: a frozen pydantic model whose errors read ``name: must be RULE, got VALUE``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeGuard, get_args

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from fairhuman.profiles import read_yaml, unknown

__all__ = [
    "BARE_NO",
    "Count",
    "Folder",
    "Names",
    "Number",
    "Place",
    "Positive",
    "Settings",
    "Share",
    "Side",
    "Unsigned",
    "Whole",
    "Wholes",
    "read_settings",
    "require",
    "rule",
]


class Settings(BaseModel):
    """Base class of all settings: strictly typed fields, no unknown names, immutable.

    Fields may be settings themselves, passed as such or as a mapping. Rules across fields go into a
    ``model_validator(mode="after")`` that calls :func:`require`.

    Raises:
        ValueError: A name is unknown or missing, or a value is out of range.
        TypeError: A value has the wrong type. Both messages name the field, the rule and the value.

    >>> class Sampling(Settings):
    ...     steps: Count = 30
    ...     guidance: Positive = 7.5
    >>> Sampling(steps=20).to_dict()
    {'steps': 20, 'guidance': 7.5}
    >>> Sampling(steps=0)
    Traceback (most recent call last):
    ...
    ValueError: steps: must be ≥ 1, got 0
    >>> Sampling.from_mapping({"step": 20})
    Traceback (most recent call last):
    ...
    ValueError: settings: unknown name 'step'; did you mean 'steps'? (known: steps, guidance)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _readable(type(self), error, "settings") from None

    # So that pydantic creates nested settings itself, and their errors have full paths.
    __init__.__pydantic_base_init__ = True  # ty: ignore[missing-attribute]

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> Self:
        """Create settings from a mapping, such as a YAML file's content.

        Args:
            values: Maps field names to values.
            source: Name of the mapping in messages.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"{source}: must be a mapping, got {values!r}")
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _readable(cls, error, source) from None

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **changes: Any) -> Self:
        """Create settings from a YAML file; ``changes`` take precedence."""
        return cls.from_mapping({**read_settings(path), **changes}, str(path))

    def changed(self, **changes: Any) -> Self:
        """The same settings with some values changed and validated."""
        return type(self)(**{**dict(self), **changes})

    def to_dict(self) -> dict[str, Any]:
        """All values, including defaults, as plain values: lists for sequences, mappings for nested
        settings."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """All values, including defaults, as YAML for :meth:`from_yaml`."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not YAML, or not a mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"settings: no such file: {path}")
    try:
        content = read_yaml(path)
    except ValueError as error:
        raise ValueError(f"settings: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"settings: {path} must be a mapping, got {type(content).__name__}")
    return content


def require(name: str, holds: bool, rule: str, value: Any) -> None:
    """Raise an error if a value breaks a rule, such as ``must be ≥ 1``."""
    if not holds:
        raise ValueError(f"{name}: {rule}, got {value!r}")


def rule(text: str, holds: Any) -> AfterValidator:
    """A rule in the annotation of a field, ``Annotated[int, rule("must be even", lambda n: n % 2 == 0)]``."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise PydanticCustomError("rule", "{text}", {"text": text})
        return value

    return AfterValidator(check)


def _number(value: Any) -> Any:
    try:  # YAML 1.1 reads 1e-4, without a point, as a string: what is meant is clear
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _place(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _sequence(kind: type, what: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        entries = [_place(entry) for entry in value] if isinstance(value, list | tuple) else [None]
        if not all(type(entry) is kind for entry in entries):
            raise PydanticCustomError("sequence_type", "must be a list of {what}", {"what": what})
        return tuple(entries)

    return BeforeValidator(check)


Count = Annotated[int, Field(ge=1)]
"""An integer ≥ 1."""
Whole = Annotated[int, Field(ge=0)]
"""An integer ≥ 0."""
Number = Annotated[float, BeforeValidator(_number)]
"""A finite number; also accepts forms that YAML reads as strings, such as 1e-4."""
Positive = Annotated[Number, Field(gt=0)]
"""A number > 0."""
Unsigned = Annotated[Number, Field(ge=0)]
"""A number ≥ 0."""
Share = Annotated[Number, rule("must be in [0, 1]", lambda value: 0 <= value <= 1)]
"""A number in [0, 1]."""
Side = Annotated[int, rule("must be a positive multiple of 8", lambda side: side >= 8 and side % 8 == 0)]
"""Image side length in pixels, a multiple of 8."""
Place = Annotated[str, BeforeValidator(_place)]
"""A path or repository name, stored as a string."""
Folder = Annotated[Place, rule("must name a folder", bool)]
"""A non-empty path."""
Names = Annotated[tuple[str, ...], _sequence(str, "names")]
"""A list of names or paths."""
Wholes = Annotated[tuple[int, ...], _sequence(int, "whole numbers")]
"""A list of integers."""
BARE_NO = BeforeValidator(lambda value: "no" if value is False else value)
"""For choices that include ``no``, which YAML 1.1 reads as false unless quoted."""

_BOUNDS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": ("≥", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("≤", "le"),
}
_QUOTED = re.compile("'(.*?)'")
_TYPES = {"int_type": "int", "string_type": "str", "bool_type": "bool"}


def _readable(kind: type[Settings], error: ValidationError, source: str) -> ValueError | TypeError:
    """The first pydantic error, in the project's format."""
    first = error.errors(include_url=False)[0]
    what, place, value = first["type"], [str(one) for one in first["loc"]], first["input"]
    context, name, within = first.get("ctx", {}), ".".join(place), ".".join([source, *place[:-1]])
    if what == "value_error":  # of a rule for several fields, which names them
        return ValueError(".".join([*place, str(context["error"])]))
    if what == "missing":
        return ValueError(f"{within}: {place[-1]!r} is missing")
    if what == "extra_forbidden":
        for part in place[:-1]:
            annotation = kind.model_fields[part].annotation
            kind = next(one for one in (annotation, *get_args(annotation)) if _is_settings(one))
        return ValueError(f"{within}: {unknown(place[-1], kind.model_fields)}")
    if what == "literal_error":
        return ValueError(f"{name}: {unknown(value, _QUOTED.findall(context['expected']))}")
    if what in _BOUNDS:
        sign, bound = _BOUNDS[what]
        return ValueError(f"{name}: must be {sign} {context[bound]:.12g}, got {value!r}")
    if what in ("float_type", "finite_number"):
        return TypeError(f"{name}: must be a finite number, got {value!r}")
    if what in _TYPES or "class_name" in context:
        expected = _TYPES.get(what) or context["class_name"]
        return TypeError(f"{name}: must be {expected}, got {value!r} ({type(value).__name__})")
    return (TypeError if what.endswith("_type") else ValueError)(f"{name}: {first['msg']}, got {value!r}")


def _is_settings(annotation: Any) -> TypeGuard[type[Settings]]:
    return isinstance(annotation, type) and issubclass(annotation, Settings)
