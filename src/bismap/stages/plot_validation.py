"""plot_validation: IoU of each class over a training."""

from bismap.job import Job
from bismap.plots.style import svg
from bismap.plots.validation_curves import draw, height, read_validation


def run(job: Job) -> None:
    """Write validation.svg from the ``validation.csv`` that the training left beside its ``metrics.csv``."""
    curves = read_validation(job.input("metrics").with_name("validation.csv"))
    with svg(job.out / "validation.svg", height(curves)) as figure:
        draw(figure, curves)
