"""What a result says about all that it was made from."""

import shutil
from pathlib import Path

import pytest

from bismap.runner import trace
from bismap.store import MANIFEST, Store, sha256_file


@pytest.fixture
def chain(tmp_path: Path) -> list[Path]:
    """Three entries, each made from the one before it; the first from a file."""
    store = Store(tmp_path / "results" / ".store")
    sources = [{"file": "photo.png", "sha256": "0" * 64}]
    entries = []
    for stage in ("index", "stylize", "train"):
        record = {"stage": stage, "key": "k", "settings": {"of": stage}, "code": "c", "packages": {}, "python": "3.11",
                  "inputs": {"x": sources}}  # fmt: skip
        entry = store.produce(stage, "k", lambda out, state: (out / "a.txt").write_text("a"), record)
        sources = [{"stage": stage, "key": "k", "manifest": sha256_file(entry / MANIFEST)}]
        entries.append(entry)
    return entries


def test_a_result_is_traced_to_the_files_it_began_with(chain):
    found = trace({"model": [chain[-1] / "a.txt"]})
    assert {group["stage"]: group["settings"]["of"] for group in found["stages"]} == {
        "index": "index", "stylize": "stylize", "train": "train",
    }  # fmt: skip
    assert found["files"] == {"photo.png": "0" * 64}
    assert "gone" not in found


def test_of_a_removed_entry_its_hash_is_left(chain):
    removed = sha256_file(chain[1] / MANIFEST)
    shutil.rmtree(chain[1])
    found = trace({"model": [chain[-1] / "a.txt"]})
    assert [group["stage"] for group in found["stages"]] == ["train"]
    assert found["files"] == {}
    assert found["gone"] == {"stylize/k": removed}
