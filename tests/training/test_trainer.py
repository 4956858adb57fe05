"""The training loop: exact resumption, stops on bad numbers."""

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
from conftest import make_tiny_net
from torch import nn
from trainers import OBJECTIVES, SETTINGS, TERMS, logits_of, make_trainer, normalized, steps_for

from bismap.data import IGNORE
from bismap.errors import BismapError
from bismap.training.batches import StepBatch, Steps
from bismap.training.objectives import Forward, build_objective
from bismap.training.trainer import Trainer


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
