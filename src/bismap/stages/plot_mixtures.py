"""plot_mixtures: EM traces, component weights and nearest classes of a run's mixtures."""

from bismap.data import shards
from bismap.job import Job
from bismap.plots.mixtures import draw, heights, read_fitted
from bismap.plots.style import svg


def run(job: Job) -> None:
    """Write mixtures.svg."""
    fitted = read_fitted(shards.folder(job.input("prototypes")))
    with svg(job.out / "mixtures.svg", sum(heights(fitted))) as figure:
        draw(figure, fitted)
