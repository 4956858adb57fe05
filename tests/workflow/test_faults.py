"""What happens to the workflow when something breaks, and what brings it back."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tests.workflow.runs import ONE_THREAD, ROOT, planned, snakemake, targets, tiny_config, write_project

pytestmark = pytest.mark.slow


def bismap(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bismap", *arguments]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command += ["--configfile", str(folder / "config.yaml"), "--set-threads", *ONE_THREAD, *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(text: str, log: Path) -> None:
    for _ in range(3000):
        if log.exists() and text in log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{log} never said: {text}")


def test_after_a_kill_of_everything_two_commands_go_on(tmp_path):
    raw = tiny_config("gta")
    raw["experiments"]["gta"]["settings"]["training"]["warmup"]["iterations"] = 400
    write_project(tmp_path, "gta", raw)
    target = "results/gta/source_only.json"
    main = start(tmp_path, "--cores", "1", target)
    log = tmp_path / "results/logs/gta/source_only/train.log"
    wait_for("step 40/400", log)
    tree = [psutil.Process(main.pid), *psutil.Process(main.pid).children(recursive=True)]
    for process in tree:
        process.kill()
    psutil.wait_procs(tree)
    main.wait()
    index = (tmp_path / "results/datasets/gta5/index.csv").resolve()
    made = index.stat()
    refused = snakemake(tmp_path, "--cores", "1", target, check=False)
    assert refused.returncode
    assert "--unlock" in refused.stdout
    snakemake(tmp_path, "--unlock", target)
    snakemake(tmp_path, "--cores", "1", "--rerun-incomplete", target)
    assert "training goes on at step" in log.read_text()
    found = (tmp_path / "results/datasets/gta5/index.csv").stat()
    assert (found.st_ino, found.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signalled_training_is_retried_from_its_state(tmp_path, number):
    """As a scheduler does before it takes the node away: `retries` go on where the signal came."""
    raw = tiny_config("gta")
    raw["experiments"]["gta"]["settings"]["training"]["warmup"]["iterations"] = 400
    raw["experiments"]["gta"]["settings"]["training"]["save_every"] = 1000
    write_project(tmp_path, "gta", raw)
    main = start(tmp_path, "--cores", "1", "--retries", "2", "results/gta/source_only/model.safetensors")
    log = tmp_path / "results/logs/gta/source_only/train.log"
    wait_for("step 40/400", log)
    children = psutil.Process(main.pid).children(recursive=True)
    [training] = [child for child in children if child.cmdline()[1:4] == ["-m", "bismap", "train"]]
    training.send_signal(number)
    assert main.wait(timeout=600) == 0
    assert "training goes on at step" in log.read_text()


@pytest.fixture
def project(finish):
    """A finished experiment; its configuration and results are put back."""
    folder = finish("gta")
    yield folder
    (folder / "config.yaml").write_text(yaml.safe_dump(tiny_config("gta"), sort_keys=False))
    snakemake(folder, "--cores", "2", "--rerun-incomplete", *targets("gta"))


def test_a_damaged_part_is_named_and_it_alone_is_made_anew(project):
    part = (project / "results/gta/gpa_stm/features/1-of-2").resolve()
    chunk = max((path for path in part.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    sound = chunk.read_bytes()
    chunk.write_bytes(sound[: len(sound) // 2] + bytes([sound[len(sound) // 2] ^ 255]) + sound[len(sound) // 2 + 1 :])
    raw = tiny_config("gta")
    raw["experiments"]["gta"]["settings"]["source_prototypes"]["components"] = 3
    (project / "config.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    wanted = "results/gta/gpa_stm/source_prototypes.csv"
    assert snakemake(project, "--cores", "2", wanted, check=False).returncode
    assert part.name in (project / "results/logs/gta/gpa_stm/source_prototypes.log").read_text()
    checked = bismap(project, "store", "check", "--remove")
    assert checked.returncode == 0, checked.stderr
    assert "features" in checked.stdout
    assert planned(project, wanted) == {"features", "source_prototypes"}
    done = snakemake(project, "--cores", "2", wanted).stdout
    assert "features gta/gpa_stm 1-of-2 finished" in done
    assert "0-of-2" not in done
    assert (project / "results/gta/gpa_stm/features/1-of-2").resolve() == part
    assert chunk.read_bytes() == sound


def test_clocks_that_differ_rerun_nothing(project):
    """Files of a machine whose clock is ahead: small inputs count by content, and nothing here is large."""
    names = ("datasets/gta5/index.csv", "gta/gpa/model.safetensors", "gta/stylized/0-of-2.csv")
    paths = [project / "results" / name for name in names]

    def date(seconds: float) -> None:
        for path in paths:
            os.utime(path, (seconds, seconds))
            os.utime(path, (seconds, seconds), follow_symlinks=False)

    now = time.time()
    date(now + 3600)
    try:
        assert planned(project, "results/gta/bismap_distilled.json") == set()
    finally:
        date(now)  # other tests use this experiment


def test_two_gpus_on_a_training_rule_make_one_torchrun_of_two_processes(tmp_path):
    write_project(tmp_path, "gta")
    target = "results/gta/source_only/model.safetensors"
    two = ("--set-resources", "train:gpu=2", "--", target)
    assert "torch.distributed.run --standalone --nproc-per-node 2 " in snakemake(tmp_path, "-n", "-p", *two).stdout
    snakemake(tmp_path, "--cores", "2", *two)
    assert "process 0 of 2" in (tmp_path / "results/logs/gta/source_only/train.log").read_text()
    assert planned(tmp_path, target) == set()  # on one GPU the result is still the result
