"""plot_validation: IoU of each class over a training."""

from bismap.data.dataset import open_dataset
from bismap.job import Job
from bismap.plots.style import svg
from bismap.plots.validation_curves import draw, height, read_validation


def run(job: Job) -> None:
    """Write validation.svg from the ``validation.csv`` that the training left beside its ``metrics.csv``."""
    target = job.settings["target"]
    items = open_dataset(job.input("target_index"), job.root("target")).items(target["split"])
    width, height_px = target["size"]
    curves = read_validation(job.input("metrics").with_name("validation.csv"))
    measured = f"{len(items)} images of split {target['split']} at {width} × {height_px}"
    if job.settings["every"] < curves["step"][-1]:
        measured += f", every {job.settings['every']} steps"
    with svg(job.out / "validation.svg", height(curves)) as figure:
        draw(figure, curves, measured)
