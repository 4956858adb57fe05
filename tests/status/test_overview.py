"""What `bismap status` prints, and how it ends."""

import json
import os
import pty
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from bismap.cli import main
from bismap.status import watch as watching
from bismap.status.asked import AskedJob

from .standing import ELSEWHERE, Standing, step


@pytest.fixture
def demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Standing(tmp_path)


def printed(demo, capsys):
    status = main(["status", "results/demo"])
    return status, capsys.readouterr().out


def test_nothing_begun(demo, capsys):
    status, text = printed(demo, capsys)
    assert (status, text) == (5, "results/demo: nothing was begun\n")


def test_all_states_in_80_columns(demo, capsys):
    demo.results = demo.results.relative_to(demo.results.parent)
    jobs = [demo.finish("gpa/train", "demo/gpa/model.safetensors", key="a")]
    running = demo.log("bismap_distilled_round1/train", step(120), owner=ELSEWHERE, key="b")
    demo.lock("train", running, ELSEWHERE)
    dead = demo.log("gpa_stm/train", step(110), owner=ELSEWHERE, key="c")
    demo.lock("train", dead, ELSEWHERE, silent=200)
    demo.save("train", dead, 100)
    for part in range(3):
        name = f"bismap/predict/val/{part}-of-4"
        jobs.append(demo.finish(name, f"demo/bismap/predictions/{part}.csv", stage="predict", key=f"{part}"))
    demo.log("bismap/predict/val/3-of-4", "ERROR bismap predict: no image x.png", stage="predict", key="d")
    demo.ask(*jobs, AskedJob("evaluate", "demo/bismap/evaluate.log", "demo/bismap.json"))
    status, text = printed(demo, capsys)
    assert status == 3
    assert max(map(len, text.splitlines())) <= 80
    assert text == (
        "results/demo: 4 finished, 1 not begun, 1 running, 1 dead, 1 failed\n"
        "[####################--------------------] 4 of 8 jobs\n"
        "\n"
        "  gpa                        finished   train\n"
        "  bismap\n"
        "    predict                  finished   3 of 4 parts\n"
        "                             failed     1 of 4 parts\n"
        "      val/3-of-4: bismap predict: no image x.png\n"
        "      log results/logs/demo/bismap/predict/val/3-of-4.log\n"
        "    evaluate                 not begun\n"
        "  bismap_distilled_round1\n"
        "    train                    running\n"
        "      step 120/200  loss 0.9927  11.11 it/s  ETA 0:00:07\n"
        "      since 2026-11-20 08:05:30, process 4711 on node7\n"
        "  gpa_stm\n"
        "    train                    dead\n"
        "      process 4711 on node7 is gone\n"
        "      goes on from step 100 of 200\n"
        "      log results/logs/demo/gpa_stm/train.log\n"
    )


def test_scores_and_places(demo, capsys):
    demo.finish("bismap/evaluate", "demo/bismap.json", stage="evaluate")
    report = {"miou": {"miou19": {"miou": 0.4321}, "miou13": None}}
    (demo.folder / "bismap.json").resolve().write_text(json.dumps(report))
    (demo.folder / "gpa.json").write_text('{"miou": {"m')  # half written
    _, text = printed(demo, capsys)
    assert "  bismap                     miou13 -  miou19 43.2 %\n" in text
    assert "  IoU of each class          results/demo/*.json\n" in text
    assert "gallery" not in text


def test_neither_torch_nor_numpy_is_loaded(demo):
    demo.finish("gpa/train", "demo/gpa/model.safetensors")
    code = (
        "import sys; from bismap.cli import main; main(sys.argv[1:]); "
        "print(sorted({'torch', 'numpy', 'pydantic'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code, "status", "results/demo"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.fixture
def goes_on(demo, monkeypatch):
    """A training that reaches step 120 and is finished while it is watched."""
    monkeypatch.setattr(watching, "EVERY_S", 0.02)
    key = demo.log("gpa/train", step(120))
    looked = threading.Event()
    survey = watching.survey
    rounds = iter(range(1000))

    def counted(folder):
        if next(rounds) == 3:
            looked.set()
            time.sleep(0.2)
        return survey(folder)

    monkeypatch.setattr(watching, "survey", counted)

    def work():
        with demo.store.lock("train", key):
            looked.wait(30)
            demo.finish("gpa/train", "demo/gpa/model.safetensors")

    thread = threading.Thread(target=work)
    thread.start()
    while not list((demo.store.root / ".locks").glob("train-*.lock")):
        time.sleep(0.01)
    yield
    thread.join()


def test_watching_into_a_file_is_a_line_per_change(demo, goes_on, capsys):
    demo.ask(AskedJob("train", "demo/gpa/train.log", "demo/gpa/model.safetensors"), owner="elsewhere 1")
    assert main(["status", "results/demo", "--watch"]) == 0
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["[0 of 1] train gpa running", "[1 of 1] train gpa finished"]


def read_all(master: int) -> str:
    found = b""
    with suppress(OSError):  # the other side is closed
        while data := os.read(master, 4096):
            found += data
    os.close(master)
    return found.decode().replace("\r\n", "\n")


def test_watching_on_a_terminal_redraws_in_place(demo, goes_on, monkeypatch):
    master, slave = pty.openpty()
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read_all, master)
        with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal)
            assert main(["status", "results/demo", "--watch"]) == 0
        frames = reading.result().split("\x1b[H")
    assert "step 120/200  loss 0.9927  11.11 it/s  ETA 0:00:07" in frames[1]
    assert frames[-1].replace("\x1b[J", "").startswith("results/demo: 1 finished\n")
