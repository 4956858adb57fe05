"""A finished experiment of the workflow, for measurements beside it."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from study_data import replace

sys.path.append(str(Path(__file__).parents[1]))  # the rules' look-ups are no part of the installed package
from workflow.raw import RawData
from workflow.scope import RESULTS, Scope

from bismap.config import load_config
from bismap.data.dataset import Dataset, open_dataset
from bismap.job import Job
from bismap.stages import evaluate, predict, train
from bismap.store import write_manifest


@dataclass(frozen=True)
class Finished:
    """``folder`` below results/, of the config.yaml in the current folder."""

    folder: Path

    @cached_property
    def scope(self) -> Scope:
        return Scope.of(load_config(Path("config.yaml")), self.folder.name)

    @property
    def roots(self) -> dict[str, Path]:
        """Folders of the raw data, by domain."""
        raw = RawData(self.scope.config)
        return {
            "source": Path(raw.root(self.scope.source_dataset)),
            "target": Path(raw.root(self.scope.target_dataset)),
        }

    @property
    def indices(self) -> dict[str, tuple[Path, ...]]:
        """Inputs `source_index` and `target_index` of the stages."""
        names = {"source_index": self.scope.source_dataset, "target_index": self.scope.target_dataset}
        return {name: (RESULTS / f"datasets/{dataset}/index.csv",) for name, dataset in names.items()}

    @property
    def source(self) -> Dataset:
        return open_dataset(self.indices["source_index"][0], self.roots["source"])

    @property
    def target(self) -> Dataset:
        return open_dataset(self.indices["target_index"][0], self.roots["target"])

    def shards(self, what: str) -> tuple[Path, ...]:
        """Manifests of a sharded set, as `gpa_stm/features`."""
        return tuple(sorted((self.folder / what).glob("*-of-*.csv")))

    def settings(self, what: str) -> dict:
        """Settings that a result was made with."""
        return json.loads(((self.folder / what).resolve().parent / "entry.json").read_text())["settings"]

    def job(
        self, place: Path, stage: str, settings: dict, save_every: int | None = None, **inputs: tuple[Path, ...]
    ) -> Job:
        """A stage's job on this experiment's data, outside the store: in folders of its own below ``place``."""
        out, state = place / stage, place / f"{stage}_state"
        for path in (out, state):
            path.mkdir(parents=True)
        inputs = self.indices | inputs
        return Job(settings, out, state, inputs=inputs, roots=self.roots, save_every=save_every)

    def train_and_score(
        self, place: Path, settings: dict, maps: tuple[Path, ...], start: tuple[Path, ...], like: str
    ) -> dict:
        """The evaluation of a network that is trained on the source alone.

        Args:
            maps: manifests of its weights, by pixel.
            start: file that it starts from.
            like: run that is evaluated in the same way.
        """
        inputs = {"stylized": self.shards("stylized"), "transferability": maps, "init_weights": start}
        training = self.job(place, "train", settings, **inputs)
        train.run(training)
        return self.score(place, training.out / "model.safetensors", like)

    def score(self, place: Path, model: Path, run: str) -> dict:
        """The evaluation of a model, as that of ``run`` was made."""
        made = self.shards(f"{run}/predictions/{self.scope.split('evaluate')}")[0].relative_to(self.folder)
        predicting = self.job(place, "predict", self.settings(str(made)), model=(model,))
        predict.run(predicting)
        write_manifest(predicting.out)
        predictions = (predicting.out / "manifest.csv",)
        evaluating = self.job(place, "evaluate", self.settings(f"{run}.json"), predictions=predictions)
        evaluate.run(evaluating)
        return json.loads((evaluating.out / "evaluation.json").read_text())


def figures(report: dict) -> dict[str, float]:
    """What the study keeps of an evaluation."""
    return {"miou": round(report["miou"]["miou"], 4), "pixel_accuracy": round(report["pixel_accuracy"], 4)}


def measure_each(about: str, measure: Callable[[Finished], Iterable[dict]], table: Path, keys: Sequence[str]) -> None:
    """The command line ``DATA FOLDER [FOLDER ...]``: put each row that a folder gives into a table of the study.

    Args:
        about: help text.
        keys: columns besides ``data`` by which a row takes the place of an earlier one.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("folders", type=Path, nargs="+")
    args = parser.parse_args()
    for folder in args.folders:
        for found in measure(Finished(folder)):
            row = {"data": args.data} | found
            print(row, flush=True)
            replace(table, [row], ["data", *keys])
