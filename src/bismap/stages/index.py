"""Stage ``index``: check a raw data set and list its images with their pixels per class.

Settings: ``layout`` (gta5, synthia, cityscapes or folder), ``missing_pairs`` (ids known to lack the image or
the label, or to have a label of another size: left out), ``listing`` (optional: what the data set went by when
the job was planned).
Roots: ``data``, the raw data set; ``cache`` (optional), a folder kept for this data set, through which only
files that differ in size or time are read again.
"""

from pathlib import Path

from bismap.data.index import check_dataset, log_summary, write_index
from bismap.data.layouts import list_raw
from bismap.data.listing import Stamped, identity, remember, stamped
from bismap.errors import BismapError
from bismap.job import Job


def run(job: Job) -> None:
    """Writes index.csv and classes.json.

    Raises:
        BismapError: for everything that is wrong with the data set, or if it changes meanwhile.
    """
    layout, root, cache = job.settings["layout"], job.root("data"), job.roots.get("cache")
    listing = job.settings.get("listing")
    before = _look(layout, root)
    if cache and listing and identity(layout, root, before, cache) != listing:
        raise BismapError(f"{root} has changed since this job was planned: start the workflow again")
    index = check_dataset(
        layout=layout,
        root=root,
        missing_pairs=job.settings["missing_pairs"],
        threads=job.threads,
        cache_folder=cache,
    )
    if _look(layout, root).digest != before.digest:
        raise BismapError(f"files in {root} changed while they were checked: start the workflow again")
    if cache and listing:
        remember(layout, cache, before, listing)
    log_summary(index)
    write_index(index, job.out)


def _look(layout: str, root: Path) -> Stamped:
    return stamped(layout, root, list_raw(layout, root))
