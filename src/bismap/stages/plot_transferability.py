"""plot_transferability: histograms of the source pixels' weights, by class."""

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.job import Job
from bismap.plots.style import svg
from bismap.plots.transferability import count_weights, draw, height


def run(job: Job) -> None:
    """Write transferability.svg."""
    dataset = open_dataset(job.input("source_index"), job.root("source"))
    items = dataset.items(job.settings["source"]["split"])
    maps = shards.files(job.input_list("transferability"), ".png")
    counts = count_weights(dataset, items, maps, job.threads)
    with svg(job.out / "transferability.svg", height(counts)) as figure:
        draw(figure, counts, dataset.classes.names)
