"""Stage ``pseudo_label_quality``: share and accuracy of pseudo-labels against truth that no stage was shown."""

from bismap.data.dataset import open_dataset
from bismap.data.shards import files
from bismap.evaluation.files import count_pseudo_labels
from bismap.evaluation.report import pseudo_label_report, write_json
from bismap.job import Job


def run(job: Job) -> None:
    """Write ``quality.json`` over the images of the split that have a truth."""
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    pseudo_labels = files(job.input_list("pseudo_labels"), ".png")
    split = job.settings["target"]["split"]
    counts, images = count_pseudo_labels(dataset, split, pseudo_labels, job.threads)
    write_json(job.out / "quality.json", pseudo_label_report(counts, dataset.classes.names, images))
