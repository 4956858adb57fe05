"""What a run of the workflow shows: a live overview on a terminal, few lines elsewhere; and what it notes."""

import fcntl
import io
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from bismap.status.asked import AskedJob, read_asked
from snakemake_logger_plugin_bismap import LogHandler
from snakemake_logger_plugin_bismap.panel import Panel
from snakemake_logger_plugin_bismap.run import Run
from tests.workflow.runs import ROOT

# Jobs that log as stages do; the second waits until the overview was drawn, the third fails when it is told to.
SNAKEFILE = """
import sys
sys.path.insert(0, ROOT)
from workflow.asked import note_jobs

onstart:
    note_jobs(workflow.dag)

rule all:
    input:
        "results/demo/gpa.json"

rule index:
    output: "results/datasets/{dataset}/index.csv"
    log: "results/logs/datasets/{dataset}/index.log"
    shell: "echo {output} >{output}; touch {log}"

rule train:
    input: "results/datasets/game/index.csv"
    output: "results/{exp}/{run}/model.safetensors"
    log: "results/logs/{exp}/{run}/train.log"
    shell:
        "echo '2026-11-20 08:05:30,094 INFO bismap.x: "
        "step 120/200  loss 0.9927  lr 0.1  11.11 it/s  ETA 0:00:07' >{log}; "
        "echo a word of the job >&2; sleep SLEEP; touch {output}"

rule evaluate:
    input: "results/{exp}/{run}/model.safetensors"
    output: "results/{exp}/{run}.json"
    log: "results/logs/{exp}/{run}/evaluate.log"
    shell:
        "echo '2026-11-20 08:05:30,094 ERROR bismap: bismap evaluate: no image x.png' >{log}; "
        "echo 'bismap evaluate: no image x.png' >&2; END"
"""


