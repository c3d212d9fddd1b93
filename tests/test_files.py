"""A file or folder is there whole or not at all; an output folder is continued by its kind of run alone."""

import os
import stat
import subprocess
import sys
from multiprocessing import get_context

import pytest

from fairhuman.files import (
    check_same,
    is_begun,
    remove_partials,
    write_json,
    write_lines,
    write_text,
    written_whole,
)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def killed_while_writing(path, **options):
    code = f"""
import os
from pathlib import Path
from fairhuman.files import written_whole
with written_whole({str(path)!r}, **{options!r}) as partial:
    partial.write_text("half")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_what_was_there(tmp_path, error):
    write_text(tmp_path / "a.txt", "before")
    (tmp_path / "b").mkdir()
    write_text(tmp_path / "b" / "c.txt", "before")
    before = contents(tmp_path)
    with pytest.raises(error), written_whole(tmp_path / "a.txt") as partial:
        partial.write_text("aft")
        raise error
    with pytest.raises(error), written_whole(tmp_path / "b") as partial:
        write_text(partial / "c.txt", "aft")
        raise error
    assert contents(tmp_path) == before


def test_a_list_is_not_half_there_when_its_entries_fail(tmp_path):
    write_lines(tmp_path / "list.jsonl", [{"n": 1}, {"n": "é"}])
    assert (tmp_path / "list.jsonl").read_bytes() == '{"n": 1}\n{"n": "é"}\n'.encode()

    def entries():
        yield {"n": 2}
        raise ValueError("no more")

    for wrong in (entries(), [{"n": float("nan")}]):
        with pytest.raises(ValueError):
            write_lines(tmp_path / "list.jsonl", wrong)
        assert contents(tmp_path) == {"list.jsonl": '{"n": 1}\n{"n": "é"}\n'}


@pytest.mark.parametrize("shared", [False, True])
def test_files_and_folders_are_replaced(tmp_path, shared):
    for text in ("one", "two"):
        with written_whole(tmp_path / "new" / "a", shared=shared, durable=True) as partial:
            partial.write_text(text)
        with written_whole(tmp_path / "new" / "b", shared=shared) as partial:
            write_text(partial / f"{text}.txt", text)
    assert contents(tmp_path) == {"new/a": "two", "new/b/two.txt": "two"}


def test_what_a_kill_leaves_is_removed_by_the_next_attempt(tmp_path):
    write_text(tmp_path / "a.txt", "before")
    killed_while_writing(tmp_path / "a.txt")
    assert contents(tmp_path) == {"a.txt": "before", ".a.txt.partial": "half"}
    write_text(tmp_path / "a.txt", "after")
    assert contents(tmp_path) == {"a.txt": "after"}


def test_what_a_kill_leaves_of_a_shared_file_is_removed_when_all_are_done(tmp_path):
    killed_while_writing(tmp_path / "sub" / "a.txt", shared=True)
    write_text(tmp_path / "sub" / "a.txt", "after", shared=True)
    assert len(contents(tmp_path)) == 2
    remove_partials(tmp_path)
    assert contents(tmp_path) == {"sub/a.txt": "after"}


def write_many(path, letter):
    for _ in range(200):
        write_text(path, letter * 5000, shared=True)


def test_processes_may_write_one_shared_file(tmp_path):
    context = get_context("spawn")
    path = tmp_path / "a.txt"
    write_text(path, "x" * 5000)
    writers = [context.Process(target=write_many, args=(path, letter)) for letter in "xy"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text())
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen | {path.read_text()} <= {letter * 5000 for letter in "xy"}
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_the_usual_ones(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {"a": 1})
        with written_whole(tmp_path / "b") as partial:
            partial.mkdir()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.json", "b")]
    assert modes == [0o640, 0o750]


def test_a_folder_is_begun_by_its_marker_alone(tmp_path):
    out = tmp_path / "out"
    assert not is_begun(out, ["run.json"])
    killed_while_writing(out / "run.json")
    (out / "cache").mkdir()
    assert not is_begun(out, ["run.json"], ignore=["cache"])
    with pytest.raises(ValueError, match=r"^output: must be an empty folder .* something else \(cache\)$"):
        is_begun(out, ["run.json"], name="output")
    write_json(out / "run.json", {})
    assert is_begun(out, ["other.json", "run.json"])
    with pytest.raises(ValueError, match=r"^out: must be a folder, got .*run.json, which is a file$"):
        is_begun(out / "run.json", ["run.json"])


def test_another_run_is_refused_by_the_first_setting_that_differs(tmp_path):
    there = {"seed": 1, "size": 64, "older": True}
    check_same(tmp_path, there, {"size": 64, "seed": 1})
    with pytest.raises(ValueError, match=r"^size: must be 64, with which .* was started, got 32$"):
        check_same(tmp_path, there, {"seed": 1, "size": 32})
    with pytest.raises(ValueError, match="^newer: must be None, .* got 'a{100}") as refusal:
        check_same(tmp_path, there, {"newer": "a" * 10_000})
    assert len(str(refusal.value)) < 500
