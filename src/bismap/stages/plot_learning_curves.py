"""plot_learning_curves: loss terms, learning rate and distance to the mean teacher over a training."""

from bismap.job import Job
from bismap.plots.learning_curves import draw, height, read_curves
from bismap.plots.style import svg


def run(job: Job) -> None:
    """Write learning_curves.svg."""
    curves = read_curves(job.input("metrics"))
    with svg(job.out / "learning_curves.svg", height(curves)) as figure:
        draw(figure, curves)
