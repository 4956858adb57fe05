"""confidences: most confident class of each target pixel and its probability."""

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.job import Job
from bismap.models.inference import logit_map
from bismap.models.weights import load_network
from bismap.pseudo_labels.confidences import CONFIDENCE_GRID, most_confident_classes
from bismap.pseudo_labels.files import ScoreWriter
from bismap.pseudo_labels.scoring import score_images


def run(job: Job) -> None:
    """Write class map and probabilities per image of this shard, and their tables; the network in fp32."""
    size = tuple(job.settings["target"]["size"])
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    network = load_network(job.input("model"), job.device, dataset.classes.names)
    items = shards.split(dataset.items(job.settings["target"]["split"]), job.shard)
    writer = ScoreWriter(job.out, "confidence", CONFIDENCE_GRID, dataset.classes.names, dataset.classes.palette())
    score_images(
        writer,
        items,
        size,
        job.threads,
        lambda image: most_confident_classes(logit_map(network, image, "fp32")[0], size),
    )
