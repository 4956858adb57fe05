"""What do a student's steps gain by themselves? The training of `gpa_stm_maps` once more, without the target.

    python benchmarks/without_target.py DATA FOLDER [FOLDER ...]

FOLDER is an experiment's, e.g. results/study_demo-s201, whose run `gpa_stm_maps` is finished; run from the folder that
holds config.yaml. The student starts from the same teacher, takes as many steps of the same size on as many source
crops, and sees no target image. Rows go to docs/study/without_target.csv under the name DATA.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from experiment import Finished, figures, measure_each
from study_data import WITHOUT_TARGET


def without_target(done: Finished) -> Iterator[dict]:
    """Train and score."""
    student = done.settings("gpa_stm_maps/model.safetensors")
    if student["init"] != "teacher":
        raise SystemExit(f"{done.folder}: `gpa_stm_maps` starts from {student['init']}, not from its teacher")
    settings = done.settings("gpa_stm/model.safetensors")
    settings |= {name: student[name] for name in ("init", "iterations", "lr", "batch_source")}
    start = (done.folder / "gpa_stm/model.safetensors",)
    maps = done.shards("gpa/transferability")
    with tempfile.TemporaryDirectory() as place:
        report = done.train_and_score(Path(place), settings, maps, start, "gpa_stm_maps")
    yield {"seed": done.scope.seed} | figures(report)


if __name__ == "__main__":
    measure_each(__doc__, without_target, WITHOUT_TARGET, ["seed"])
