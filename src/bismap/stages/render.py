"""Stage ``render``: a synthetic street data set, written as GTA5 or Cityscapes are.

Settings: ``domain`` ("source" or "target"), ``seed``, ``width`` and ``height`` (pixels), ``images`` (number
of pictures per split; a source has ``train`` alone).
"""

from bismap.demo.writers import render_dataset
from bismap.job import Job


def run(job: Job) -> None:
    """Write the images and labels of every split."""
    settings = job.settings
    size = (settings["width"], settings["height"])
    render_dataset(job.out, settings["domain"], settings["seed"], size, settings["images"], job.threads)
