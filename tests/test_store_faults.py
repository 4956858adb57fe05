"""The store under fire: failed and killed jobs, damaged entries, pruning, other disks, full disks."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bismap.errors import BismapError
from bismap.locks import DEAD_AFTER_S, EX_LOST
from bismap.store import ENTRY, STATE_DAYS, Store, link
from bismap.store_tools import damaged, held, prune

OTHER_DISK = Path("/dev/shm")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results" / ".store")


def _write(text: str, name: str = "model.txt"):
    return lambda out, state: (out / name).write_text(text)


def _fail(out: Path, state: Path) -> None:
    raise RuntimeError("broken")


def test_after_a_failed_rerun_the_last_good_result_is_still_there(store, tmp_path):
    public = tmp_path / "results" / "demo" / "bismap.json"

    def publish(entry: Path) -> None:
        link(public, entry / "model.txt")
        store.remember(public, entry / "model.txt")

    store.produce("train", "good", _write("good"), {}, publish)
    public.unlink()  # as Snakemake does before a job
    with pytest.raises(RuntimeError):
        store.produce("train", "bad", _fail, {}, publish)
    assert store.last_good(public).read_text() == "good"
    assert [item.use for item in held(store)] == ["last good"]
    store.produce("train", "better", _write("better"), {}, publish)
    assert public.read_text() == store.last_good(public).read_text() == "better"
    assert [item.use for item in held(store)] == ["not linked", "linked"]


def test_pruning_takes_the_last_good_result_of_a_lost_path_last(store, tmp_path):
    public = tmp_path / "results" / "gone.txt"
    for key in ("k1", "k2"):
        store.produce("s", key, _write("x" * 100), {}, lambda entry: store.remember(public, entry / "model.txt"))
    assert [item.key for item in held(store)] == ["k1", "k2"]
    assert [item.key for item in prune(store, limit=sum(item.bytes for item in held(store)) - 1)] == ["k1"]
    assert [item.key for item in prune(store, limit=0)] == ["k2"]
    assert store.last_good(public) is None
    assert not list((store.root / ".last").rglob("*.txt"))


def test_pruning_starts_with_what_was_not_used_for_longest(store):
    for age, key in ((3, "old"), (2, "older_but_used"), (1, "new")):
        entry = store.produce("s", key, _write("x" * 100), {})
        os.utime(entry / ENTRY, (time.time() - 100 * age,) * 2)
    store.produce("s", "older_but_used", _fail, {})  # a hit
    assert [item.key for item in held(store)] == ["old", "new", "older_but_used"]


def test_pruning_keeps_what_a_public_result_was_made_from(store, tmp_path):
    def made_from(key: str) -> dict:
        return {"inputs": {"x": [{"stage": "s", "key": key, "manifest": "0"}], "y": [{"file": "a", "sha256": "0"}]}}

    store.produce("s", "first", _write("1"), {"inputs": {}})
    store.produce("s", "second", _write("2"), made_from("first"))
    public = tmp_path / "results" / "model.txt"
    store.produce("s", "third", _write("3"), made_from("second"), lambda entry: link(public, entry / "model.txt"))
    store.produce("s", "fourth", _write("4"), made_from("second"))
    assert [item.key for item in prune(store, limit=0)] == ["fourth"]


def test_pruning_leaves_an_entry_that_a_job_has_just_taken_up(store, monkeypatch):
    store.produce("s", "k", _write("x"), {})
    listed = held(store)
    monkeypatch.setattr("bismap.store_tools.held", lambda store: listed)
    os.utime(store.entry("s", "k") / ENTRY, (1, 1))
    assert prune(store, limit=0) == []
    with store.lock("s", "k"):
        assert prune(store, limit=0) == []
    assert store.has("s", "k")


@pytest.mark.parametrize("which", ["store", "experiment", "results"])
def test_pruning_finds_public_paths_through_links(tmp_path, which):
    """The store, an experiment's folder or all results on another disk, with a link in their place."""
    disk = Path(shutil.copytree(tmp_path, OTHER_DISK / tmp_path.name) if OTHER_DISK.is_dir() else tmp_path / "disk")
    disk.mkdir(exist_ok=True)
    try:
        moved = {"store": "results/.store", "experiment": "results/demo", "results": "results"}[which]
        (disk / "moved").mkdir()
        (tmp_path / moved).parent.mkdir(exist_ok=True)
        (tmp_path / moved).symlink_to(disk / "moved")
        store = Store(tmp_path / "results" / ".store")
        public = tmp_path / "results" / "demo" / "model.txt"
        store.produce("s", "kept", _write("kept"), {}, lambda entry: link(public, entry / "model.txt"))
        store.produce("s", "loose", _write("loose"), {})
        assert [item.key for item in prune(store, limit=0)] == ["loose"]
        assert public.read_text() == "kept"
    finally:
        shutil.rmtree(disk)


