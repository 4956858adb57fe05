"""Trainings killed again and again, in processes of their own, by every signal there is for it."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from killed import ITERATIONS, SAVE_EVERY
from trainers import OBJECTIVES, steps_for

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1)
LOG_EVERY = 4


def attempt(objective: str, folder: Path, state: Path, kill: tuple[int, int] | None = None) -> int:
    """Run or go on with the training; returns the exit status."""
    state.mkdir(exist_ok=True)
    script = Path(__file__).with_name("killed.py")
    command = [sys.executable, str(script), objective, str(folder / "steps.pt"), str(state), str(folder)]
    environment = os.environ | ({"KILL": f"{kill[0]}:{int(kill[1])}"} if kill else {})
    return subprocess.run(command, env=environment, check=False).returncode


def noted(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "steps").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_training_killed_many_times_ends_like_one_that_ran_through(objective, source, target, tmp_path):
    through, killed = tmp_path / "through", tmp_path / "killed"
    for folder in (through, killed):
        folder.mkdir()
        torch.save(steps_for(objective, source, target), folder / "steps.pt")
    assert attempt(objective, through, through / "state") == 0
    assert noted(through) == list(range(ITERATIONS))

    dice = random.Random(objective)
    moments = sorted(dice.sample(range(SAVE_EVERY, ITERATIONS - 1), 4))
    kills = [(moment, dice.choice(SIGNALS)) for moment in moments]
    kills[1] = (kills[1][0], signal.SIGKILL)  # at least one that cannot be caught
    starts = []
    for moment, number in kills:
        before = len(noted(killed)) if starts else 0
        status = attempt(objective, killed, killed / "state", (moment, number))
        assert status == (-number if number == signal.SIGKILL else 128 + number)
        starts.append(noted(killed)[before])
    assert attempt(objective, killed, killed / "state") == 0

    assert starts[0] == 0
    assert all(start > 0 for start in starts[1:])
    assert len(noted(killed)) <= ITERATIONS + SAVE_EVERY * len(kills)
    first, second = (torch.load(folder / "model.pt") for folder in (through, killed))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    curve = (killed / "metrics.csv").read_text()
    assert curve == (through / "metrics.csv").read_text()
    logged = [int(row.split(",")[0]) for row in curve.splitlines()[1:]]
    assert logged == [*range(LOG_EVERY, ITERATIONS, LOG_EVERY), ITERATIONS]
