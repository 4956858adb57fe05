"""The training loop: one optimiser step after another, resumable at any of them."""

import itertools
import logging
import math
import signal
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.nn.utils import get_total_norm

from bismap.errors import BismapError
from bismap.processes import ALONE, Processes
from bismap.progress import Progress
from bismap.random import seed64
from bismap.state import load_newest, save, stop_signals
from bismap.training.batches import StepBatch, Steps, step_batches
from bismap.training.events import Events
from bismap.training.metrics import Metrics
from bismap.training.objectives import Forward, Objective
from bismap.training.optimizer import Schedule
from bismap.training.validation import Validation

log = logging.getLogger(__name__)


class Trainer:
    """Trains ``net`` in place.

    All randomness follows from the seed and the step, so the state is the weights, the optimiser, the mean
    teacher, the gradient scaler, the metrics and the validation's rows; a training that is killed and resumed
    ends where one that ran through does, bit by bit on a CPU with as many threads. Several processes share the crops of
    each step; their gradients are those of the whole step, and a training may go on with another number of them.
    """

    def __init__(
        self,
        net: nn.Module,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        forward: Forward,
        log_every: int,
        seed: int,
        processes: Processes = ALONE,
        validation: Validation | None = None,
    ) -> None:
        self.net = net
        self.objective = objective
        self.optimizer = optimizer
        self.schedule = schedule
        self.forward = forward
        self.metrics = Metrics(log_every)
        self.seed = seed
        self.processes = processes
        self.validation = validation
        self.step = 0
        kind = torch.device(forward.device).type
        self.scaler = torch.amp.GradScaler(kind, enabled=forward.dtype == torch.float16)

    def fit(self, steps: Steps, folder: Path, workers: int, save_every: int, events: Path | None = None) -> None:
        """Train to the schedule's end, from the newest state in ``folder`` if there is one.

        The state is saved every ``save_every`` steps and on SIGTERM and SIGUSR1.

        Args:
            events: folder for TensorBoard's event files; None for none.

        Raises:
            BismapError: for a non-finite loss, an unreadable image, a state that cannot be written.
            SystemExit: after a stop signal, with status 128 + its number, once the state is saved.
        """
        self._resume(folder)
        end = self.schedule.iterations
        pinned = torch.device(self.forward.device).type == "cuda"
        self.net.train()
        with ExitStack() as stack:
            received = stack.enter_context(stop_signals())
            writer = None
            if events is not None and self.processes.first:
                writer = stack.enter_context(closing(Events(events, self.step + 1)))
            progress = Progress(end, self.step)
            if self._validation_is_due():  # a stop kept it from its end
                self._complete_step(folder, save_every, received, writer)
            for batch in step_batches(steps, self.step, end, workers, pinned):
                self._advance(batch, progress, writer)
                self._complete_step(folder, save_every, received, writer)

    def _advance(self, batch: StepBatch, progress: Progress, writer: Events | None) -> None:
        lr = self.schedule.apply(self.optimizer, self.step)
        values = self.optimize(batch)
        self.step += 1
        [unlabelled] = self.processes.totals(sum(part.unlabelled for part in batch if part is not None))
        self.metrics.add(values, unlabelled)
        if self.metrics.is_due(self.step, last=self.step == self.schedule.iterations):
            ema = self.objective.ema
            distance = None if ema is None else ema.distance(self.net)
            row = self.metrics.close_row(self.step, lr, distance)
            progress.report(self.step, row["loss"], lr)
            if writer is not None:
                writer.add(row)

    def _validation_is_due(self) -> bool:
        last = self.step == self.schedule.iterations
        return self.validation is not None and self.validation.is_due(self.step, last)

    def _complete_step(self, folder: Path, save_every: int, received: list[int], writer: Events | None) -> None:
        """What follows a step: the validation and the saved state where they are due, and the end if told to."""
        if self._validation_is_due():
            row = self.validation.measure(self.net, self.step, lambda: bool(received))
            if row is not None and writer is not None:
                writer.add(row, "validation/")
        [stop] = self.processes.totals(bool(received))  # whoever was told to
        if self.processes.first and (stop or self.step % save_every == 0):
            save(folder, self.step, self.state_dict())
        if stop:
            self.processes.wait()
            number = received[0] if received else signal.SIGTERM
            log.warning("stopped by signal %d at step %d; state saved", number, self.step)
            raise SystemExit(128 + number)

    def optimize(self, batch: StepBatch) -> dict[str, float]:
        """One optimiser step; returns the total loss and each unweighted term, by name.

        Raises:
            BismapError: before the step, if a loss term or the gradient is not finite.
        """
        other = () if self.processes.first else (self.processes.rank,)  # its crops are others: so are their masks
        torch.manual_seed(seed64("dropout", self.seed, self.step, *other))
        self.optimizer.zero_grad(set_to_none=True)
        weights: dict[str, float] = {}
        losses: dict[str, Tensor] = {}
        for student_pass in self.objective.passes:
            terms = student_pass(self.forward, self.net, batch, self.step)
            counts = self._shared([term.loss.count for term in terms])
            means = [term.loss.over(count) for term, count in zip(terms, counts, strict=True)]
            total = sum(term.weight * mean for term, mean in zip(terms, means, strict=True))
            self.scaler.scale(total).backward()
            for term, mean in zip(terms, means, strict=True):
                weights[term.name], losses[term.name] = term.weight, mean.detach()
        self._share_gradients()
        values = self._check(losses, batch)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return {"loss": sum(weights[name] * value for name, value in values.items())} | values

    def _shared(self, counts: list[Tensor]) -> list[Tensor]:
        """Counts of all processes together."""
        if self.processes.size == 1:
            return counts
        return list(self.processes.add_up(torch.stack([count.to(torch.float64) for count in counts])))

    def _share_gradients(self) -> None:
        """Add up the gradients of all processes, each of which is that of its crops' share in the whole step."""
        if self.processes.size == 1:
            return
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        flat = self.processes.add_up(_flatten_dense_tensors(gradients))
        torch._foreach_copy_(gradients, _unflatten_dense_tensors(flat, gradients))

    def _check(self, losses: dict[str, Tensor], batch: StepBatch) -> dict[str, float]:
        self.scaler.unscale_(self.optimizer)
        norm = get_total_norm([p.grad for p in self.net.parameters() if p.grad is not None])
        totals = self.processes.add_up(torch.stack([loss.double() for loss in losses.values()]))
        *values, norm = torch.cat([totals, norm.double()[None]]).tolist()  # the only wait for the device in a step
        named = dict(zip(losses, values, strict=True))
        # With float16 an overflow is part of the search for a loss scale: the scaler skips such a step.
        searching = self.scaler.is_enabled() and self.scaler.get_scale() > 1.0
        if not (all(map(math.isfinite, values)) and (searching or math.isfinite(norm))):
            own = [name for part in batch if part is not None for name in part.ids]
            ids = ", ".join(itertools.chain.from_iterable(self.processes.gather(own)))
            raise BismapError(
                f"training stopped before the update of step {self.step}: the loss or its gradient is not "
                f"finite ({named}, gradient norm {norm}); images of the step: {ids}. "
                "Look at them, or lower `lr`."
            )
        return named

    def state_dict(self) -> dict[str, Any]:
        """All that a later attempt needs to go on from here."""
        ema = self.objective.ema
        validation = {} if self.validation is None else {"validation": self.validation.rows}
        return validation | {
            "step": self.step,
            "net": self.net.state_dict(),
            "ema": None if ema is None else ema.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "metrics": self.metrics.state_dict(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self.step = saved["step"]
        self.net.load_state_dict(saved["net"])
        if self.objective.ema is not None:
            self.objective.ema.net.load_state_dict(saved["ema"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scaler.load_state_dict(saved["scaler"])
        self.metrics.load_state_dict(saved["metrics"])
        if self.validation is not None:
            self.validation.rows = saved["validation"]

    def _resume(self, folder: Path) -> None:
        saved = load_newest(folder)
        if saved is None:
            log.info("training starts at step 0 of %d", self.schedule.iterations)
            return
        self.load_state_dict(saved)
        log.info("training goes on at step %d of %d", self.step, self.schedule.iterations)
