"""Several processes train like one: the same sums, and a state that any number of them goes on from."""

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trainers import OBJECTIVES, steps_for

from bismap.errors import BismapError
from bismap.processes import Processes
from bismap.training.batches import Steps

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("parallel.py")


def train(
    objective: str, folder: Path, processes: int, state: Path | None = None, stop: int = -1, norm: str = "running"
) -> int:
    state = state or folder / "state"
    for needed in (folder, state):
        needed.mkdir(parents=True, exist_ok=True)
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [
        sys.executable,
        *launch,
        str(SCRIPT),
        objective,
        norm,
        str(folder.parent / "steps.pt"),
        str(state),
        str(folder),
    ]
    environment = os.environ | {"STOP": str(stop), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    print(done.stderr)  # pytest shows it where the test fails
    return done.returncode


def assert_alike(first: Path, second: Path) -> None:
    models = [torch.load(folder / "model.pt") for folder in (first, second)]
    for name, tensor in models[0].items():
        torch.testing.assert_close(tensor, models[1][name], rtol=1e-4, atol=1e-6, msg=name)
    tables = [list(csv.DictReader((folder / "metrics.csv").open())) for folder in (first, second)]
    assert len(tables[0]) == len(tables[1])
    for row, other in zip(*tables, strict=True):
        assert row.keys() == other.keys()
        for name, value in row.items():
            assert float(value) == pytest.approx(float(other[name]), rel=1e-3, abs=1e-6), name


@pytest.mark.parametrize("norm", ["running", "joint"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_processes_train_like_one(objective, norm, source, target, tmp_path):
    source, target = (replace(domain, batch_size=3) for domain in (source, target))  # unequal shares
    torch.save(steps_for(objective, source, target), tmp_path / "steps.pt")
    assert train(objective, tmp_path / "one", 1, norm=norm) == 0
    assert train(objective, tmp_path / "two", 2, norm=norm) == 0
    assert_alike(tmp_path / "one", tmp_path / "two")


def test_a_state_is_gone_on_from_by_another_number_of_processes(source, target, tmp_path):
    torch.save(steps_for("retrain", source, target), tmp_path / "steps.pt")
    assert train("retrain", tmp_path / "one", 1) == 0
    state = tmp_path / "shared"
    assert train("retrain", tmp_path / "begun", 2, state, stop=3) != 0  # the second process is told to stop
    assert [path.name for path in state.glob("*.pt")] == ["step-00000004.pt"]
    assert train("retrain", tmp_path / "ended", 1, state) == 0
    assert_alike(tmp_path / "one", tmp_path / "ended")


def test_more_processes_than_crops_are_refused(source):
    with pytest.raises(BismapError, match="batch_source is 2: 3 processes need a crop each"):
        Steps(source, None, Processes(0, 3))


def test_the_parts_are_the_whole(source):
    whole = source.batch(5)
    parts = [source.batch(5, Processes(rank, 2)) for rank in range(2)]
    assert tuple(name for part in zip(*(part.ids for part in parts), strict=True) for name in part) == whole.ids
    assert torch.equal(torch.stack([part.images[0] for part in parts]), whole.images)
