"""extractor: the network that judges transferability, imported or pre-trained here."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bismap.data.dataset import open_dataset
from bismap.errors import BismapError
from bismap.extractor.images import domain_images, shrunk_copy
from bismap.extractor.network import Extractor, Recipe, import_extractor, new_extractor, save_extractor
from bismap.extractor.pretrain import PretrainSettings, pretrain
from bismap.job import Job


def run(job: Job) -> None:
    """Write model.safetensors, and metrics.csv when it is pre-trained here."""
    settings = job.settings
    recipe = Recipe(settings["network"], settings["output_stride"], settings["normalize"])
    if job.input_list("weights"):
        extractor = import_extractor(job.input("weights"), recipe, "cpu")
    elif settings["pretrain"]:
        extractor = _pretrained(job, recipe)
    else:
        raise BismapError("the extractor has neither weights nor pre-training settings: configure one")
    save_extractor(job.out / "model.safetensors", extractor)


def _pretrained(job: Job, recipe: Recipe) -> Extractor:
    options = PretrainSettings(**job.settings["pretrain"])
    extractor = new_extractor(recipe, options.seed, job.device)
    metrics = pretrain(extractor, list(_domains(job)), options, job.state, job.device)
    pd.DataFrame(metrics).to_csv(job.out / "metrics.csv", index=False, lineterminator="\n")
    return extractor


def _domains(job: Job) -> Iterator[np.ndarray]:
    size = tuple(job.settings["input_size"])
    for name, stylized in (("target", ()), ("source", job.input_list("stylized"))):
        dataset = open_dataset(job.input(f"{name}_index"), job.root(name))
        images = domain_images(dataset, job.settings[name]["split"], stylized)
        yield shrunk_copy([file for _, file in images], size, job.state / f"{name}.npy", job.threads)
