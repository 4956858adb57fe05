"""Stage ``overview``: one picture of a run."""

from bismap.data.dataset import open_dataset
from bismap.data.shards import files
from bismap.inspect.overview import choose_items, draw_overview
from bismap.job import Job


def run(job: Job) -> None:
    """Write ``overview.png``."""
    cfg = job.settings
    target = open_dataset(job.input("target_index"), job.root("target"))
    source = open_dataset(job.input("source_index"), job.root("source"))
    picture = draw_overview(
        target,
        choose_items(target.items(cfg["target"]["split"]), cfg["images"], cfg["seed"]),
        source,
        choose_items(source.items(cfg["source"]["split"]), cfg["images"], cfg["seed"]),
        pseudo_labels=files(job.input_list("pseudo_labels"), ".png"),
        predictions=files(job.input_list("predictions"), ".png"),
        stylized=files(job.input_list("stylized"), ".png"),
        transferability=files(job.input_list("transferability"), ".png"),
        panel_width=cfg["thumb_width"],
    )
    picture.save(job.out / "overview.png")
