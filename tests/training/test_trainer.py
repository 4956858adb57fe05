"""The training loop: what a step minimises, exact resumption, stops on bad numbers."""

import copy
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import CLASSES, make_tiny_net
from torch import nn
from torch.nn.utils import get_total_norm

from bismap.data import IGNORE
from bismap.errors import BismapError
from bismap.training.batches import Domain, StepBatch, Steps
from bismap.training.objectives import Forward, build_objective
from bismap.training.optimizer import Schedule, build_optimizer
from bismap.training.trainer import Trainer

SETTINGS = {
    "sce": {"ce_weight": 0.1, "rce_weight": 1.0, "one_hot_floor": 1e-4, "prediction_floor": 1e-7},
    "consistency": {
        "weight": 30.0, "reduction": "mean_classes", "rampup_iterations": 8, "ema_decay": 0.9,
        "strong_view": "student",
    },
    "distillation": {"weight": 1.0, "kd_form": "kl"},
}  # fmt: skip
TERMS = {
    "warmup": ["source_ce"],
    "retrain": ["source_ce", "consistency", "target_ce", "target_rce"],
    "distill": ["source_ce", "target_ce", "target_rce", "distillation"],
}
OBJECTIVES = list(TERMS)
ITERATIONS = 6


def make_trainer(objective: str, dtype: torch.dtype | None = None, **changes) -> Trainer:
    net = make_tiny_net()
    teacher = None
    if objective == "distill":
        teacher = make_tiny_net().eval().requires_grad_(False)
        with torch.no_grad():
            teacher.classifier[1].weight.mul_(-2.0)
    return Trainer(
        net,
        build_objective({**SETTINGS, "objective": objective} | changes, net, teacher),
        build_optimizer(net, lr=0.02, head_lr_factor=10, momentum=0.9, weight_decay=5e-4),
        Schedule(ITERATIONS, 2, 0.9, 1e-7),
        Forward("cpu", dtype),
        log_every=4,
        seed=7,
    )


def steps_for(objective: str, source: Domain, target: Domain) -> Steps:
    if objective == "warmup":
        return Steps(source, None)
    return Steps(source, target if objective == "retrain" else replace(target, strong=None))


class Broken(Steps):
    """Steps that end in an error, or in a signal to the own process, at one step."""

    def __init__(self, steps: Steps, at: int, number: int | None = None) -> None:
        super().__init__(steps.source, steps.target)
        self.at, self.number = at, number

    def __getitem__(self, step: int):
        if step == self.at:
            if self.number is None:
                raise RuntimeError("the power went out")
            os.kill(os.getpid(), self.number)
        return super().__getitem__(step)


def outcome(trainer: Trainer, folder: Path) -> tuple[dict[str, torch.Tensor], str]:
    trainer.metrics.write(folder / "metrics.csv")
    return trainer.net.state_dict(), (folder / "metrics.csv").read_text()


def assert_same(first, second) -> None:
    assert first[1] == second[1]
    for name, tensor in first[0].items():
        assert torch.equal(tensor, second[0][name]), name


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_killed_training_ends_like_one_that_ran_through(objective, source, target, tmp_path):
    steps = steps_for(objective, source, target)
    through = make_trainer(objective)
    through.fit(steps, tmp_path, workers=0, save_every=100)
    expected = outcome(through, tmp_path)

    folder = tmp_path / "state"
    folder.mkdir()
    with pytest.raises(RuntimeError, match="power"):
        make_trainer(objective).fit(Broken(steps, at=2), folder, workers=0, save_every=1)
    with pytest.raises(SystemExit) as stop:
        make_trainer(objective).fit(Broken(steps, 4, signal.SIGTERM), folder, workers=0, save_every=100)
    assert stop.value.code == 143
    resumed = make_trainer(objective)
    resumed.fit(steps, folder, workers=0, save_every=100)
    assert_same(outcome(resumed, tmp_path), expected)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_stop_signals_save_first(number, status, source, tmp_path):
    trainer = make_trainer("warmup")
    handler = signal.getsignal(number)
    with pytest.raises(SystemExit) as stop:
        trainer.fit(Broken(Steps(source, None), 3, number), tmp_path, workers=0, save_every=100)
    assert stop.value.code == status
    assert [path.name for path in tmp_path.glob("*.pt")] == ["step-00000004.pt"]
    assert signal.getsignal(number) == handler


