"""Stage ``evaluate``: what the predictions of a run score on the evaluation split."""

from bismap.data.dataset import open_dataset
from bismap.data.shards import files
from bismap.evaluation.files import count_predictions
from bismap.evaluation.report import evaluation_report, write_json
from bismap.job import Job


def run(job: Job) -> None:
    """Write ``evaluation.json``: IoU, mIoU of each class subset under both protocols, confusion matrix, provenance."""
    cfg = job.settings
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    predictions = files(job.input_list("predictions"), ".png")
    counts, images = count_predictions(dataset, cfg["target"]["split"], predictions, job.threads)
    report = evaluation_report(counts, dataset.classes.names, cfg["subsets"], images)
    report |= {name: cfg[name] for name in ("experiment", "run", "seed")}
    report |= {"split": cfg["target"]["split"], "provenance": job.provenance}
    write_json(job.out / "evaluation.json", report)
