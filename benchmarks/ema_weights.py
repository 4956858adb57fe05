"""Is the mean teacher of a retraining a better final model than its student?

    python benchmarks/ema_weights.py DATA FOLDER [FOLDER ...]

FOLDER is an experiment's, e.g. results/study_demo-s201, whose run `bismap` is finished; run from the folder that holds
config.yaml. `bismap` is trained once more with its settings and inputs, and its last state kept; the student, which is
the method's model, and its moving average, which is not, are scored on the evaluation split. Rows go to
docs/study/ema.csv under the name DATA.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from experiment import Finished, figures, measure_each
from study_data import EMA

from bismap.models.weights import load_network, save_network
from bismap.stages import train
from bismap.state import load_newest


def both(done: Finished, place: Path) -> Iterator[tuple[str, dict]]:
    """Train and score: the student, then its average with the student's batch-norm statistics."""
    settings = done.settings("bismap/model.safetensors")
    start = "gpa_stm" if settings["init"] == "teacher" else "extractor"
    training = done.job(
        place,
        "train",
        settings,
        save_every=settings["iterations"],
        stylized=done.shards("stylized"),
        transferability=done.shards("gpa/transferability"),
        pseudo_labels=done.shards("gpa_stm/pseudo_labels/maps"),
        init_weights=(done.folder / start / "model.safetensors",),
    )
    train.run(training)
    student = training.out / "model.safetensors"
    yield "student", done.score(place / "student", student, "bismap")
    classes = done.source.classes.names
    net = load_network(student, "cpu", classes)
    net.load_state_dict(load_newest(training.state)["ema"])
    save_network(place / "ema.safetensors", net, {"classes": list(classes), "objective": settings["objective"]})
    yield "ema", done.score(place / "ema", place / "ema.safetensors", "bismap")


def measured(done: Finished) -> Iterator[dict]:
    """A row for each of the two."""
    with tempfile.TemporaryDirectory() as place:
        for weights, report in both(done, Path(place)):
            yield {"weights": weights, "seed": done.scope.seed} | figures(report)


if __name__ == "__main__":
    measure_each(__doc__, measured, EMA, ["weights", "seed"])
