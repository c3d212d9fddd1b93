"""Silence for libraries that write to stderr below Python."""

from fairhuman.quiet import quiet_stderr

__all__ = ["quiet_stderr"]
