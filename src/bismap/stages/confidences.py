"""confidences: most confident class of each target pixel and its probability."""

import torch

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.extractor.images import read_ahead
from bismap.job import Job
from bismap.models.inference import logit_map
from bismap.models.weights import load_network
from bismap.pseudo_labels.confidences import CONFIDENCE_GRID, most_confident_classes
from bismap.pseudo_labels.files import ScoreWriter


def run(job: Job) -> None:
    """Write class map and probabilities per image of this shard, and their tables; the network in fp32."""
    settings, size = job.settings, tuple(job.settings["target"]["size"])
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    items = shards.split(dataset.items(settings["target"]["split"]), job.shard)
    network = load_network(job.input("model"), job.device, dataset.classes.names)
    writer = ScoreWriter(job.out, "confidence", CONFIDENCE_GRID, dataset.classes.names, dataset.classes.palette())
    images = read_ahead([item.image for item in items], size, job.threads)
    for item, image in zip(items, images, strict=True):
        logits = logit_map(network, torch.from_numpy(image)[None], "fp32")[0]
        writer.add(item.id, *most_confident_classes(logits, size))
    writer.close()
