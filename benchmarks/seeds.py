"""The runs of an experiment over several seeds, as Markdown tables: mean and spread (standard deviation, n - 1).

    python benchmarks/seeds.py EXPERIMENT SEED [SEED ...]

Reads what `snakemake results/EXPERIMENT-sSEED/...` made: the JSON of every run, the JSON of the pseudo-labels
and the transferability maps' tables.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

RUNS = ["source_only", "gpa", "gpa_stm", "bismap", "bismap_distilled_round1", "bismap_distilled"]
PAIRS = [("gpa", "source_only"), ("gpa_stm", "gpa"), ("bismap", "gpa_stm"), ("bismap_distilled", "bismap"),
         ("bismap_distilled", "gpa")]  # fmt: skip


def spread(values: list[float]) -> str:
    """'mean ± standard deviation' in per cent."""
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    for row in [head, ["---"] + ["---:"] * (len(head) - 1), *rows]:
        print("| " + " | ".join(row) + " |")
    print()


def scores(folders: list[Path]) -> None:
    """mIoU by run and seed, the paired differences, and IoU by class."""
    results = {run: [json.loads((folder / f"{run}.json").read_text()) for folder in folders] for run in RUNS}
    means = {run: np.array([found["miou"]["miou"] for found in results[run]]) for run in RUNS}
    table(
        ["run", *(folder.name.rpartition("-")[2] for folder in folders), "mean ± sd"],
        [[f"`{run}`", *(f"{100 * value:.1f}" for value in means[run]), spread(means[run])] for run in RUNS],
    )
    table(
        ["paired difference", "mean ± sd"],
        [[f"`{run}` - `{other}`", spread(means[run] - means[other])] for run, other in PAIRS],
    )
    classes = [name for name in results["gpa"][0]["classes"] if results["gpa"][0]["iou"][name] is not None]
    table(
        ["IoU, mean of the seeds", *(f"`{run}`" for run in RUNS)],
        [[name, *(f"{100 * np.mean([found['iou'][name] for found in results[run]]):.1f}" for run in RUNS)]
         for name in classes],
    )  # fmt: skip


def labels(folders: list[Path]) -> None:
    """Share and accuracy of the pseudo-labels, whole and by class."""
    found = [json.loads((folder / "gpa_stm/pseudo_labels/maps.json").read_text()) for folder in folders]
    table(
        ["pseudo-labels", "mean ± sd"],
        [
            ["share of pixels labelled", spread([one["labelled_share"] for one in found])],
            ["accuracy of labelled pixels", spread([one["pixel_accuracy_of_labelled"] for one in found])],
            ["mean class IoU of labelled pixels", spread([one["miou_of_labelled"] for one in found])],
        ],
    )
    columns = ["share_of_truth", "share_of_labels", "labelled_share", "precision", "recall_of_labelled"]
    rows = []
    for name in found[0]["classes"]:
        values = [[one["per_class"][name][column] for one in found] for column in columns]
        if values[0][0]:
            rows.append([name, *(_mean(value) for value in values)])
    table(["class", *(column.replace("_", " ") for column in columns)], rows)


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{100 * np.mean(known):.1f}" if known else "-"


def weights(folders: list[Path]) -> None:
    """Mean and deviation of the source pixels' weights, whole and by class, pooled over pixels."""
    rows = []
    for folder in folders:
        paths = sorted(folder.glob("gpa/transferability/*/classes.csv"))
        if len({path.parent.name.partition("-of-")[2] for path in paths}) != 1:
            sys.exit(
                f"{folder}/gpa/transferability: expected the parts of one layout, found {len(paths)} parts of several"
            )
        parts = [pd.read_csv(path) for path in paths]
        rows.append(pd.concat(parts).query("pixels > 0"))
    for frame in rows:
        frame["sum"] = frame["pixels"] * frame["mean"]
        frame["square"] = frame["pixels"] * (frame["std"] ** 2 + frame["mean"] ** 2)
    everything = [frame[["pixels", "sum", "square"]].sum() for frame in rows]
    table(
        ["source weights", "mean ± sd over seeds"],
        [
            ["mean of all pixels", spread([one["sum"] / one["pixels"] for one in everything])],
            ["deviation over all pixels", spread([_deviation(one) for one in everything])],
        ],
    )
    pooled = pd.concat(rows).groupby("name", sort=False)[["pixels", "sum", "square"]].sum()
    table(
        ["class", "mean weight", "deviation"],
        [[str(name), f"{one['sum'] / one['pixels']:.2f}", f"{_deviation(one):.2f}"] for name, one in pooled.iterrows()],
    )


def _deviation(sums: pd.Series) -> float:
    return float(np.sqrt(max(sums["square"] / sums["pixels"] - (sums["sum"] / sums["pixels"]) ** 2, 0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("seeds", nargs="+", type=int)
    args = parser.parse_args()
    folders = [Path(f"results/{args.experiment}-s{seed}") for seed in args.seeds]
    scores(folders)
    labels(folders)
    weights(folders)


if __name__ == "__main__":
    main()
