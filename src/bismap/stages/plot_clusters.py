"""plot_clusters: contact sheet of the target prototypes."""

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.extractor.cell_store import STORE, open_all
from bismap.job import Job
from bismap.plots.clusters import chosen_clusters, draw_sheet, nearest_cells, read_crops, read_prototypes


def run(job: Job) -> None:
    """Write clusters.png."""
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    images = {item.id: item.image for item in dataset.items(job.settings["target"]["split"])}
    cells = open_all([shards.folder(path) / STORE for path in job.input_list("cells")])
    prototypes = read_prototypes(shards.folder(job.input("centres")))
    near = nearest_cells(cells, prototypes.centres)
    shown = chosen_clusters(prototypes.clusters)
    of_shown = [near[cluster.number] for cluster in shown]
    crops = read_crops(of_shown, images, cells[0].grid, job.threads)
    draw_sheet(shown, of_shown, crops, prototypes).save(job.out / "clusters.png")
