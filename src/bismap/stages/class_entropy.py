"""class_entropy: mean prediction entropy of each class on the target."""

import numpy as np
import torch

from bismap.data.dataset import open_dataset
from bismap.extractor.images import domain_images, read_ahead
from bismap.job import Job
from bismap.models.inference import logit_map
from bismap.models.weights import load_network
from bismap.transferability.class_entropy import image_entropy, mean_entropy, save_constants, save_entropy


def run(job: Job) -> None:
    """Write class_entropy.csv over the whole target split, predicted at the logits' stride of 4, or of constants."""
    target, constants = job.settings["target"], job.settings["constants"]
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    if constants is not None:
        save_constants(job.out / "class_entropy.csv", dataset.classes.names, constants)
        return
    files = [file for _, file in domain_images(dataset, target["split"])]
    net = load_network(job.input("model"), job.device, dataset.classes.names)
    found = []
    for image in read_ahead(files, tuple(target["size"]), job.threads):
        logits = logit_map(net, torch.from_numpy(image)[None], "fp32")
        found.append(image_entropy(logits[0].cpu().numpy()))
    source = open_dataset(job.input("source_index"), job.root("source"))
    labels = np.sum([item.pixels for item in source.items(job.settings["source"]["split"])], axis=0)
    save_entropy(job.out / "class_entropy.csv", dataset.classes.names, *mean_entropy(found), labels > 0)
