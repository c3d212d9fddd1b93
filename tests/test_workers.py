"""Work spread over processes is all done, and a process that dies costs one item at most."""

import os
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from fairhuman import processes
from fairhuman.processes import check_workers, work_through


def half(item):
    return item / 2


def die_of_three(item, folder):
    if item == 3:
        os._exit(1)
    (folder / str(item)).touch()
    return item


def after_the_first(item, folder):
    if item == 0:
        time.sleep(0.2)
        (folder / "cache").touch()
    return (folder / "cache").exists()


def threads(item):
    import torch

    return torch.get_num_threads()


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_done_once_from_an_endless_supply_too(workers):
    taken = []

    def items():
        for item in range(10**9):
            taken.append(item)
            yield item

    work = work_through(half, items(), workers)
    done = dict(next(work) for _ in range(20))
    work.close()
    assert len(done) == 20 and all(result == item / 2 for item, result in done.items())
    assert len(taken) <= 40


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_that_of_the_task(workers):
    with pytest.raises(TypeError, match="unsupported operand"):
        list(work_through(half, [1, "a", 2], workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_item_that_kills_its_process_is_told_apart(tmp_path, workers):
    done = dict(work_through(die_of_three, range(8), workers, tmp_path, died=lambda item: -item, apart=True))
    assert done == {item: -3 if item == 3 else item for item in range(8)}
    assert {int(path.name) for path in tmp_path.iterdir()} == set(range(8)) - {3}


def test_an_item_that_kills_its_process_is_an_error_unless_it_may(tmp_path):
    with pytest.raises(RuntimeError, match="3 crashed the process"):
        list(work_through(die_of_three, range(8), 2, tmp_path))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_script_without_a_guard_works_alone_or_is_told_why_not(tmp_path, workers):
    script = tmp_path / "script.py"
    script.write_text(
        "from fairhuman.processes import work_through\n"
        f"print(dict(work_through(str, range(2), {workers}, died=repr, apart=True)))\n"
    )
    found = subprocess.run([sys.executable, script], capture_output=True, text=True)
    if workers == 1:
        assert "{0: '0', 1: '1'}" in found.stdout and "no process can be started" in found.stderr
    else:
        assert found.returncode == 1 and "RuntimeError: workers: needs processes" in found.stderr


def test_no_item_is_lost_to_a_pool_that_breaks_between_two_results(monkeypatch):
    def pool(workers, left=[5]):  # noqa: B006 - the pools that follow share what the first one has left
        def submit(task, item):
            left[0] -= 1
            if left[0] == 0:
                raise BrokenProcessPool
            done = Future()
            done.set_result(task(item))
            return done

        return nullcontext(SimpleNamespace(submit=submit, shutdown=lambda cancel_futures: None))

    monkeypatch.setattr(processes, "_pool", pool)
    assert sorted(work_through(str, range(30), 2)) == [(item, str(item)) for item in range(30)]


def test_the_first_may_be_done_before_all_others(tmp_path):
    assert all(found for _, found in work_through(after_the_first, range(6), 2, tmp_path, first_alone=True))


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_may_be_held_to_one_thread(workers, monkeypatch):
    import torch

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    environment, here = dict(os.environ), torch.get_num_threads()
    assert [count for _, count in work_through(threads, range(2), workers, single_thread=True)] == [1, 1]
    assert (dict(os.environ), torch.get_num_threads()) == (environment, here)


@pytest.mark.parametrize("workers", [0, -1, 1.0, True, "2"])
def test_a_number_of_workers_is_whole_and_positive(workers):
    with pytest.raises(ValueError, match="workers: must be an integer of at least 1, got"):
        check_workers(workers)
