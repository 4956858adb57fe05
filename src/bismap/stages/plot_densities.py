"""plot_densities: histograms of the max log densities of target pixels, and the threshold in them."""

from bismap.job import Job
from bismap.plots.densities import draw, height, spread
from bismap.plots.style import svg
from bismap.pseudo_labels.files import read_grid, read_histogram


def run(job: Job) -> None:
    """Write densities.svg."""
    manifests = job.input_list("scores")
    _, grid, names = read_grid(manifests)
    found = spread(read_histogram(manifests, len(names)), job.settings["threshold"], grid, names)
    with svg(job.out / "densities.svg", height(found)) as figure:
        draw(figure, found)
