"""What do a student's steps gain by themselves? The training of `gpa_stm_maps` once more, without the target.

    python benchmarks/without_target.py DATA FOLDER [FOLDER ...]

FOLDER is an experiment's, e.g. results/study_demo-s201, whose run `gpa_stm_maps` is finished; run from the folder that
holds config.yaml. The student starts from the same teacher, takes as many steps of the same size on as many source
crops, and sees no target image. Rows go to docs/study/without_target.csv under the name DATA.
"""

import argparse
import tempfile
from pathlib import Path

from experiment import Finished
from study_data import WITHOUT_TARGET, replace

from bismap.stages import train


def without_target(done: Finished, place: Path) -> dict:
    """Train and score."""
    student = done.settings("gpa_stm_maps/model.safetensors")
    if student["init"] != "teacher":
        raise SystemExit(f"{done.folder}: `gpa_stm_maps` starts from {student['init']}, not from its teacher")
    of_student = {name: student[name] for name in ("init", "iterations", "lr", "batch_source")}
    training = done.job(
        place,
        "train",
        done.settings("gpa_stm/model.safetensors") | of_student,
        stylized=done.shards("stylized"),
        transferability=done.shards("gpa/transferability"),
        init_weights=(done.folder / "gpa_stm/model.safetensors",),
    )
    train.run(training)
    return done.score(place, training.out / "model.safetensors", "gpa_stm_maps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("folders", type=Path, nargs="+")
    args = parser.parse_args()
    for folder in args.folders:
        done = Finished(folder)
        with tempfile.TemporaryDirectory() as place:
            report = without_target(done, Path(place))
        row = {"data": args.data, "seed": done.scope.seed, "miou": round(report["miou"]["miou"], 4)}
        row["pixel_accuracy"] = round(report["pixel_accuracy"], 4)
        print(row, flush=True)
        replace(WITHOUT_TARGET, [row], ["data", "seed"])


if __name__ == "__main__":
    main()