def _die_before_publishing(root: Path) -> None:
    Store(root).produce("s", "k", _write("mine"), {}, lambda entry: os._exit(9))


def test_a_crash_between_commit_and_link_costs_nothing(store, tmp_path):
    crashed = multiprocessing.Process(target=_die_before_publishing, args=(store.root,))
    crashed.start()
    crashed.join()
    assert crashed.exitcode == 9
    public = tmp_path / "results" / "model.txt"
    store.produce("s", "k", _fail, {}, lambda entry: link(public, entry / "model.txt"))  # a hit: no work is done
    assert public.read_text() == "mine"


def _die_at_work(root: Path) -> None:
    def work(out: Path, state: Path) -> None:
        (out / "half").write_text("half")
        (state / "step").write_text("7")
        os._exit(9)

    Store(root).produce("s", "k", work, {})


def test_what_a_killed_job_left_is_removed_by_the_next(store):
    for _ in range(2):
        killed = multiprocessing.Process(target=_die_at_work, args=(store.root,))
        killed.start()
        killed.join()
        assert len(list((store.root / ".work").iterdir())) == 1
    assert (store.state("s", "k") / "step").read_text() == "7"
    store.produce("s", "k", _write("mine"), {})
    assert not list((store.root / ".work").iterdir())
    assert not list((store.root / ".locks").iterdir())


def test_pruning_removes_what_dead_jobs_left_and_leaves_what_living_ones_use(store):
    killed = multiprocessing.Process(target=_die_at_work, args=(store.root,))
    killed.start()
    killed.join()
    with store.lock("s", "living"):
        mine = store.root / ".work" / "s-living-0"
        mine.mkdir()
        prune(store, limit=0)
        assert list((store.root / ".work").iterdir()) == [mine]


ELSEWHERE = "another-node 4711 0123456789abcdef"


def _locked_elsewhere(store: Store, key: str) -> Path:
    with store.lock("s", key) as lease:
        path = lease.path
    path.write_text(ELSEWHERE)
    return path


def test_pruning_removes_what_a_silent_job_of_another_node_left(store):
    paths = {key: _locked_elsewhere(store, key) for key in ("silent", "alive")}
    os.utime(paths["silent"], (time.time() - DEAD_AFTER_S - 5,) * 2)
    for key in paths:
        (store.root / ".work" / f"s-{key}-0").mkdir(parents=True)
    prune(store, limit=0)
    assert [path.name for path in (store.root / ".work").iterdir()] == ["s-alive-0"]
    assert [path.name for path in (store.root / ".locks").iterdir()] == ["s-alive.lock"]


def test_a_job_of_another_node_is_waited_for_until_it_falls_silent(store, monkeypatch):
    monkeypatch.setattr("bismap.locks.DEAD_AFTER_S", 5.0)
    path = _locked_elsewhere(store, "k")
    stop = threading.Event()

    def live() -> None:
        while not stop.wait(0.2):
            os.utime(path)

    other = threading.Thread(target=live)
    other.start()
    threading.Timer(4.0, stop.set).start()
    began = time.monotonic()
    store.produce("s", "k", _write("mine"), {})
    assert time.monotonic() - began > 8.0  # 4 of life and 5 of silence, less what the clock's grain hides
    other.join()


