"""One GPU job per GPU, with torch's view of the machine's cards faked."""

import logging
import os
import stat
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bismap.devices import hold_device
from bismap.errors import BismapError

A, B = "1f0b6e8c-0000-0000-0000-00000000000a", "1f0b6e8c-0000-0000-0000-00000000000b"


@pytest.fixture(autouse=True)
def _lock_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("bismap.devices.LOCKS", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def see(monkeypatch):
    """Sets the UUIDs of the cards that torch shows from now on."""

    def show(*uuids):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(uuids))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=uuids[index]))

    return show


@pytest.mark.parametrize(("wanted", "cards"), [("cpu", [A]), ("cpu", []), ("auto", [])])
def test_the_cpu_needs_no_lock(wanted, cards, see, tmp_path):
    see(*cards)
    with hold_device(wanted) as device:
        assert device == "cpu"
        assert not list(tmp_path.iterdir())


def test_a_gpu_demanded_where_there_is_none(see):
    see()
    with pytest.raises(BismapError, match="torch sees none"), hold_device("cuda"):
        pass


@pytest.mark.parametrize("wanted", ["cuda", "auto"])
def test_jobs_of_one_machine_take_different_cards(wanted, see):
    see(A, B)
    with hold_device(wanted) as first, hold_device(wanted) as second:
        assert (first, second) == ("cuda:0", "cuda:1")
    with hold_device(wanted) as again:
        assert again == "cuda:0"


def test_jobs_that_each_see_a_card_of_their_own_do_not_wait(see, monkeypatch):
    """Under Slurm every job sees its card as number 0, and may be told so by CUDA_VISIBLE_DEVICES."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited for a card that nobody holds"))
    see(A)
    with hold_device("cuda") as first:
        see(B)
        with hold_device("cuda") as second:
            assert first == second == "cuda:0"


def test_a_card_is_the_same_under_another_number(see):
    see(A)
    with hold_device("cuda"):
        see(B, A)
        with hold_device("cuda") as second:
            assert second == "cuda:0"
            see(A, B, "another")
            with hold_device("cuda") as third:
                assert third == "cuda:2"


def test_a_job_that_waits_says_so_once(see, monkeypatch, caplog):
    see(A)
    naps, holder = [], ExitStack()
    holder.enter_context(hold_device("cuda"))

    def nap(_):
        naps.append(1)
        if len(naps) == 3:
            holder.close()

    monkeypatch.setattr(time, "sleep", nap)
    with caplog.at_level(logging.INFO), hold_device("cuda") as device:
        assert device == "cuda:0"
    assert len(naps) == 3
    assert [record.getMessage() for record in caplog.records] == ["waiting for a free GPU: other jobs hold all 1"]


def test_a_lock_is_free_after_an_error(see):
    see(A)
    with pytest.raises(RuntimeError), hold_device("cuda"):
        raise RuntimeError
    with hold_device("cuda") as device:
        assert device == "cuda:0"


def test_every_user_may_open_the_lock_file(see, tmp_path):
    see(A)
    old = os.umask(0o077)
    try:
        with hold_device("cuda"):
            (file,) = tmp_path.iterdir()
            assert stat.S_IMODE(file.stat().st_mode) == 0o666
    finally:
        os.umask(old)


def test_a_lock_file_of_another_user_is_only_read(see, tmp_path, monkeypatch):
    """The kernel may refuse more than reading, in /tmp also for a file that all may write."""
    see(A)
    with hold_device("cuda"):
        pass
    (file,) = tmp_path.iterdir()
    file.chmod(0o444)
    usual = Path.open

    def as_another_user(path, mode="r", *args, **kwargs):
        if path.exists() and set(mode) - set("rb"):
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", as_another_user)
    with hold_device("cuda") as device:
        assert device == "cuda:0"
        see(A, B)
        with hold_device("cuda") as other:
            assert other == "cuda:1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o444


def test_two_jobs_that_make_the_lock_file_at_once_share_it(see, tmp_path, monkeypatch):
    """Another job makes the file between this one's look and its own attempt."""
    see(A, B)
    file = tmp_path / f"bismap-cuda-{A}.lock"
    usual, made = Path.open, []

    def late(path, mode="r", *args, **kwargs):
        if mode == "xb" and not made:
            made.append(usual(file, "xb"))
        return usual(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", late)
    with hold_device("cuda") as device:
        assert device == "cuda:0"
    made[0].close()


class Fake:
    """One of two threads that stand for the processes of a job."""

    def __init__(self, rank: int, barrier: threading.Barrier) -> None:
        self.rank, self.size, self.first, self._barrier = rank, barrier.parties, rank == 0, barrier

    def wait(self) -> None:
        self._barrier.wait()


def test_jobs_of_several_cards_never_hold_one_each(see, monkeypatch):
    see(A, B)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    monkeypatch.setattr("bismap.devices.POLL_S", 0.01)
    held: dict[int, list[str]] = {}

    def work(job: int, process: Fake, done: threading.Barrier) -> None:
        with hold_device("cuda", process) as device:
            held.setdefault(job, []).append(device)
            done.wait()  # a training ends for all of its processes at once

    threads = []
    for job in range(4):
        together, done = threading.Barrier(2), threading.Barrier(2)
        threads += [threading.Thread(target=work, args=(job, Fake(r, together), done), daemon=True) for r in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert [sorted(cards) for cards in held.values()] == [["cuda:0", "cuda:1"]] * 4


def test_fewer_cards_than_processes_are_refused(see):
    see(A)
    job = Fake(0, threading.Barrier(2))
    with (
        pytest.raises(BismapError, match="2 processes need a GPU each, but this machine shows 1"),
        hold_device("cuda", job),
    ):
        pass
