"""``NAME=VALUE`` on a command line."""

from typing import Any


def assignments(words: list[str]) -> dict[str, Any]:
    """Map names to values; values are parsed as YAML.

    Raises:
        ValueError: A word has no name or no ``=``.
    """
    import yaml

    changes = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise ValueError(f"--set: must be NAME=VALUE, got {word!r}")
        changes[name] = yaml.safe_load(value)
    return changes
