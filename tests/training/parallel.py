"""One of several processes that train together, or alone: ``parallel.py OBJECTIVE NORM STEPS STATE OUT``.

NORM is ``running`` (batch norm by its running statistics) or ``joint`` (by those of all processes' crops).
"""

import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from torch import nn
from trainers import make_trainer

from bismap.models.shared_norm import share_norms
from bismap.processes import Processes
from bismap.training.batches import Steps

ITERATIONS = 8


def by_running_statistics(net: nn.Module) -> None:
    """What a process sees of the others is then only the sums."""
    net.eval()
    net.train = lambda mode=True: net


def by_joint_statistics(net: nn.Module) -> None:
    if torch.distributed.is_initialized():
        share_norms(net, "cpu")
    for module in net.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0


def main(objective: str, norm: str, steps: Path, state: Path, out: Path) -> None:
    torch.set_num_threads(1)
    processes = Processes.of_environment()
    processes.join()
    trainer = make_trainer(objective, iterations=ITERATIONS, processes=processes)
    prepare = {"running": by_running_statistics, "joint": by_joint_statistics}[norm]
    prepare(trainer.net)
    if trainer.objective.ema is not None:
        prepare(trainer.objective.ema.net)
    saved = torch.load(steps, weights_only=False)
    stop = int(os.environ.get("STOP", -1))
    optimize = trainer.optimize

    def stopped(batch):
        values = optimize(batch)
        if trainer.step == stop and processes.rank == processes.size - 1:
            os.kill(os.getpid(), 15)
        return values

    trainer.optimize = stopped
    trainer.fit(Steps(saved.source, saved.target, processes), state, workers=0, save_every=100)
    if processes.first:
        trainer.metrics.write(out / "metrics.csv")
        torch.save(trainer.net.state_dict(), out / "model.pt")
    processes.leave()


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(Path, sys.argv[3:]))
