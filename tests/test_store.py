"""The store: entries whole or absent, links, locks, pruning."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from bismap.cli import main
from bismap.errors import BismapError
from bismap.store import ENTRY, MANIFEST, Store, content, entry_of, key_of, link, sha256_file
from bismap.store_tools import held, prune


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results" / ".store")


def _write(text: str, name: str = "model.txt"):
    return lambda out, state: (out / name).write_text(text)


def test_entry_holds_files_manifest_and_provenance(store):
    entry = store.produce("train", "k1", _write("weights"), {"stage": "train"})
    digest = sha256_file(entry / "model.txt")
    assert (entry / MANIFEST).read_text() == f"path,bytes,sha256\nmodel.txt,7,{digest}\n"
    assert json.loads((entry / ENTRY).read_text()) == {"stage": "train"}
    assert not list((store.root / ".work").iterdir())


def test_work_is_done_once_per_key(store):
    calls = []

    def work(out: Path, state: Path) -> None:
        calls.append(1)
        (out / "a").write_text("a")

    for _ in range(2):
        store.produce("train", "k", work, {})
    assert len(calls) == 1


def test_failed_work_commits_nothing_and_keeps_its_state(store):
    def fails(out: Path, state: Path) -> None:
        (out / "half").write_text("half")
        (state / "step").write_text("7")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        store.produce("train", "k", fails, {})
    assert not store.has("train", "k")
    assert not list((store.root / ".work").iterdir())
    assert (store.state("train", "k") / "step").read_text() == "7"


def test_success_removes_the_state(store):
    def work(out: Path, state: Path) -> None:
        (state / "step").write_text("7")
        (out / "a").write_text("a")

    store.produce("train", "k", work, {})
    assert not (store.root / ".state" / "train" / "k").exists()


def test_a_stage_that_writes_nothing_is_an_error(store):
    with pytest.raises(BismapError, match="wrote nothing"):
        store.produce("train", "k", lambda out, state: None, {})


@pytest.mark.parametrize("change", ["settings", "code", "inputs", "extra"])
def test_key_depends_on_every_part(change):
    parts = {"settings": {"a": 1, "b": 2}, "code": "c", "inputs": {"x": ["1"]}, "extra": [0, 1]}
    other = parts | {
        change: {"settings": {"a": 2, "b": 1}, "code": "d", "inputs": {"x": ["2"]}, "extra": [1, 2]}[change]
    }
    assert key_of(**parts) != key_of(**other)


def test_key_ignores_the_order_of_settings():
    assert key_of({"a": 1, "b": 2}, "c", {}) == key_of({"b": 2, "a": 1}, "c", {})


def test_content_of_an_entry_covers_every_file(store):
    first = store.produce("s", "k1", lambda out, _: [(out / n).write_text(n) for n in "ab"], {})
    second = store.produce("s", "k2", lambda out, _: [(out / n).write_text("a") for n in "ab"], {})
    assert content(first / "a") != content(second / "a")
    assert entry_of(first / "a") == first.resolve()


def test_content_of_a_missing_file_names_it(tmp_path):
    with pytest.raises(BismapError, match="nowhere"):
        content(tmp_path / "nowhere")


def test_link_is_relative_and_survives_a_move(store, tmp_path):
    entry = store.produce("s", "k", _write("x"), {})
    public = tmp_path / "results" / "demo" / "model.txt"
    link(public, entry / "model.txt")
    assert not public.readlink().is_absolute()
    (tmp_path / "results").rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "demo" / "model.txt").read_text() == "x"


def test_link_replaces_a_link_but_never_a_file(store, tmp_path):
    public = tmp_path / "results" / "model.txt"
    for key, text in (("k1", "old"), ("k2", "new")):
        link(public, store.produce("s", key, _write(text), {}) / "model.txt")
    assert public.read_text() == "new"
    own = tmp_path / "results" / "mine.txt"
    own.write_text("mine")
    with pytest.raises(BismapError, match=r"mine\.txt"):
        link(own, store.entry("s", "k1") / "model.txt")
    assert own.read_text() == "mine"


def _count_and_work(root: Path) -> None:
    def work(out: Path, state: Path) -> None:
        time.sleep(0.3)
        (root / f"worked-{os.getpid()}").touch()
        (out / "a").write_text("a")

    Store(root).produce("s", "k", work, {})


def test_two_writers_of_one_key_work_once(tmp_path):
    writers = [multiprocessing.Process(target=_count_and_work, args=(tmp_path,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(list(tmp_path.glob("worked-*"))) == 1


def _hold_for_ever(root: Path) -> None:
    def work(out: Path, state: Path) -> None:
        (root / "holding").touch()
        time.sleep(60)

    Store(root).produce("s", "k", work, {})


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    holder = multiprocessing.Process(target=_hold_for_ever, args=(tmp_path,))
    holder.start()
    while not (tmp_path / "holding").exists():
        time.sleep(0.05)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    entry = Store(tmp_path).produce("s", "k", _write("mine"), {})
    assert (entry / "model.txt").read_text() == "mine"
    assert not list((tmp_path / ".locks").iterdir())


def test_prune_removes_only_what_no_public_path_leads_to(tmp_path):
    results = tmp_path / "results"
    store = Store(results / ".store")
    kept = store.produce("s", "kept", _write("x" * 100), {})
    link(results / "demo" / "folder", kept)
    store.produce("s", "loose", _write("y" * 100), {})
    assert [item.use for item in held(store)] == ["not linked", "linked"]
    assert [item.key for item in prune(store, limit=0)] == ["loose"]
    assert (results / "demo" / "folder" / "model.txt").read_text() == "x" * 100
    assert not store.has("s", "loose")


def test_prune_stops_at_the_limit(store, tmp_path):
    for key in ("k1", "k2"):
        store.produce("s", key, _write("x" * 1000), {})
    total = sum(item.bytes for item in held(store))
    assert len(prune(store, limit=total - 1)) == 1


def test_a_store_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BismapError, match="no store at"):
        prune(Store(tmp_path / "nowhere"), limit=0)


def test_the_list_tells_sizes_uses_and_what_unfinished_jobs_keep(store, tmp_path, capsys):
    entry = store.produce("train", "k1", _write("x" * 1_000_000), {})
    link(tmp_path / "results/gta/model.txt", entry / "model.txt")
    assert main(["store", "list", "--store", str(store.root)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].split() == ["1.0", "MB", "train", "k1", "linked"]
    assert listed[1:] == ["0.001 GB held"]
    (store.state("train", "k2") / "step").write_text("x" * 2_000_000)
    assert main(["store", "list", "--store", str(store.root)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "0.001 GB held",
        f"0.002 GB besides, states of unfinished jobs, in {store.root / '.state'}",
    ]
