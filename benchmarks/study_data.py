"""What the study's runs ended in, as tables: docs/study/*.csv, with one row a run, or a point of a curve."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

PAGE = Path(__file__).parents[1] / "docs" / "study.md"
FOLDER = PAGE.with_suffix("")
CURVES, RUNS, VARIANTS, HALVES, EMA, WITHOUT_TARGET = (
    FOLDER / f"{name}.csv" for name in ("curves", "runs", "variants", "halves", "ema", "without_target")
)
DEVELOPMENT = 0
"""Seed of `demo` that settings were chosen on; in no mean."""

DATA = ("demo", "camvid")
ASSIGNMENTS = ("maps", "posterior", "cas", "softmax", "ias")
MIXTURES = {"single_isotropic": "K = 1, isotropic", "single": "K = 1, anisotropic", "isotropic": "K = 8, isotropic"}
THRESHOLDS = {"share30": "30 %", "share45": "45 %", "study": "60 %", "share80": "80 %"}
ALPHAS = {"share30": 0.1, "share45": 0.2, "study": 0.5, "share80": 1}
"""Experiments of one data set that differ in the thresholds: the share wanted, and of `ias` its alpha."""
ROUND_2 = "_round2"


def collect(results: Path, seeds: Sequence[int]) -> None:
    """Add what there is of the seeds to both tables."""
    replace(CURVES, list(_curves(results, seeds)), ["data", "label", "seed"])
    replace(RUNS, list(_runs(results, seeds)), ["data", "experiment", "run", "seed"])


def _experiments(data: str) -> Iterator[tuple[str, str]]:
    """Suffix and name of each experiment on a data set; the study's own has none."""
    for suffix in ("", *MIXTURES, *(name for name in THRESHOLDS if name != "study")):
        yield suffix, f"study_{data}" + (f"_{suffix}" if suffix else "")


def _curves(results: Path, seeds: Sequence[int]) -> Iterator[dict]:
    for data in DATA:
        for suffix, experiment in _experiments(data):
            for seed in seeds:
                wanted = "maps.curve.csv" if suffix in MIXTURES else "*.curve.csv"
                for path in sorted((results / _name(experiment, seed) / "gpa_stm/pseudo_labels").glob(wanted)):
                    label = suffix if suffix in MIXTURES else path.name.partition(".")[0]
                    table = pd.read_csv(path)
                    if label != "ias":  # every second point will do
                        table = table[table["setting"].isin(table["setting"].unique()[1::2])]
                    for row in table.round(4).to_dict("records"):
                        yield {"data": data, "label": label, "seed": seed} | row


def _runs(results: Path, seeds: Sequence[int]) -> Iterator[dict]:
    for data in DATA:
        for suffix, experiment in _experiments(data):
            for seed in seeds:
                for path in sorted((results / _name(experiment, seed)).glob("*.json")):
                    found = json.loads(path.read_text())
                    row = {"data": data, "experiment": suffix or "study", "run": path.stem, "seed": seed}
                    row |= {"miou": found["miou"]["miou"], "pixel_accuracy": found["pixel_accuracy"]}
                    row["labelled_share"] = _labelled_share(path)
                    yield {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}


def _labelled_share(run: Path) -> float | None:
    """Of the pseudo-labels that a run named after its teacher and assignment learnt from; None of another."""
    first_round = run.stem.removesuffix(ROUND_2)
    teacher, _, assignment = first_round.rpartition("_")
    teacher = teacher if first_round == run.stem else first_round
    quality = run.parent / teacher / f"pseudo_labels/{assignment}.json"
    return json.loads(quality.read_text())["labelled_share"] if quality.exists() else None


def _name(experiment: str, seed: int) -> str:
    return experiment if seed == DEVELOPMENT else f"{experiment}-s{seed}"


def replace(path: Path, rows: list[dict], keys: list[str]) -> None:
    """Add rows to a table; they take the place of all that have the same ``keys`` there."""
    found = pd.DataFrame(rows)
    if path.exists():
        old = pd.read_csv(path)
        known = pd.MultiIndex.from_frame(found[keys])
        found = pd.concat([old[~pd.MultiIndex.from_frame(old[keys]).isin(known)], found])
    found.sort_values(keys, kind="stable").to_csv(path, index=False, lineterminator="\n")
