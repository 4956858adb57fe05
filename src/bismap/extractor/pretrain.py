"""SimCLR pre-training of a small network on the experiment's own unlabelled images.

Stands in for the published SimCLRv2 network where no weights file is configured. A batch holds windows of
both domains in turn, and a view is told only from views of its own domain: otherwise the domain itself would
be the easiest thing to tell views apart by, and every source cell would lie far from the target's.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import get_total_norm

from bismap.errors import BismapError
from bismap.extractor.network import Extractor
from bismap.extractor.nt_xent import nt_xent
from bismap.extractor.views import draw_views, render_views
from bismap.progress import Progress
from bismap.random import seed64, stream
from bismap.state import load_newest, save, stop_signals

log = logging.getLogger(__name__)

SAVE_EVERY = 100
LOG_EVERY = 50


@dataclass(frozen=True)
class PretrainSettings:
    """Lengths in pixels of the shrunk images.

    Attributes:
        iterations: number of steps.
        batch: windows a step, half of each domain; two views each.
        window: side of the window both views lie in.
        crop: side that a view is resized to.
        min_area: smallest share of the window that a view covers.
        jitter: strength of the colour jitter (SimCLR's s).
        temperature: tau of NT-Xent.
        projection: output length of the projection head.
        lr: AdamW's learning rate at step 0, with cosine decay to 0.
        weight_decay: AdamW's.
        seed: of the weights, the windows and the views.
    """

    iterations: int
    batch: int
    window: int
    crop: int
    min_area: float
    jitter: float
    temperature: float
    projection: int
    lr: float
    weight_decay: float
    seed: int


class Pretraining:
    """The network, its projection head and optimiser, and the steps done; state survives a killed job."""

    def __init__(self, extractor: Extractor, settings: PretrainSettings, device: str) -> None:
        self.extractor, self.settings, self.device = extractor, settings, device
        dim = extractor.dim
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, settings.projection))
        self.head.to(device)
        parameters = [*extractor.backbone.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, settings.lr, weight_decay=settings.weight_decay)
        self.metrics: list[dict[str, float]] = []

    @property
    def done(self) -> int:
        """Number of steps done."""
        return len(self.metrics)

    def step(self, domains: Sequence[np.ndarray]) -> None:
        """One optimiser step on windows of ``domains``, each uint8 [n, height, width, 3].

        Raises:
            BismapError: before the update, if the loss or its gradient is not finite.
        """
        settings = self.settings
        positions = range(self.done * settings.batch, (self.done + 1) * settings.batch)
        windows = torch.from_numpy(draw_windows(domains, settings, positions)).to(self.device)
        views = draw_views(settings.seed, positions, settings.min_area, settings.jitter)
        maps = self.extractor.map(render_views(windows, views, settings.crop))
        projections = self.head(maps.mean((2, 3)))
        pairs = projections.view(settings.batch, 2, -1)
        apart = [pairs[d :: len(domains)].flatten(0, 1) for d in range(len(domains))]
        losses, hits = zip(*(nt_xent(views, settings.temperature) for views in apart), strict=True)
        loss = torch.stack(losses).mean()
        self._update(loss, float(torch.stack(hits).mean()))

    def _update(self, loss: torch.Tensor, hit: float) -> None:
        lr = self.settings.lr * 0.5 * (1 + math.cos(math.pi * self.done / self.settings.iterations))
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad()
        loss.backward()
        norm = get_total_norm([p.grad for group in self.optimizer.param_groups for p in group["params"]])
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise BismapError(
                f"pre-training diverged at step {self.done}: loss {loss.item()}, gradient norm {norm.item()}; "
                "lower its lr"
            )
        self.optimizer.step()
        self.metrics.append({"step": self.done, "loss": loss.item(), "matched": hit, "lr": lr})

    def save(self, folder: Path) -> None:
        """Write the state, whole or not at all."""
        state: dict[str, Any] = {name: module.state_dict() for name, module in self._parts()}
        save(folder, self.done, state | {"metrics": self.metrics})

    def resume(self, folder: Path) -> None:
        """Go on from the newest state of a killed attempt, if there is one."""
        state = load_newest(folder)
        if state is not None:
            for name, part in self._parts():
                part.load_state_dict(state[name])
            self.metrics = state["metrics"]
            log.info("going on after step %d", self.done)

    def _parts(self) -> tuple[tuple[str, Any], ...]:
        return ("backbone", self.extractor.backbone), ("head", self.head), ("optimizer", self.optimizer)


def pretrain(
    extractor: Extractor, domains: Sequence[np.ndarray], settings: PretrainSettings, state: Path, device: str
) -> list[dict[str, float]]:
    """Train ``extractor``'s network in place; returns loss and matched share by step.

    Args:
        domains: one array uint8 [n, height, width, 3] per domain.
        state: folder that a killed attempt goes on from.

    Raises:
        BismapError: if the settings do not fit the images.
        SystemExit: after a stop signal, with status 128 + its number, once the state is saved.
    """
    _check(domains, settings)
    with torch.random.fork_rng():
        torch.manual_seed(seed64(settings.seed, "simclr head"))
        work = Pretraining(extractor, settings, device)
        work.resume(state)
        extractor.backbone.train()
        with stop_signals() as received:
            progress = Progress(settings.iterations, work.done)
            while work.done < settings.iterations:
                work.step(domains)
                if work.done % LOG_EVERY == 0:
                    recent = work.metrics[-LOG_EVERY:]
                    progress.report(work.done, float(np.mean([row["loss"] for row in recent])), recent[-1]["lr"])
                if received or work.done % SAVE_EVERY == 0:
                    work.save(state)
                if received:
                    log.warning("stopped by signal %d at step %d; state saved", received[0], work.done)
                    raise SystemExit(128 + received[0])
        extractor.backbone.eval()
    return work.metrics


def draw_windows(domains: Sequence[np.ndarray], settings: PretrainSettings, positions: Sequence[int]) -> np.ndarray:
    """Windows uint8 [n, window, window, 3] at ``positions`` of the sequence; domains take turns.

    Each domain's images come in an order drawn anew for every pass over them.
    """
    side = settings.window
    windows = np.empty((len(positions), side, side, 3), np.uint8)
    for row, position in enumerate(positions):
        turn, domain = divmod(position, len(domains))
        images = domains[domain]
        epoch, place = divmod(turn, len(images))
        image = images[_order(settings.seed, domain, epoch, len(images))[place]]
        random = stream(settings.seed, "window", position)
        top = random.integers(image.shape[0] - side + 1)
        left = random.integers(image.shape[1] - side + 1)
        windows[row] = image[top : top + side, left : left + side]
    return windows


@lru_cache(maxsize=8)
def _order(seed: int, domain: int, epoch: int, images: int) -> np.ndarray:
    return stream(seed, "order", domain, epoch).permutation(images)


def _check(domains: Sequence[np.ndarray], settings: PretrainSettings) -> None:
    height, width = domains[0].shape[1:3]
    if settings.window > min(height, width):
        raise BismapError(f"a window of {settings.window} pixels does not fit images of {width} x {height}")
    if settings.batch % len(domains) or settings.batch < 2 * len(domains):
        raise BismapError(f"batch {settings.batch}: expected an even number of at least {2 * len(domains)}")
