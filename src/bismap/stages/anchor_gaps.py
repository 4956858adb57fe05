"""anchor_gaps: nearest category anchor of each target pixel, and how much farther the second nearest is."""

from safetensors.numpy import load_file

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.job import Job
from bismap.models.inference import feature_map
from bismap.models.weights import load_network
from bismap.prototypes.class_means import ANCHORS
from bismap.pseudo_labels.anchors import GAP_GRID, anchor_bank, nearest_anchors
from bismap.pseudo_labels.files import ScoreWriter
from bismap.pseudo_labels.scoring import score_images


def run(job: Job) -> None:
    """Write class map and gaps per image of this shard, and their tables; features in fp32."""
    size = tuple(job.settings["target"]["size"])
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    network = load_network(job.input("model"), job.device, dataset.classes.names)
    bank = anchor_bank(load_file(shards.folder(job.input("anchors")) / ANCHORS)["anchors"], job.device)
    items = shards.split(dataset.items(job.settings["target"]["split"]), job.shard)
    writer = ScoreWriter(job.out, "gap", GAP_GRID, dataset.classes.names, dataset.classes.palette())
    score_images(
        writer,
        items,
        size,
        job.threads,
        lambda image: nearest_anchors(feature_map(network, image, "fp32")[0], bank, size),
    )