def test_workers_outlive_a_stop_signal_and_change_nothing(source, target, tmp_path):
    """Worker 0 signals itself at step 4, as a scheduler signals every process of a job."""
    steps = steps_for("retrain", source, target)
    alone, shared = make_trainer("retrain"), make_trainer("retrain")
    alone.fit(steps, tmp_path, workers=0, save_every=100)
    shared.fit(Broken(steps, 4, signal.SIGTERM), tmp_path / "shared", workers=2, save_every=100)
    assert_same(outcome(shared, tmp_path), outcome(alone, tmp_path))


def taught(trainer: Trainer, batch: StepBatch) -> StepBatch:
    """The step with a target of other colours, labelled by the trainer's teacher, now one that is sure of its own."""
    target = batch.target._replace(images=255 - batch.target.images)
    if batch.target.strong is not None:
        target = target._replace(strong=255 - batch.target.strong)
    ema = trainer.objective.ema
    teacher = trainer.objective.passes[1].teacher if ema is None else ema.net
    nn.init.normal_(teacher.classifier[1].weight, std=3.0, generator=torch.Generator().manual_seed(7))
    if ema is None:
        teacher.backbone[1].momentum = None  # running statistics become those of the batch
        teacher.train()(normalized(target.images))
        teacher.eval()
    labels = logits_of(teacher, target.images).argmax(1).to(torch.uint8)
    return batch._replace(target=target._replace(labels=labels))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_steps_on_the_same_crops_lower_every_term(objective, source, target):
    trainer = make_trainer(
        objective,
        consistency={**SETTINGS["consistency"], "weight": 10.0, "ema_decay": 0.999},
        distillation={"weight": 4.0, "kd_form": "kl"},
    )
    trainer.schedule.apply(trainer.optimizer, 1)
    trainer.step = 8  # the end of the ramp-up
    batch = steps_for(objective, source, target)[0]
    batch = batch if objective == "warmup" else taught(trainer, batch)
    rows = [trainer.optimize(batch) for _ in range(60)]
    assert list(rows[0]) == ["loss", *TERMS[objective]]
    for name in rows[0]:
        losses = [row[name] for row in rows]
        assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5]), name


def test_metrics_table(source, target, tmp_path):
    trainer = make_trainer("retrain")
    trainer.fit(steps_for("retrain", source, target), tmp_path, workers=0, save_every=100)
    _, table = outcome(trainer, tmp_path)
    header, *rows = table.splitlines()
    assert header == (
        "step,lr,loss,source_ce,consistency,target_ce,target_rce,unlabelled_crops,ema_distance"
    )  # fmt: skip
    assert [row.split(",")[0] for row in rows] == ["4", "6"]
    assert trainer.metrics.rows[0]["lr"] == trainer.schedule.rate(0.02, 3)


def test_the_first_step_at_rate_zero_moves_nothing(source):
    trainer = make_trainer("warmup")
    before = {name: p.detach().clone() for name, p in trainer.net.named_parameters()}
    trainer.schedule.apply(trainer.optimizer, 0)
    trainer.optimize(Steps(source, None)[0])
    assert all(torch.equal(p, before[name]) for name, p in trainer.net.named_parameters())


