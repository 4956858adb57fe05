"""Stage ``qualitative``: predictions of several runs beside the truth."""

from bismap.data.dataset import open_dataset
from bismap.inspect.figures.label_images import draw_label_images, files_of_sets, items_to_draw
from bismap.inspect.figures.saving import save_figure
from bismap.job import Job


def run(job: Job) -> None:
    """Write ``figure.png`` and ``figure.svg``."""
    cfg = job.settings
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    items = items_to_draw(dataset.items(cfg["target"]["split"]), cfg["images"], cfg["seed"])
    sets = files_of_sets(job.input_list("predictions"), cfg["runs"])
    save_figure(draw_label_images(dataset, items, cfg["runs"], sets, notes=False), job.out)
