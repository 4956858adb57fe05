"""source_prototypes: fit a Gaussian mixture to each class's source features."""

import logging

from bismap.data.dataset import open_dataset
from bismap.data.shards import folder
from bismap.errors import BismapError
from bismap.job import Job
from bismap.prototypes.class_fits import ClassFit, fit_class, write_tables
from bismap.prototypes.feature_store import STORE, gather, open_all
from bismap.prototypes.mixtures import mixture_file, save_mixture

log = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write one mixture a class, classes.csv and traces.csv; memory of one class's features."""
    settings = job.settings
    names = open_dataset(job.input("source_index"), job.root("source")).classes.names
    stores = open_all([folder(path) / STORE for path in job.input_list("features")], len(names))
    fits: list[ClassFit] = []
    for trainid, name in enumerate(names):
        features = gather(stores, trainid, settings["samples_per_class"])
        fits.append(fit_class(features, settings, device=job.device, threads=job.threads))
        _report(name, fits[-1])
        if fitted := fits[-1].fit:
            save_mixture(mixture_file(job.out, trainid), fitted.mixture)
    if not any(done.samples for done in fits):
        raise BismapError("no class has a correctly classified feature: the model has learnt nothing, train it longer")
    write_tables(job.out, names, fits, settings["components"])


def _report(name: str, done: ClassFit) -> None:
    if done.fit is None:
        log.warning("class %s: no correctly classified feature, so it gets no prototypes", name)
        return
    log.info(
        "class %s: %d samples, %d components, %d EM steps, %s, %.3f nat",
        name,
        done.samples,
        done.components,
        done.fit.steps,
        "converged" if done.converged else "step limit reached",
        done.fit.trace[-1],
    )
