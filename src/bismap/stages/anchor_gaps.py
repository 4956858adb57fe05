"""anchor_gaps: nearest category anchor of each target pixel, and how much farther the second nearest is."""

import torch
from safetensors.numpy import load_file

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.extractor.images import read_ahead
from bismap.job import Job
from bismap.models.inference import feature_map
from bismap.models.weights import load_network
from bismap.prototypes.class_means import ANCHORS
from bismap.pseudo_labels.anchors import GAP_GRID, anchor_bank, nearest_anchors
from bismap.pseudo_labels.files import ScoreWriter


@torch.inference_mode()
def run(job: Job) -> None:
    """Write class map and gaps per image of this shard, and their tables; features in fp32."""
    settings, size = job.settings, tuple(job.settings["target"]["size"])
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    items = shards.split(dataset.items(settings["target"]["split"]), job.shard)
    network = load_network(job.input("model"), job.device, dataset.classes.names)
    bank = anchor_bank(load_file(shards.folder(job.input("anchors")) / ANCHORS)["anchors"], job.device)
    writer = ScoreWriter(job.out, "gap", GAP_GRID, dataset.classes.names, dataset.classes.palette())
    images = read_ahead([item.image for item in items], size, job.threads)
    for item, image in zip(items, images, strict=True):
        features = feature_map(network, torch.from_numpy(image)[None], "fp32")[0]
        writer.add(item.id, *nearest_anchors(features, bank, size))
    writer.close()
