"""The workflow on a real Slurm: where its jobs run, and what it survives.

Skipped where Slurm is not installed, unless BISMAP_CLUSTER is set, as in CI: then that is a failure.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from bismap.verbs import VERBS
from tests.cluster.cluster import GPU_NODES, NEEDED, Cluster
from tests.workflow.runs import ROOT, TINY, merge

pytestmark = pytest.mark.slow

IN_A_TEST = {
    "slurm-status-command": "squeue",  # there is no accounting
    "slurm-init-seconds-before-status-checks": 3,
    "slurm-keep-successful-logs": True,  # their paths tell the rule of a job
    "latency-wait": 10,
    "set-threads": dict.fromkeys(VERBS, 1),  # the nodes claim more cores than this machine has
}
TRAINING = "python -m bismap train"
SHARDED = {name for name, verb in VERBS.items() if verb.sharded}
NOT_ASKED_FOR = {
    *(name for name in VERBS if name.startswith("plot")),
    *("weights", "overview", "gallery", "pseudo_label_quality", "pseudo_label_curve"),
    *("posteriors", "category_anchors", "anchor_gaps", "confidences", "ias_thresholds"),  # of other assignments
    *("table", "qualitative", "label_comparison", "feature_embedding"),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    here = all(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in NEEDED) and os.getuid() == 0
    if not here and not os.environ.get("BISMAP_CLUSTER"):
        pytest.skip("Slurm is not installed, or this is not root")
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


class Project:
    """A checkout of its own with a small `demo`, whose folder is the working directory as the README has it."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self.cluster = folder, cluster
        self.started: list[subprocess.Popen[bytes]] = []
        for name in ("src", "workflow", "rules", "envs", "profiles", "slurm"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy(ROOT / "Snakefile", folder)
        with (folder / "slurm" / "config.yaml").open("a") as profile:
            profile.write("\n" + yaml.safe_dump(IN_A_TEST))
        self.configure(lambda raw: None)

    def configure(self, change: Callable[[dict], None]) -> None:
        """Write config.yaml: a small `demo` in two parts, changed by a function."""
        raw = yaml.safe_load((ROOT / "config.yaml").read_text())
        demo = raw["experiments"]["demo"]
        demo["shard_images"] = 4
        demo["settings"] = merge(demo["settings"], TINY)
        for name, images in (("demo_game", {"train": 8}), ("demo_photo", {"train": 8, "val": 4})):
            raw["datasets"][name] |= {"size": [96, 48], "scale_reference_width": 96}
            raw["datasets"][name]["render"] |= {"width": 96, "height": 48, "images": images}
        change(raw)
        (self.folder / "config.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))

    def set_in_profile(self, rule: str, **resources: object) -> None:
        path = self.folder / "slurm" / "config.yaml"
        profile = yaml.safe_load(path.read_text())
        profile["set-resources"][rule] |= resources
        path.write_text(yaml.safe_dump(profile, sort_keys=False))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = os.environ | self.cluster.environment | {"PYTHONPATH": str(self.folder / "src")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        log = (self.folder / "snakemake.log").open("ab")
        command = [str(Path(sys.executable).parent / "snakemake"), *arguments]
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        self.started.append(process)
        return process

    def stop(self) -> None:
        """End what a failed test has left, so that it does not work on beside the next."""
        for process in self.started:
            process.kill()
            process.wait()
        jobs = self.cluster.command("squeue", "--noheader", "--format=%A").split()
        if jobs:
            self.cluster.command("scancel", *jobs)

    def run(self, *arguments: str) -> None:
        assert self.start(*arguments).wait() == 0, (self.folder / "snakemake.log").read_text()[-6000:]

    def records(self) -> list[dict[str, str]]:
        """Slurm's records of this project's jobs on the GPU nodes, in their order."""
        mine = [
            record
            for record in self.cluster.records
            if record["Partition"] == "gpu" and record["WorkDir"] == str(self.folder)
        ]
        return sorted(mine, key=lambda record: int(record["JobId"]))

    def rules(self) -> dict[str, str]:
        """Rule of each Slurm job, by job id (of an array: of each of its tasks)."""
        logs = (self.folder / ".snakemake" / "slurm_logs").rglob("*.log")
        found = {}
        for path in logs:
            rule = re.search(r"/(?:rule|group)_(\w+?)/", str(path))
            found[path.stem] = rule[1]
        return found

    def training_log(self, run: str = "source_only") -> Path:
        return self.folder / f"results/logs/demo/{run}/train.log"

    def running(self, partition: str) -> list[str]:
        """Ids of the jobs that run in a partition."""
        return self.cluster.command(
            "squeue", "--noheader", "--partition", partition, "--states=RUNNING", "--format=%A"
        ).split()


@pytest.fixture
def project(cluster, tmp_path) -> Iterator[Project]:
    project = Project(tmp_path, cluster)
    yield project
    project.stop()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for {what}")


def says(log: Path, pattern: str) -> bool:
    return log.exists() and re.search(pattern, log.read_text()) is not None


def test_the_method_runs_to_its_json_each_job_where_it_belongs(project):
    project.run("--profile", "slurm", "results/demo/bismap_distilled.json")
    report = json.loads((project.folder / "results/demo/bismap_distilled.json").read_text())
    assert report["images"] == 4
    rules = project.rules()
    assert set(rules.values()) == set(VERBS) - NOT_ASKED_FOR
    records = {job_name(record): record for record in project.cluster.records}
    for job, rule in rules.items():
        record, gpu = records[job], VERBS[rule].gpu
        assert record["JobState"] == "COMPLETED"
        assert record["Partition"] == ("gpu" if gpu else "cpu"), rule
        assert (record["NodeList"] in GPU_NODES) == gpu
        assert record.get("TresPerJob") == ("gres:gpu:1" if gpu else None)
    # Ready at the same time, parts go as an array; those of pseudo_labels follow one by one on those of densities.
    assert {rule for job, rule in rules.items() if "_" in job} >= SHARDED - NOT_ASKED_FOR - {"pseudo_labels"}


def job_name(record: dict[str, str]) -> str:
    """Number of a job; of one of an array, that of the array and its own."""
    return f"{record['ArrayJobId']}_{record['ArrayTaskId']}" if "ArrayTaskId" in record else record["JobId"]


def long_training(raw: dict) -> None:
    raw["experiments"]["demo"]["starts"] = {"imagenet": "random", "simclr": "random"}  # little comes before it
    raw["experiments"]["demo"]["settings"]["training"]["warmup"]["iterations"] = 800
    raw["experiments"]["demo"]["settings"]["training"]["log_every"] = 10
    raw["experiments"]["demo"]["settings"]["training"]["save_every"] = 50


def saved_on_signals_only(raw: dict) -> None:
    long_training(raw)
    raw["experiments"]["demo"]["settings"]["training"]["save_every"] = 100_000


def resumed_at(log: Path) -> int:
    return int(re.search(r"training goes on at step (\d+)", log.read_text())[1])


def test_a_node_that_dies_under_a_training_costs_only_its_last_steps(project):
    project.configure(long_training)
    main = project.start("--profile", "slurm", "results/demo/source_only/model.safetensors")
    wait_for(lambda: says(project.training_log(), r"step 120/"), "step 120")
    node = project.cluster.command("squeue", "--noheader", "--partition", "gpu", "--format=%N").split()[0]
    project.cluster.kill_node(node)
    try:
        assert main.wait(timeout=600) == 0
        assert resumed_at(project.training_log()) >= 100
    finally:
        project.cluster.start_node(node)


def test_a_cancelled_training_is_retried_from_its_state(project):
    project.configure(saved_on_signals_only)
    main = project.start("--profile", "slurm", "results/demo/source_only/model.safetensors")
    wait_for(lambda: says(project.training_log(), r"step 120/"), "step 120")
    project.cluster.command("scancel", *project.running("gpu"))
    assert main.wait(timeout=600) == 0
    assert resumed_at(project.training_log()) >= 120


def test_a_training_over_its_time_limit_goes_on_in_the_next_job(project):
    project.configure(saved_on_signals_only)
    project.set_in_profile("train", runtime=1)
    main = project.start("--profile", "slurm", "--retries", "9", "results/demo/source_only/model.safetensors")
    wait_for(lambda: says(project.training_log(), r"step 120/"), "step 120")

    def timeouts() -> int:
        return [record["JobState"] for record in project.records()].count("TIMEOUT")

    before = timeouts()
    with project.cluster.frozen(TRAINING):  # however fast the machine is, it meets its limit
        project.training_log().unlink()  # the next job writes its own; on a slow machine more than one may follow
        wait_for(lambda: timeouts() > before, "the time limit")
    wait_for(lambda: says(project.training_log(), "training goes on at step"), "the next job")
    assert resumed_at(project.training_log()) >= 120
    assert main.wait(timeout=600) == 0
    states = [record["JobState"] for record in project.records()]
    assert states[-1] == "COMPLETED"
    assert set(states[:-1]) == {"TIMEOUT"}


def test_a_slurm_that_does_not_answer_for_a_while_is_waited_for(project):
    project.configure(long_training)
    main = project.start("--profile", "slurm", "results/demo/source_only/model.safetensors")
    wait_for(lambda: says(project.training_log(), r"step 120/"), "step 120")
    with project.cluster.mute():
        wait_for(lambda: says(project.training_log(), "train: done"), "the training's end")
        time.sleep(30)
        assert main.poll() is None
    assert main.wait(timeout=600) == 0


def test_a_restart_of_the_main_process_waits_for_the_job_that_still_runs(project):
    project.configure(long_training)
    target = "results/demo/source_only/model.safetensors"
    first = project.start("--profile", "slurm", target)
    wait_for(lambda: says(project.training_log(), r"step 50/"), "step 50")
    with project.cluster.frozen(TRAINING):  # however fast the machine is, the second job comes before its end
        first.send_signal(signal.SIGKILL)
        first.wait()
        project.run("--unlock", target)
        second = project.start("--profile", "slurm", target)
        wait_for(lambda: says(project.training_log(), "waiting for another job that does the same work"), "the wait")
    assert second.wait(timeout=600) == 0
    log = project.training_log().read_text()
    assert "training starts" not in log
    assert "training goes on" not in log
    assert {record["JobState"] for record in project.records()} == {"COMPLETED"}
    assert len(list((project.folder / "results/.store/train").iterdir())) == 1
    assert (project.folder / target).is_file()
