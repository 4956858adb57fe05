"""IoU over time through the store: its public path, and its measure by several processes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bismap.runner import Request, run
from bismap.store import Store
from bismap.verbs import VERBS
from tests.stages.small_domains import make_domain
from tests.stages.test_train import WARMUP

VALIDATION = {"every": 3, "split": "train", "size": [48, 24]}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_domain(tmp_path, "source", 4, 0)
    make_domain(tmp_path, "target", 3, 20)
    return tmp_path


def request(settings: dict) -> Request:
    index = {f"{name}_index": [Path(name, "index", "index.csv")] for name in ("source", "target")}
    inputs = {name: index.get(name, []) for name in VERBS["train"].inputs}
    outputs = {name: Path("results/demo/gpa", file) for name, file in VERBS["train"].outputs.items()}
    setup = {"roots": {"source": "source", "target": "target"}, "device": "cpu"}
    return Request("train", settings, inputs, outputs, setup)


def test_the_table_lies_beside_the_model_for_as_long_as_it_belongs_to_it(folder):
    store, table = Store(Path("results/.store")), Path("results/demo/gpa/validation.csv")
    plain, watched = request(WARMUP), request(WARMUP | {"validation": VALIDATION})
    run(plain, store)
    assert not table.exists()
    entry = run(watched, store)
    assert table.resolve() == (entry / "validation.csv").resolve()
    assert [row["step"] for row in csv.DictReader(table.open())] == ["3", "6"]
    run(plain, store)
    assert not table.is_symlink()
    run(watched, store)  # from the store
    assert table.resolve() == (entry / "validation.csv").resolve()


def started(folder: Path, name: str, processes: int) -> Path:
    """Train in a folder of its own, by so many processes; returns that folder."""
    asked = request(WARMUP | {"validation": VALIDATION, "lr": 1e-9})
    out = folder / name
    launch = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "--"]
    words = [sys.executable, "-m", *(launch if processes > 1 else []), "bismap", "train"]
    setup = asked.setup | {"roots": asked.setup["roots"] | {"tensorboard": str(out / "events")}}
    words += ["--cfg", json.dumps({"settings": asked.settings}), "--setup", json.dumps(setup)]
    for flag, files in asked.inputs.items():
        words += [f"--{flag.replace('_', '-')}", *map(str, files)]
    words += ["--model", str(out / "model.safetensors"), "--metrics", str(out / "metrics.csv")]
    words += ["--store", str(out / ".store"), "--threads", str(processes)]
    done = subprocess.run(words, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_two_processes_measure_what_one_does_and_one_of_them_writes(folder):
    one, two = started(folder, "one", 1), started(folder, "two", 2)
    tables = [list(csv.DictReader((out / "validation.csv").open())) for out in (one, two)]
    assert [row["step"] for row in tables[1]] == ["3", "6"]
    for rows in zip(*tables, strict=True):
        for name in ("miou", "road", "sky"):
            assert float(rows[0][name]) == pytest.approx(float(rows[1][name]), abs=2e-3)
    assert len(list((two / "events").iterdir())) == 1
