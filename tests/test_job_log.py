"""Logs of jobs: the lines are read as they are written, whatever the moment."""

import logging

import pytest

from bismap.job_log import FORMAT, Begin, read_begin, read_log
from bismap.progress import Progress, StepLine, read_step

KEY = "0123456789abcdef" * 2
BEGIN = Begin("train", KEY, "vm/boot/4026531836 4711")


@pytest.fixture
def log(tmp_path):
    """A function that logs a message to the file, in the form that the command line sets up, and the file."""
    path = tmp_path / "train.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter(FORMAT))
    logger = logging.getLogger("bismap")
    level, logger.level = logger.level, logging.INFO
    logger.addHandler(handler)
    yield logger, path
    logger.removeHandler(handler)
    logger.level = level


def test_the_line_of_a_training_is_read_as_it_was_written(log):
    logger, path = log
    logger.info("%s", BEGIN)
    progress = Progress(90000, first=40)
    progress._began -= 50.0  # seconds: 20 steps in 50 s
    progress.report(60, loss=1.23456, lr=0.00049987)
    found = read_log(path)
    assert found.begin == BEGIN
    step = found.step
    assert (step.step, step.steps, step.loss, step.lr) == (60, 90000, 1.2346, 0.0005)
    assert step.rate == pytest.approx(0.4, abs=0.01)
    assert step.left == "2 days, 14:27:30"  # 89,940 steps at 0.4 a second, less the moment that the test took
    assert found.last == str(step)


@pytest.mark.parametrize("left", ["0:00:07", "5:55:07", "1 day, 2:03:04"])
def test_a_step_line_is_what_it_says(left):
    line = StepLine(120, 200, 0.9927, 0.0487, 11.11, left)
    assert read_step(str(line)) == line


@pytest.mark.parametrize("text", ["", "step 49: loss 3.160, matched 0.19", "step 1/2  loss x  lr 1  2 it/s  ETA 1"])
def test_other_lines_are_no_step_lines(text):
    assert read_step(text) is None


def test_a_half_written_line_is_left_out(log):
    logger, path = log
    logger.info("%s", StepLine(10, 200, 1.0, 0.1, 2.0, "0:01:35"))
    whole = path.read_text()
    logger.info("%s", StepLine(20, 200, 0.5, 0.1, 2.0, "0:01:30"))
    text = path.read_text()
    for end in (len(whole), len(whole) + 60, len(text) - 1):
        path.write_text(text[:end])
        assert read_log(path).step.step == 10
    assert read_begin(path) is None


def test_every_prefix_of_a_log_can_be_read(log, tmp_path):
    logger, path = log
    logger.info("%s", BEGIN)
    logger.info("%s", StepLine(10, 200, 1.0, 0.1, 2.0, "0:01:35"))
    logger.error("bismap train: ü broke")
    whole, part = path.read_bytes(), tmp_path / "part.log"
    seen = set()
    ends = [end + 1 for end, byte in enumerate(whole) if byte == ord("\n")]
    for end in sorted({*range(0, len(whole), 9), *ends}):
        part.write_bytes(whole[:end])
        found = read_log(part)
        seen.add((found.begin == BEGIN, found.step is not None, found.error))
    assert seen == {
        (False, False, None),
        (True, False, None),
        (True, True, None),
        (True, True, "bismap train: ü broke"),
    }


def test_an_error_is_told_in_one_line(log):
    logger, path = log
    logger.error("bismap train: no data in x\nIt must look like this:\n  x/y")
    assert read_log(path).error == "bismap train: no data in x"
    try:
        raise KeyError("lr")
    except KeyError:
        logger.exception("bismap train stopped by an unexpected error")
    assert read_log(path).error == "bismap train stopped by an unexpected error: KeyError: 'lr'"


def test_of_a_long_log_the_ends_are_read(log):
    logger, path = log
    logger.info("%s", BEGIN)
    for step in range(1, 3000):
        logger.info("%s", StepLine(step, 3000, 1.0, 0.1, 2.0, "0:01:35"))
    found = read_log(path)
    assert found.begin == BEGIN
    assert found.step.step == 2999
    assert not found.done
    logger.info("train: done in 12.3 s")
    assert read_log(path).done


def test_there_may_be_no_log(tmp_path):
    assert read_log(tmp_path / "x.log") is None
    assert read_begin(tmp_path / "x.log") is None
