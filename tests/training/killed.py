"""A training in a process of its own that is sent signals at given steps: ``killed.py OBJECTIVE STEPS STATE OUT``.

The signal comes from the environment variable ``KILL`` as ``step:number``; steps done are noted in ``OUT/steps``.
"""

import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from trainers import make_trainer

ITERATIONS = 30
SAVE_EVERY = 4


def main(objective: str, steps: Path, state: Path, out: Path) -> None:
    torch.set_num_threads(1)
    trainer = make_trainer(objective, iterations=ITERATIONS)
    at, number = map(int, os.environ.get("KILL", "-1:0").split(":"))
    optimize = trainer.optimize

    def noted(batch):
        values = optimize(batch)
        with (out / "steps").open("a") as file:
            file.write(f"{trainer.step}\n")
        if trainer.step == at:
            os.kill(os.getpid(), number)
        return values

    trainer.optimize = noted
    trainer.fit(torch.load(steps, weights_only=False), state, workers=0, save_every=SAVE_EVERY)
    trainer.metrics.write(out / "metrics.csv")
    torch.save(trainer.net.state_dict(), out / "model.pt")


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
