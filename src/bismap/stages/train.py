"""Stage `train`: one network, by the objective that its settings name."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bismap.data.dataset import Dataset, open_dataset
from bismap.errors import BismapError
from bismap.job import Job
from bismap.models.network import DeepLabV3Plus, build_network
from bismap.models.shared_norm import share_norms
from bismap.models.weights import load_backbone, load_network, save_network
from bismap.random import seed64
from bismap.training.augment import Augmentation, Jitter
from bismap.training.batches import Domain, Record, Steps
from bismap.training.objectives import DTYPES, Forward, build_objective
from bismap.training.optimizer import Schedule, build_optimizer
from bismap.training.records import source_records, target_records
from bismap.training.strong import Strong
from bismap.training.trainer import Trainer
from bismap.training.validation import Validation

SAVE_EVERY = 500  # steps, unless the job says


def run(job: Job) -> None:
    """Train and write ``model.safetensors`` (the last model, never a chosen one) and ``metrics.csv``.

    With the setting ``validation`` also ``validation.csv``, the IoU of each class as it went.
    """
    torch.set_num_threads(job.threads)
    settings = job.settings
    source = open_dataset(job.input("source_index"), job.root("source"))
    # On a CPU worker processes would only take the training's own cores away from it.
    workers, threads = (0, job.threads) if job.device == "cpu" else (job.threads, 1)
    steps = Steps(_source(job, source), _target(job, source), job.processes, threads)
    net = _student(job, source.classes.names)
    precision = DTYPES[settings["precision"]]
    trainer = Trainer(
        net,
        build_objective(settings, net, _teacher(job, source.classes.names)),
        build_optimizer(net, **{name: settings[name] for name in _OPTIMIZER}),
        Schedule(**{name: settings[name] for name in _SCHEDULE}),
        Forward(job.device, precision if job.device != "cpu" else None),
        settings["log_every"],
        settings["seed"],
        job.processes,
        _validation(job, source.classes.names),
    )
    trainer.fit(steps, job.state, workers, job.save_every or SAVE_EVERY, job.roots.get("tensorboard"))
    if not job.processes.first:
        return
    metadata = {"classes": list(source.classes.names), "objective": settings["objective"]}
    save_network(job.out / "model.safetensors", net, metadata)
    trainer.metrics.write(job.out / "metrics.csv")
    if trainer.validation is not None:
        trainer.validation.write(job.out / "validation.csv")


_OPTIMIZER = ("lr", "head_lr_factor", "momentum", "weight_decay")
_SCHEDULE = ("iterations", "warmup_iterations", "power", "eta_min")


def _source(job: Job, dataset: Dataset) -> Domain:
    split = job.settings["source"]["split"]
    records = source_records(dataset, split, job.input_list("stylized"), job.input_list("transferability"))
    return _domain(job.settings, "source", records, len(dataset.classes), None)


def _target(job: Job, source: Dataset) -> Domain | None:
    settings = job.settings
    if settings["objective"] == "warmup":
        return None
    dataset = _target_dataset(job, source.classes.names)
    records = target_records(dataset, settings["target"]["split"], job.input_list("pseudo_labels"))
    consistent = settings["objective"] == "retrain" and settings["consistency"] is not None
    strong = Strong(**settings["strong"]) if consistent else None
    return _domain(settings, "target", records, len(source.classes), strong)


def _target_dataset(job: Job, classes: Sequence[str]) -> Dataset:
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    if dataset.classes.names != classes:
        raise BismapError(f"source and target differ in their classes: {classes} and {dataset.classes.names}")
    return dataset


def _validation(job: Job, classes: Sequence[str]) -> Validation | None:
    wanted = job.settings.get("validation")
    if wanted is None:
        return None
    dataset = _target_dataset(job, classes)
    views = (tuple(wanted["size"]), job.settings["precision"])
    return Validation(wanted["every"], dataset, wanted["split"], *views, job.threads, job.processes)


def _domain(
    settings: Mapping[str, Any], name: str, records: tuple[Record, ...], classes: int, strong: Strong | None
) -> Domain:
    own = settings[name]
    augmentation = Augmentation(
        crop=tuple(settings["crop"]),
        scale=tuple(settings["scale"]),
        reference_width=own["scale_reference_width"],
        jitter=Jitter(**own["jitter"]),
    )
    size, batch_size = tuple(own["size"]), settings[f"batch_{name}"]
    return Domain(name, records, size, classes, augmentation, strong, batch_size, settings["seed"])


def _student(job: Job, classes: Sequence[str]) -> DeepLabV3Plus:
    settings = job.settings
    torch.manual_seed(seed64("init", settings["seed"]))
    net = build_network(settings["network"], len(classes))
    weights = job.input_list("init_weights")
    if bool(weights) != (settings["init"] != "random"):
        raise BismapError(f"init is `{settings['init']}`, but {len(weights)} files of start weights were given")
    if settings["init"] == "teacher":
        net.load_state_dict(load_network(job.input("init_weights"), "cpu", classes).state_dict())
    elif weights:
        load_backbone(net, job.input("init_weights"))
    if job.processes.size > 1:
        net = share_norms(net, job.device)
    return net.to(job.device)


def _teacher(job: Job, classes: Sequence[str]) -> DeepLabV3Plus | None:
    if job.settings["objective"] != "distill":
        return None
    return load_network(job.input("teacher"), job.device, classes).requires_grad_(False)