def test_a_lock_that_was_made_although_the_answer_says_it_exists_is_held(store, monkeypatch):
    """NFS asks again when an answer is lost, and is then told of the lock that it has just made."""
    link = os.link

    def link_twice(source: Path, target: Path) -> None:
        link(source, target)
        raise FileExistsError(target)

    monkeypatch.setattr(os, "link", link_twice)
    store.produce("s", "k", _write("x"), {})
    assert (store.entry("s", "k") / "model.txt").read_text() == "x"
    assert not list((store.root / ".locks").iterdir())


def test_the_work_of_a_job_that_was_taken_for_dead_is_dropped(store):
    def work(out: Path, state: Path) -> None:
        (out / "model.txt").write_text("late")
        (store.root / ".locks" / "s-k.lock").write_text(ELSEWHERE)

    with pytest.raises(BismapError, match=r"is held by another job now \(another-node 4711"):
        store.produce("s", "k", work, {})
    assert not store.has("s", "k")
    assert (store.root / ".locks" / "s-k.lock").read_text() == ELSEWHERE


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (f"lock.write_text({ELSEWHERE!r})", "is held by another job now (another-node 4711"),
        ("lock.unlink()", "is held by another job now (one that has ended)"),
    ],
)
def test_a_process_that_lost_its_lock_is_ended_at_once(store, lose, told):
    """Else it would go on to write into the new owner's folders for as long as its work lasts."""
    script = f"""
import time
from pathlib import Path
from bismap import locks
from bismap.store import Store
locks.HEARTBEAT_S = 0.1
store = Store(Path({str(store.root)!r}))
def work(out, state):
    lock = store.root / ".locks" / "s-k.lock"
    LOSE
    time.sleep(60)
store.produce("s", "k", work, {{}})
"""
    ended = subprocess.run(
        [sys.executable, "-c", script.replace("LOSE", lose)], text=True, capture_output=True, timeout=50, check=False
    )
    assert ended.returncode == EX_LOST
    assert told in ended.stderr
    assert not store.has("s", "k")