def normalized(images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return (images.permute(0, 3, 1, 2) / 255 - mean) / std


def logits_of(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return F.interpolate(net(normalized(images)), images.shape[1:3], mode="bilinear", align_corners=True)


def reference_terms(
    net: nn.Module, guide: nn.Module | None, batch: StepBatch, objective: str, changes: dict
) -> dict[str, tuple[float, torch.Tensor]]:
    """Weight and value of each term at step 4, from the definitions."""
    source, target = batch
    labels = source.labels.long()
    pixels = F.cross_entropy(logits_of(net, source.images), labels, ignore_index=IGNORE, reduction="none")
    terms = {"source_ce": (1.0, (pixels * source.weights / 255).sum() / (labels != IGNORE).sum())}
    if objective == "warmup":
        return terms
    settings = SETTINGS | changes

    def divergence(student, teacher, reduction, released=False):
        p, log_q = teacher.detach().softmax(1), student.log_softmax(1)
        shown = (p * (p.log() - (log_q.exp() if released else log_q))).sum(1)[target.visible == 1]
        return shown.mean() / (CLASSES if reduction == "mean_classes" else 1)

    if objective == "retrain" and settings["consistency"] is not None:
        c = settings["consistency"]
        views = (target.strong, target.images) if c["strong_view"] == "student" else (target.images, target.strong)
        value = divergence(logits_of(net, views[0]), logits_of(guide, views[1]), c["reduction"])
        terms["consistency"] = c["weight"] * math.exp(-5 * (1 - 4 / 8) ** 2), value
    labels, logits = target.labels.long(), logits_of(net, target.images)
    terms["target_ce"] = 0.1, F.cross_entropy(logits, labels, ignore_index=IGNORE)
    one_hot = F.one_hot(labels % CLASSES, CLASSES).movedim(3, 1).clamp(min=1e-4)
    reverse = -(logits.softmax(1).clamp(min=1e-7) * one_hot.log()).sum(1)
    terms["target_rce"] = 1.0, reverse[labels != IGNORE].mean()
    if objective == "distill":
        released = settings["distillation"]["kd_form"] == "released"
        value = divergence(logits, logits_of(guide, target.images), "mean_classes", released)
        terms["distillation"] = settings["distillation"]["weight"], value
    return terms


OTHER_CONSISTENCY = {**SETTINGS["consistency"], "reduction": "sum", "strong_view": "teacher", "weight": 5.0}


@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        ("warmup", {}),
        ("retrain", {}),
        ("retrain", {"consistency": OTHER_CONSISTENCY}),
        ("retrain", {"consistency": None}),
        ("distill", {"distillation": {"weight": 3.0, "kd_form": "kl"}}),
        ("distill", {"distillation": {"weight": 3.0, "kd_form": "released"}}),
    ],
)
def test_a_step_follows_the_weighted_sum_of_the_terms_gradients(objective, changes, source, target):
    """One SGD step along the sum of gradients that autograd finds for each term alone; one pass per domain and view."""
    small = replace(target, augmentation=replace(target.augmentation, scale=(0.3, 0.6)))  # with padding
    batch = steps_for(objective, source, small)[0]
    trainer = make_trainer(objective, **changes)
    net, ema = trainer.net, trainer.objective.ema
    net.classifier[0].p = 0.0
    torch.manual_seed(1)
    with torch.no_grad():  # apart from its mean teacher
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    alone = copy.deepcopy(net)
    guide = trainer.objective.passes[-1].teacher if objective == "distill" else None
    if ema is not None:
        guide = copy.deepcopy(net)  # in training mode: it normalises by its own batch
        with torch.no_grad():
            for p, old in zip(guide.parameters(), ema.net.parameters(), strict=True):
                p.copy_(0.9 * old + 0.1 * p)

    terms = reference_terms(alone, guide, batch, objective, changes)
    parameters = list(alone.parameters())
    gradients = {
        name: [weight * g for g in torch.autograd.grad(value, parameters, retain_graph=True)]
        for name, (weight, value) in terms.items()
    }
    expected = [sum(parts) for parts in zip(*gradients.values(), strict=True)]
    size = get_total_norm(expected)
    assert all(get_total_norm(part) > 0.01 * size for part in gradients.values())  # none could be missing unseen

    trainer.step = 4
    trainer.schedule.apply(trainer.optimizer, 1)  # half of the full rates, 0.02 and 0.2
    values = trainer.optimize(batch)
    for p, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient, rtol=1e-4, atol=1e-6 * float(size))
    for moved, old, rate in ((net.backbone, alone.backbone, 0.01), (net.classifier, alone.classifier, 0.1)):
        for p, q in zip(moved.parameters(), old.parameters(), strict=True):
            torch.testing.assert_close(p, q - rate * (p.grad + 5e-4 * q))

    found = {name: value for name, value in values.items() if name != "loss"}
    assert found == pytest.approx({name: value.item() for name, (_, value) in terms.items()}, rel=1e-4)
    total = sum(weight * value.item() for weight, value in terms.values())
    assert values["loss"] == pytest.approx(total, rel=1e-4)
    assert net.backbone[1].num_batches_tracked == len(trainer.objective.passes)


