"""Stage ``stylize``: source images with the colours of target images (Global Photometric Alignment, A§1)."""

from bismap.data.dataset import open_dataset
from bismap.data.shards import split
from bismap.job import Job
from bismap.stylize.files import stylize_files, write_transforms


def run(job: Job) -> None:
    """Write ``{id}.png`` and ``transforms.csv`` for this shard of the source split."""
    cfg = job.settings
    source = open_dataset(job.input("source_index"), job.root("source"))
    target = open_dataset(job.input("target_index"), job.root("target"))
    transforms = stylize_files(
        split(source.items(cfg["source"]["split"]), job.shard),
        target.items(cfg["target"]["split"]),
        job.out,
        seed=cfg["seed"],
        beta=cfg["beta"],
        fit_stride=cfg["fit_stride"],
        png_compress_level=cfg["png_compress_level"],
        threads=job.threads,
    )
    write_transforms(job.out / "transforms.csv", transforms)
