"""features: keep correctly classified source features per class."""

import csv
from pathlib import Path

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.extractor.images import domain_images
from bismap.job import Job
from bismap.models.weights import load_network
from bismap.prototypes.class_means import CLASS_MEANS
from bismap.prototypes.feature_store import STORE, write_features
from bismap.prototypes.features import Extraction, Pool, extract_features, key_bounds, read_samples


def run(job: Job) -> None:
    """Write features.zarr, class_means.safetensors and counts.csv of this shard's images."""
    settings, source = job.settings, job.settings["source"]
    size, limit = tuple(source["size"]), settings["samples_per_class"]
    dataset = open_dataset(job.input("source_index"), job.root("source"))
    images = dict(domain_images(dataset, source["split"], job.input_list("stylized")))
    items = dataset.items(source["split"])
    mine = shards.split(items, job.shard)
    pool = Pool(**settings["pool"]) if settings["pool"] else None
    allowed = pool.images(items, size, settings["seed"]) if pool else None
    bounds = key_bounds(items, len(dataset.classes), size, limit, allowed)
    extraction = extract_features(
        load_network(job.input("model"), job.device, dataset.classes.names),
        read_samples(dataset, mine, images, size, job.threads),
        pool.thin(bounds) if pool else bounds,
        samples_per_class=limit,
        seed=settings["seed"],
        precision=settings["precision"],
        allowed=allowed,
    )
    write_features(job.out / STORE, extraction.kept)
    extraction.means.save(job.out / CLASS_MEANS)
    _write_counts(job.out / "counts.csv", dataset.classes.names, extraction)


def _write_counts(path: Path, names: tuple[str, ...], extraction: Extraction) -> None:
    kept = [len(features.keys) for features in extraction.kept]
    rows = zip(range(len(names)), names, extraction.labelled, extraction.correct, kept, strict=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["class", "name", "labelled", "correct", "kept"])
        table.writerows(rows)