def test_the_mean_teacher_follows_every_step(source, target):
    """Weights by the recursion t = 0.9 t + 0.1 s; buffers are those that the source pass leaves behind (A§7)."""
    trainer = make_trainer("retrain")
    steps, net = steps_for("retrain", source, target), trainer.net
    weights = {name: p.detach().clone() for name, p in net.named_parameters()}
    for step in range(4):
        batch = steps[step]
        with torch.no_grad():
            weights = {name: 0.9 * weights[name] + 0.1 * p for name, p in net.named_parameters()}
            x, norm = net.backbone[0](normalized(batch.source.images)).movedim(1, 0).flatten(1), net.backbone[1]
            mean, variance = 0.9 * norm.running_mean + 0.1 * x.mean(1), 0.9 * norm.running_var + 0.1 * x.var(1)
        trainer.schedule.apply(trainer.optimizer, step + 1)
        trainer.optimize(batch)
        trainer.step += 1
    teacher = trainer.objective.ema.net
    for name, p in teacher.named_parameters():
        torch.testing.assert_close(p, weights[name])
    torch.testing.assert_close(teacher.backbone[1].running_mean, mean)
    torch.testing.assert_close(teacher.backbone[1].running_var, variance)
    for other in (net, make_tiny_net()):  # neither where the student is nor where both began
        assert trainer.objective.ema.distance(other) > 0.01


def test_consistency_vanishes_for_equal_views_and_models(source, target):
    """Without dropout the teacher starts as the student: on the same picture they agree."""
    trainer = make_trainer("retrain")
    trainer.net.classifier[0].p = 0.0
    batch = steps_for("retrain", source, target)[0]
    same = batch._replace(target=batch.target._replace(strong=batch.target.images))
    assert abs(trainer.optimize(same)["consistency"]) < 1e-6
    assert make_trainer("retrain").optimize(batch)["consistency"] > 1e-4


def test_strong_view_goes_to_the_side_that_is_named(source, target):
    batch = steps_for("retrain", source, target)[0]
    seen = {}
    for side in ("student", "teacher"):
        consistency = {**SETTINGS["consistency"], "strong_view": side}
        trainer = make_trainer("retrain", consistency=consistency)
        inputs = seen[side] = []
        call = trainer.forward.__class__.__call__

        def spy(self, net, images, inputs=inputs, student=trainer.net, call=call):
            inputs.append(("student" if net is student else "teacher", images))
            return call(self, net, images)

        trainer.forward = type("Spy", (Forward,), {"__call__": spy})("cpu", None)
        trainer.optimize(batch)
    strong = {side: [who for who, images in calls if images is batch.target.strong] for side, calls in seen.items()}
    assert strong == {"student": ["student"], "teacher": ["teacher"]}


def test_retraining_without_consistency_has_two_passes():
    objective = build_objective({**SETTINGS, "objective": "retrain", "consistency": None}, make_tiny_net(), None)
    assert len(objective.passes) == 2
    assert objective.ema is None


def test_released_distillation_differs(source, target):
    batch = steps_for("distill", source, target)[0]
    right = make_trainer("distill").optimize(batch)["distillation"]
    released = {"weight": 1.0, "kd_form": "released"}
    wrong = make_trainer("distill", distillation=released).optimize(batch)["distillation"]
    assert wrong < 0 < right


def test_unknown_objective():
    with pytest.raises(BismapError, match="expected warmup, retrain or distill"):
        build_objective({**SETTINGS, "objective": "train"}, make_tiny_net(), None)