def write(folder: Path, fails: bool = False, sleep: float = 0.0) -> list[str]:
    """The workflow in a folder, and the command that runs it by the project's own default profile."""
    given = {"ROOT": repr(str(ROOT)), "SLEEP": str(sleep), "END": "exit 1" if fails else "touch {output}"}
    text = SNAKEFILE
    for name, value in given.items():
        text = text.replace(name, value)
    (folder / "Snakefile").write_text(text)
    profile = yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text())
    return [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", profile["logger"]]


def in_a_file(folder: Path, command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def on_a_terminal(folder: Path, command: list[str]) -> str:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def read() -> str:
        found = b""
        with suppress(OSError):  # the other side is closed
            while data := os.read(master, 4096):
                found += data
        return found.decode().replace("\r\n", "\n")

    with ThreadPoolExecutor() as pool:
        with subprocess.Popen(command, cwd=folder, stdin=slave, stdout=slave, stderr=slave):
            os.close(slave)
            reading = pool.submit(read)
        text = reading.result()
    os.close(master)
    return text


def test_into_a_file_go_few_lines_and_the_error_of_a_failed_job(tmp_path):
    status, text = in_a_file(tmp_path, write(tmp_path, fails=True))
    assert status == 1
    assert "\x1b" not in text
    assert "\r" not in text
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in text.splitlines()]
    assert sorted(re.split(": |, ", lines[0])) == ["1 evaluate", "1 index", "1 train", "3 jobs to do"]
    assert lines[1:7] == [
        "[1 of 3] index game finished",
        "a word of the job",
        "[2 of 3] train demo/gpa finished",
        "bismap evaluate: no image x.png",
        "evaluate demo/gpa failed",
        "         log results/logs/demo/gpa/evaluate.log",
    ]
    assert len(lines) <= 13  # what Snakemake says of its end, and where its own log lies
    noted = read_asked(tmp_path / "results" / "logs" / "demo")
    assert noted.jobs == (
        AskedJob("index", "datasets/game/index.log", "datasets/game/index.csv"),
        AskedJob("train", "demo/gpa/train.log", "demo/gpa/model.safetensors"),
        AskedJob("evaluate", "demo/gpa/evaluate.log", "demo/gpa.json"),
    )


def test_shell_commands_are_printed_where_they_are_asked_for(tmp_path):
    status, text = in_a_file(tmp_path, [*write(tmp_path), "-p"])
    assert status == 0
    assert "touch results/demo/gpa.json" in text


def test_a_record_that_cannot_be_shown_ends_nothing(monkeypatch):
    handler, lost = LogHandler.__new__(LogHandler), []
    monkeypatch.setattr(handler, "_show", lambda record: Path("/nowhere").stat(), raising=False)
    monkeypatch.setattr(handler, "handleError", lost.append, raising=False)
    record = logging.makeLogRecord({"msg": "x"})
    handler.emit(record)
    assert lost == [record]


def test_a_dry_run_is_what_snakemake_makes_of_it(tmp_path):
    _, text = in_a_file(tmp_path, [*write(tmp_path), "-n"])
    assert "rule train:\n    input: results/datasets/game/index.csv\n" in text
    assert "Job stats:\n" in text
    assert "This was a dry-run" in text
    assert not (tmp_path / "results" / "logs").exists()


def test_on_a_terminal_the_overview_is_live_and_leaves_no_trace(tmp_path):
    text = on_a_terminal(tmp_path, write(tmp_path, sleep=2.5))
    assert "[##########--------------------] 1 of 3 jobs, 1 in work, 00:00:0" in text
    assert "\n  train demo/gpa  step 120/200  loss 0.9927  11.11 it/s  ETA 0:00:07\x1b[2A\r" in text
    stays = text.rpartition("\x1b[J")[2]
    assert "in work" not in stays
    for line in ("[1 of 3] index game finished\n", "[3 of 3] evaluate demo/gpa finished\n"):
        assert re.search(r"\x1b\[J\d\d:\d\d:\d\d " + re.escape(line), text) or line in text


@pytest.fixture
def two_jobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, folder = Run(), tmp_path / "results" / "logs" / "demo"
    run.planned({"stats": {"train": 2, "all": 1, "total": 3}})
    for jobid, name in enumerate(("gpa", "bismap_distilled_round1")):
        (folder / name).mkdir(parents=True)
        run.started({"jobid": jobid, "rule_name": "train", "log": [f"results/logs/demo/{name}/train.log"]})
    (folder / "gpa" / "train.log").write_text("2026-11-20 08:05:30,094 INFO bismap.x: reading images\n")
    return run


def test_lines_fit_the_terminal(two_jobs):
    assert two_jobs.lines(80, 20)[1:] == [
        "  train demo/gpa  reading images",
        "  train demo/bismap_distilled_round1  waits for its turn",
    ]
    narrow = two_jobs.lines(30, 20)
    assert narrow[1:] == [
        "  train demo/gpa",
        "    reading images",
        "  train demo/bismap_distilled…",
        "    waits for its turn",
    ]
    assert max(map(len, narrow)) == 30
    assert two_jobs.lines(80, 2)[1:] == ["  and 2 more"]


def test_of_a_job_on_a_cluster_the_error_is_told(two_jobs):
    log = Path("results/logs/demo/gpa/train.log")
    log.write_text("2026-11-20 08:05:30,094 ERROR bismap: bismap train: no image x.png\n")
    line = two_jobs.failed({"jobid": 0, "rule_msg": "see the cluster's log", "aux": {"external_jobid": "7"}})
    assert line.endswith(f" train demo/gpa failed: bismap train: no image x.png\n         log {log}")


def test_the_error_of_an_earlier_try_is_not_taken_for_that_of_a_job_that_never_began(two_jobs):
    log = Path("results/logs/demo/gpa/train.log")
    log.write_text("2026-11-20 08:05:30,094 ERROR bismap: of an earlier try\n")
    os.utime(log, (1e9, 1e9))
    assert two_jobs.failed({"jobid": 0, "rule_msg": "NODE_FAIL", "aux": {"external_jobid": "7"}}) is None


def test_what_a_job_prints_by_itself_stays_above_the_overview(two_jobs):
    terminal = io.StringIO()
    panel = Panel(terminal, two_jobs)
    panel.above(lambda: terminal.write("before\n"))
    assert terminal.getvalue() == "before\n"
    panel.start()
    panel.above(lambda: terminal.write("meanwhile\n"))
    panel.stop()
    said = terminal.getvalue()
    assert "\r\x1b[Jmeanwhile\n\r\x1b[J\n[" in said  # cleared, told, drawn again below an empty line
    assert re.search(r"waits for its turn\x1b\[3A\r\r\x1b\[J$", said)  # the cursor rests at the empty line