def test_a_waiter_that_was_cut_off_from_the_disk_itself_does_not_take_the_owner_for_dead(store, monkeypatch):
    path = _locked_elsewhere(store, "k")
    clock = [0.0]

    def sleep(_seconds: float) -> None:
        if clock[0]:
            path.unlink()  # the owner, cut off like the waiter, is back and ends its work
        clock[0] += 10 * DEAD_AFTER_S

    monkeypatch.setattr("bismap.locks.time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    monkeypatch.setattr("bismap.locks._break", lambda *_: pytest.fail("the lock of a living owner was taken"))
    store.produce("s", "k", _write("mine"), {})
    assert store.has("s", "k")


def test_a_state_that_is_gone_on_from_is_not_given_up(store):
    old = store.state("train", "resumed")
    (old / "step").write_text("7")
    long_ago = (time.time() - (STATE_DAYS + 1) * 86400,) * 2
    os.utime(old / "step", long_ago)
    os.utime(old, long_ago)

    def work(out: Path, state: Path) -> None:
        store.produce("train", "sibling", _write("done"), {})
        assert (state / "step").read_text() == "7"
        (out / "a").write_text("a")

    store.produce("train", "resumed", work, {})


def test_states_that_nobody_went_on_from_are_given_up(store):
    for key, days in (("abandoned", STATE_DAYS + 1), ("yesterday", 1)):
        state = store.state("train", key)
        (state / "step").write_text("7")
        then = time.time() - days * 86400
        for path in (state / "step", state):
            os.utime(path, (then, then))
    store.produce("train", "k", _write("mine"), {})
    assert [path.name for path in (store.root / ".state" / "train").iterdir()] == ["yesterday"]


def test_a_truncated_entry_is_made_anew(store):
    entry = store.produce("s", "k", _write("whole"), {})
    (entry / "model.txt").write_text("who")
    assert not store.has("s", "k")
    assert (store.produce("s", "k", _write("whole"), {}) / "model.txt").read_text() == "whole"


def test_a_flipped_byte_is_found_and_its_entry_removed_on_demand(store):
    entry = store.produce("s", "k", _write("whole"), {})
    store.produce("s", "sound", _write("sound"), {})
    (entry / "model.txt").write_text("whale")
    for remove in (False, True):
        assert [(item.key, files) for item, files in damaged(store, remove)] == [("k", ["model.txt"])]
    assert not store.has("s", "k")
    assert damaged(store, remove=False) == []


def test_an_entry_without_its_manifest_is_found_too(store):
    entry = store.produce("s", "k", _write("whole"), {})
    (entry / "manifest.csv").unlink()
    assert [(item.key, files) for item, files in damaged(store, remove=True)] == [("k", ["manifest.csv"])]
    assert not entry.exists()


WRITERS = {
    "bytes": "(out / 'big').write_bytes(bytes(4 << 20))",
    "PNG": "from PIL import Image; Image.effect_noise((2048, 2048), 99).save(out / 'big.png')",
    "numpy": "import numpy; numpy.save(out / 'big.npy', numpy.zeros(1 << 20))",
    "zarr": "import numpy, zarr; zarr.save(str(out / 'big.zarr'), numpy.random.rand(1 << 20))",
    "torch": "import torch; torch.save(torch.zeros(1 << 20), out / 'big.pt')",
    "safetensors": (
        "import numpy; from safetensors.numpy import save_file; save_file({'x': numpy.zeros(1 << 20)}, out / 'big')"
    ),
}
ON_A_SMALL_DISK = """
from pathlib import Path
from bismap.errors import BismapError
from bismap.store import Store
store = Store(Path({root!r}))
store.produce("s", "early", lambda out, state: (out / "a").write_text("early"), {{}})
def work(out, state):
    {writer}
try:
    store.produce("s", "k", work, {{}})
except BismapError as error:
    print(error)
assert not store.has("s", "k")
assert (store.entry("s", "early") / "a").read_text() == "early"
"""
THE_NEXT_JOB = """
from pathlib import Path
from bismap.store import Store
store = Store(Path({root!r}))
store.produce("s", "k", lambda out, state: (out / "a").write_text("small"), {{}})
assert not list((store.root / ".work").iterdir())
"""


def _in_a_namespace(command: str) -> subprocess.CompletedProcess[str]:
    unshare = ["unshare", "--mount", "--map-root-user", "bash", "-ec", command]
    return subprocess.run(unshare, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_named_and_leaves_nothing_half(tmp_path, writer):
    mount = f"mount -t tmpfs -o size=2m none {tmp_path}"
    if shutil.which("unshare") is None or _in_a_namespace(mount).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    root = str(tmp_path / ".store")
    # Two processes: threads of a failed writer may go on writing until theirs ends.
    scripts = [ON_A_SMALL_DISK.format(root=root, writer=WRITERS[writer]), THE_NEXT_JOB.format(root=root)]
    runs = "; ".join(f"{sys.executable} -c '{script.replace(chr(39), chr(34))}'" for script in scripts)
    done = _in_a_namespace(f"{mount}; {runs}")
    assert done.returncode == 0, done.stderr
    assert "no space left on the disk" in done.stdout
    assert str(tmp_path / ".store") in done.stdout


def test_other_errors_are_told_as_they_are(store):
    with pytest.raises(RuntimeError, match="broken"):
        store.produce("s", "k", _fail, {})
    with pytest.raises(BismapError, match="wrote nothing"):
        store.produce("s", "k", lambda out, state: None, {})
