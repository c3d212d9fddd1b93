"""``NAME=VALUE`` on a command line."""

from collections.abc import Collection
from typing import Any


def assignments(words: list[str], taken: Collection[str] = ()) -> dict[str, Any]:
    """Map names to values; values are parsed as YAML.

    Args:
        words: ``NAME=VALUE`` each.
        taken: Names that an option of the command has given a value.

    Raises:
        ValueError: A word has no name or no ``=``, a value is not YAML, or a name is given twice.
    """
    import yaml

    changes: dict[str, Any] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise ValueError(f"--set: must be NAME=VALUE, got {word!r}")
        if name in changes or name in taken:
            raise ValueError(f"--set: must give {name} once, got it again in {word!r}")
        try:
            changes[name] = yaml.safe_load(value)
        except (yaml.YAMLError, RecursionError) as error:
            what = " ".join(str(getattr(error, "problem", None) or error).split())
            raise ValueError(f"--set: {name} must be a value in YAML, got {value!r}: {what}") from error
    return changes
