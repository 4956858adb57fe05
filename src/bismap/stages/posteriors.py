"""posteriors: most likely class of each target pixel and the log odds of its posterior."""

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.job import Job
from bismap.models.inference import feature_map
from bismap.models.weights import load_network
from bismap.prototypes.mixtures import load_mixtures
from bismap.pseudo_labels.densities import gaussian_bank, most_probable_classes
from bismap.pseudo_labels.files import ScoreWriter
from bismap.pseudo_labels.posterior import ODDS_GRID, smoothed
from bismap.pseudo_labels.scoring import score_images


def run(job: Job) -> None:
    """Write class map and log odds per image of this shard, and their tables; features in fp32."""
    settings, size = job.settings, tuple(job.settings["target"]["size"])
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    network = load_network(job.input("model"), job.device, dataset.classes.names)
    mixtures = smoothed(load_mixtures(shards.folder(job.input("prototypes"))), settings["smoothing"])
    bank = gaussian_bank(mixtures, job.device)
    items = shards.split(dataset.items(settings["target"]["split"]), job.shard)
    writer = ScoreWriter(job.out, "odds", ODDS_GRID, dataset.classes.names, dataset.classes.palette())
    score_images(
        writer,
        items,
        size,
        job.threads,
        lambda image: most_probable_classes(feature_map(network, image, "fp32")[0], bank, size),
    )
