"""Stage ``index``: check a raw data set and list its images with their pixels per class.

Settings: ``layout`` (gta5, synthia, cityscapes or folder), ``missing_pairs`` (ids known to lack the image or
the label, or to have a label of another size: left out).
Roots: ``data``, the raw data set; ``cache`` (optional), a folder kept for this data set, through which only
files that differ in size or time are read again.
"""

from bismap.data.index import check_dataset, log_summary, write_index
from bismap.job import Job


def run(job: Job) -> None:
    """Writes index.csv and classes.json."""
    index = check_dataset(
        layout=job.settings["layout"],
        root=job.root("data"),
        missing_pairs=job.settings["missing_pairs"],
        threads=job.threads,
        cache_folder=job.roots.get("cache"),
    )
    log_summary(index)
    write_index(index, job.out)
