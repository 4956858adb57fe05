"""A stage through the command line: what is kept, what is gone on from, and several processes at one training."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bismap.store import Store
from bismap.training.sampler import image_index
from bismap.verbs import VERBS
from tests.stages.small_domains import make_domain
from tests.stages.test_train import WARMUP

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_domain(tmp_path, "source", 4, 0)
    return tmp_path


def train(folder: Path, settings: dict, processes: int = 1, save_every: int = 5) -> subprocess.Popen[str]:
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
                "--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1", "-m", "--"]  # fmt: skip
    launch = ["-m", *(torchrun if processes > 1 else [])]
    setup = {"roots": {"source": str(folder / "source")}, "device": "cpu", "save_every": save_every}
    flags = {f"--{name.replace('_', '-')}": [] for name in VERBS["train"].inputs}
    flags["--source-index"] = [str(folder / "source/index/index.csv")]
    command = [sys.executable, *launch, "bismap", "train", "--cfg", json.dumps({"settings": settings}),
               "--setup", json.dumps(setup), *(word for name, files in flags.items() for word in (name, *files)),
               "--model", "results/model.safetensors", "--metrics", "results/metrics.csv",
               "--log", "train.log"]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stderr=subprocess.PIPE)


def log(folder: Path) -> str:
    path = folder / "train.log"
    return path.read_text() if path.exists() else ""


def wait_for_step(folder: Path, step: int) -> None:
    for _ in range(6000):
        if any(int(done) >= step for done in re.findall(r"step (\d+)/", log(folder))):
            return
        time.sleep(0.05)
    raise AssertionError(log(folder))


def test_other_settings_never_go_on_from_a_killed_training(folder):
    settings = WARMUP | {"iterations": 3000}
    killed = train(folder, settings)
    wait_for_step(folder, 40)
    killed.send_signal(signal.SIGTERM)
    assert killed.wait() == 143
    assert not list((folder / "results/.store/.work").iterdir())
    assert not list((folder / "results/.store/.locks").iterdir())

    (folder / "train.log").unlink()
    other = train(folder, settings | {"lr": 0.01})
    wait_for_step(folder, 4)
    other.kill()
    other.wait()
    assert "training starts at step 0 of 3000" in log(folder)

    (folder / "train.log").unlink()
    again = train(folder, settings)
    wait_for_step(folder, 44)
    again.kill()
    again.wait()
    assert int(re.search(r"training goes on at step (\d+) of 3000", log(folder))[1]) >= 40


def test_a_stop_before_the_training_begins_leaves_nothing_behind(folder):
    stopped = train(folder, WARMUP)
    while not list((folder / "results").glob(".store/.work/*")):
        time.sleep(0.005)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait() in (0, 143)
    assert not list((folder / "results/.store/.work").iterdir())
    assert not list((folder / "results/.store/.locks").iterdir())


def test_several_processes_make_one_result_and_find_it_again(folder):
    together = train(folder, WARMUP, processes=2)
    assert together.wait() == 0, together.stderr.read()
    assert "process 0 of 2" in log(folder)
    assert (folder / "results/model.safetensors").is_symlink()
    again = train(folder, WARMUP, processes=2)
    assert again.wait() == 0, again.stderr.read()
    assert "already in the store" in log(folder)
    assert len(list((folder / "results/.store/train").iterdir())) == 1
    assert Store(folder / "results/.store").last_good(folder / "results/model.safetensors") is not None


def together_at_step(folder: Path, step: int) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A training by two processes that is past a step, and those processes in the order of their ranks."""
    agent = train(folder, WARMUP | {"iterations": 3000}, processes=2, save_every=10_000)
    wait_for_step(folder, step)
    ranks = {int(worker.environ()["RANK"]): worker for worker in psutil.Process(agent.pid).children()}
    return agent, [ranks[0], ranks[1]]


def test_a_signal_to_torchrun_reaches_the_training_that_saves(folder):
    agent, workers = together_at_step(folder, 40)
    agent.send_signal(signal.SIGUSR1)
    assert agent.wait() != 0
    assert not psutil.wait_procs(workers, timeout=60)[1]
    assert re.search(r"stopped by signal \d+ at step \d+; state saved", log(folder))
    (folder / "train.log").unlink()
    again = train(folder, WARMUP | {"iterations": 3000})
    wait_for_step(folder, 44)
    again.kill()
    again.wait()
    assert int(re.search(r"training goes on at step (\d+) of 3000", log(folder))[1]) >= 40


def test_a_process_that_is_killed_ends_the_others(folder):
    agent, workers = together_at_step(folder, 10)
    workers[1].kill()
    assert agent.wait() != 0
    assert not psutil.wait_procs(workers, timeout=60)[1]
    assert not (folder / "results/model.safetensors").exists()


def test_the_error_of_any_process_is_in_the_log(folder):
    drawn = image_index(WARMUP["seed"], "source", 4, 1)  # the second crop: the second process's
    (folder / f"source/images/source{drawn}.png").write_bytes(b"no picture")
    failed = train(folder, WARMUP, processes=2)
    assert failed.wait() != 0
    assert "cannot be decoded" in log(folder)


def test_what_one_process_does_is_not_started_by_several(folder):
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "--", "bismap", "render"]
    command += ["--cfg", json.dumps({"settings": {}}), "--manifest", "raw.csv"]
    done = subprocess.run([sys.executable, *command], cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode
    assert "render is done by one process" in done.stderr