def test_a_step_without_any_label_is_counted_and_harmless(source, target, tmp_path):
    blank = np.full((32, 48), IGNORE, np.uint8)
    nothing = tuple(r._replace(read_label=partial(np.copy, blank)) for r in source.records)
    steps = Steps(replace(source, records=nothing), replace(target, records=nothing))
    trainer = make_trainer("retrain")
    trainer.fit(steps, tmp_path, workers=0, save_every=100)
    assert [row["unlabelled_crops"] for row in trainer.metrics.rows] == [16, 8]
    assert trainer.metrics.rows[0]["source_ce"] == trainer.metrics.rows[0]["target_rce"] == 0.0
    assert all(torch.isfinite(p).all() for p in trainer.net.parameters())


def test_a_bad_number_stops_before_the_update(source, tmp_path):
    trainer = make_trainer("warmup")
    trainer.step = 3
    with torch.no_grad():
        trainer.net.classifier[1].bias[0] = float("nan")
    before = {name: p.detach().clone() for name, p in trainer.net.named_parameters()}
    batch = Steps(source, None)[3]
    with pytest.raises(BismapError, match=r"step 3: .*not finite") as error:
        trainer.optimize(batch)
    assert all(name in str(error.value) for name in batch.source.ids)
    for name, p in trainer.net.named_parameters():
        torch.testing.assert_close(p, before[name], rtol=0, atol=0, equal_nan=True)


def test_a_bad_gradient_of_a_good_loss_stops_too(source):
    trainer = make_trainer("warmup")
    trainer.net.backbone[0].weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(BismapError, match="gradient norm"):
        trainer.optimize(Steps(source, None)[0])


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import torch
from test_trainer import Broken, make_trainer
from bismap.training.batches import Steps
torch.set_num_threads(1)
source = torch.load({source!r}, weights_only=False)
make_trainer("warmup").fit(
    Broken(Steps(source, None), 4, signal.SIGKILL), Path({state!r}), workers=0, save_every=1)
"""


def test_sigkill(source, tmp_path):
    """Killed outright in a process of its own: the next attempt goes on from the last saved step."""
    torch.save(source, tmp_path / "source.pt")
    state = tmp_path / "state"
    state.mkdir()
    script = KILLED.format(tests=str(Path(__file__).parent), source=str(tmp_path / "source.pt"), state=str(state))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    resumed, through = make_trainer("warmup"), make_trainer("warmup")
    resumed.fit(Steps(source, None), state, workers=0, save_every=100)
    (tmp_path / "other").mkdir()
    through.fit(Steps(source, None), tmp_path / "other", workers=0, save_every=100)
    assert_same(outcome(resumed, tmp_path), outcome(through, tmp_path))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near_single(dtype, source, target):
    batch = steps_for("retrain", source, target)[0]
    single, half = make_trainer("retrain"), make_trainer("retrain", dtype)
    expected, found = single.optimize(batch), half.optimize(batch)
    assert found["source_ce"] == pytest.approx(expected["source_ce"], rel=0.02)
    assert found["target_rce"] == pytest.approx(expected["target_rce"], rel=0.02)


def test_float16_overflow_lowers_the_scale_and_skips_the_step(source):
    trainer = make_trainer("warmup", dtype=torch.float16)
    trainer.schedule.apply(trainer.optimizer, 2)
    before = {name: p.detach().clone() for name, p in trainer.net.named_parameters()}
    scale = trainer.scaler.get_scale()
    trainer.net.backbone[0].weight.register_hook(lambda gradient: gradient * float("inf"))
    trainer.optimize(Steps(source, None)[0])
    assert trainer.scaler.get_scale() == scale / 2
    assert all(torch.equal(p, before[name]) for name, p in trainer.net.named_parameters())


def test_periodic_states(source, tmp_path):
    make_trainer("warmup").fit(Steps(source, None), tmp_path, workers=0, save_every=2)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["step-00000004.pt", "step-00000006.pt"]
