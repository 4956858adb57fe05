"""Stage ``label_comparison``: pseudo-labels of several assignments beside the truth."""

from bismap.data.dataset import open_dataset
from bismap.inspect.figures.label_images import draw_label_images, files_of_sets, items_to_draw
from bismap.inspect.figures.saving import save_figure
from bismap.inspect.names import ASSIGNMENTS
from bismap.job import Job


def run(job: Job) -> None:
    """Write ``figure.png`` and ``figure.svg``."""
    cfg = job.settings
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    items = items_to_draw(dataset.items(cfg["target"]["split"]), cfg["images"], cfg["seed"])
    sets = files_of_sets(job.input_list("pseudo_labels"), cfg["assignments"])
    titles = [ASSIGNMENTS[name] for name in cfg["assignments"]]
    save_figure(draw_label_images(dataset, items, titles, sets, notes=True), job.out)
