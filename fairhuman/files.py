"""Atomic writes of files and folders, and ownership of output folders."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

__all__ = [
    "LOCK",
    "cache_root",
    "check_same",
    "file_state",
    "is_begun",
    "json_line",
    "locked",
    "owned",
    "remove_partials",
    "write_json",
    "write_lines",
    "write_text",
    "written_whole",
]

logger = logging.getLogger(__name__)

LOCK = ".lock"
"""Name of the lock file that identifies the process working on a folder."""

_PARTIAL = re.compile(r"\..+\.partial")


def cache_root() -> Path:
    """The cache folder: ``FAIRHUMAN_CACHE`` if set, otherwise ``fairhuman`` in the user's cache directory."""
    if named := os.environ.get("FAIRHUMAN_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairhuman"


def file_state(path: str | bytes | os.PathLike[str]) -> tuple[int, int]:
    """Size in bytes and status-change time in ns, which copying tools cannot set; (-1, -1) for a missing
    file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path takes no bytes
    except OSError:
        return -1, -1
    return found.st_size, found.st_ctime_ns


@contextmanager
def written_whole(
    path: str | os.PathLike[str],
    *,
    shared: bool = False,
    durable: bool = False,
    staging: Path | None = None,
) -> Iterator[Path]:
    """Provide a temporary name for a file or folder, renamed to the final name if the block succeeds.

    If the block fails, the path is unchanged. Leftovers of a killed earlier attempt are removed first.

    Args:
        path: The final path; its folder is created. An existing file or folder is replaced.
        shared: Allow several processes to write this path at the same time: each gets its own temporary name,
            and leftovers of killed processes stay until :func:`remove_partials`.
        durable: Flush a file's content to disk before renaming it.
        staging: Folder on the same file system for the temporary name. Default: the path's folder.

    Yields:
        The temporary name, which does not exist yet: the block creates a file or folder there.

    Raises:
        OSError: The path cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    token = f".{os.urandom(8).hex()}" if shared else ""
    partial = (staging or path.parent) / f".{path.name}{token}.partial"
    former = partial.with_name(f".{path.name}{token}.former.partial")
    if not shared:
        _remove(partial, former)
    try:
        yield partial
        _open_to_others(partial)
        if durable:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        # A folder cannot replace another folder in a single step.
        if partial.is_dir() and path.is_dir():
            path.replace(former)
        partial.replace(path)
    finally:
        _remove(partial, former)


def write_text(path: Path, text: str, *, shared: bool = False) -> Path:
    """Write a UTF-8 text file; arguments and errors as for :func:`written_whole`."""
    with written_whole(path, shared=shared) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_json(path: Path, content: Any, *, shared: bool = False) -> Path:
    """Write a human-readable JSON file; arguments and errors as for :func:`written_whole`.

    Raises:
        ValueError: A number is not finite.
    """
    return write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n", shared=shared)


def write_lines(path: Path, entries: Iterable[Mapping[str, Any]], *, staging: Path | None = None) -> Path:
    """Write a JSON-lines file entry by entry, so that the entries need not fit in memory."""
    with (
        written_whole(path, staging=staging) as partial,
        partial.open("w", encoding="utf-8", newline="\n") as lines,
    ):
        lines.writelines(map(json_line, entries))
    return path


def json_line(entry: Mapping[str, Any]) -> str:
    """One line of a JSON-lines file, including the line break.

    >>> json_line({"text": "a café"})
    '{"text": "a café"}\\n'
    """
    return json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"


def remove_partials(folder: Path) -> None:
    """Remove half-written leftovers of killed processes from a folder and its subfolders."""
    _remove(*list(folder.rglob(".*.partial")))


def is_begun(folder: Path, markers: Iterable[str], *, name: str = "out", ignore: Iterable[str] = ()) -> bool:
    """Whether an output folder contains an earlier run of the same kind that can be resumed.

    Args:
        folder: The folder; need not exist.
        markers: Relative paths, at least one of which exists in such a run.
        name: Name of the argument, for messages.
        ignore: Entries that are irrelevant without a marker, in addition to half-written files.

    Returns:
        False if the folder is missing, or contains nothing relevant.

    Raises:
        ValueError: The path is a file, or the folder contains something else.
    """
    if not folder.exists() and not folder.is_symlink():
        return False
    if not folder.is_dir():
        raise ValueError(f"{name}: must be a folder, got {folder}, which is a file")
    if any((folder / marker).exists() for marker in markers):
        return True
    passed = set(ignore)
    for entry in sorted(entry.name for entry in folder.iterdir()):
        if entry not in passed and not _PARTIAL.fullmatch(entry):
            raise ValueError(
                f"{name}: must be an empty folder or one of an earlier run, got {folder}, which holds "
                f"something else ({entry})"
            )
    return False


@contextmanager
def locked(path: Path, what: str) -> Iterator[IO[str]]:
    """Hold a file lock, which the system releases whenever the process ends; on a network file system, the
    server releases it when the machine disappears.

    Args:
        path: The file; created if missing.
        what: Name of the argument, for messages.

    Raises:
        ValueError: Another process holds the lock; the message identifies it if possible.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read(200) if path.name == LOCK else ""
            raise ValueError(f"{what}: another run is working on {path}{who and f': {who}'}") from None
        except OSError as error:
            logger.warning(
                "%s: %s cannot be locked (%s); see that no other run is at work", what, path, error
            )
        yield file


@contextmanager
def owned(folder: Path, what: str) -> Iterator[None]:
    """Ensure that this is the only process working on a folder. The folder is created, and removed if it
    stays empty.

    Raises:
        ValueError: Another process is working on it; the message says which and where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / LOCK
    with locked(lock, what) as file:
        if not lock.exists() or not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            raise ValueError(f"{what}: another run in {folder} has just ended; start again")
        lock.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                folder.rmdir()


def check_same(folder: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Check that a run is resumed with the settings it was started with.

    Args:
        folder: The run's folder, for messages.
        there: Settings that the run was started with.
        here: Requested settings; other settings are not compared.

    Raises:
        ValueError: A setting differs; the message gives its name and both values.
    """
    for name, value in here.items():
        if there.get(name) != value:
            raise ValueError(
                f"{name}: must be {_short(there.get(name))}, with which {folder} was started, "
                f"got {_short(value)}"
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _open_to_others(path: Path) -> None:
    """Apply the user's umask: some libraries write files that only their owner can read."""
    mask = os.umask(0o077)
    os.umask(mask)
    for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
        if file.is_file() and not file.is_symlink() and file.stat().st_mode & 0o777 == 0o600:
            file.chmod(0o666 & ~mask)


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
