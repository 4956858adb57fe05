"""Stage ``predict``: class of every pixel of one split of the target, at native size."""

from bismap.data.dataset import open_dataset
from bismap.data.shards import split
from bismap.evaluation.prediction import Passes, predict_files
from bismap.job import Job
from bismap.models.weights import load_network


def run(job: Job) -> None:
    """Write ``{id}.png`` for this shard of the split."""
    cfg = job.settings
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    network = load_network(job.input("model"), job.device, dataset.classes.names)
    passes = Passes(
        size=tuple(cfg["target"]["size"]),
        scales=tuple(cfg["scales"]),
        flip=cfg["flip"],
        precision=cfg["precision"],
    )
    items = split(dataset.items(cfg["target"]["split"]), job.shard)
    predict_files(network, items, job.out, dataset.classes.palette(), passes, job.threads)
