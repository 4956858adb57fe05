"""What the rules ask: where things lie, what flows into a stage, and the settings that it reads.

Nothing here computes or writes; importing it loads neither torch nor numpy.
"""

import functools
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from bismap.code import code_of
from bismap.config import Config, check_config
from bismap.config.model import RESERVED_EXPERIMENTS, RESERVED_RUNS
from bismap.errors import BismapError
from workflow.checks import (
    check_class_values,
    check_classes,
    check_labels,
    check_named_classes,
    check_subsets,
    check_validated,
    check_weights,
    has_labels,
)
from workflow.gallery import assignments, judges
from workflow.plots import plot_paths
from workflow.raw import RawData
from workflow.scope import RESULTS, Scope
from workflow.settings import stage_settings, stage_setup
from workflow.shards import shard_names
from workflow.tables import named_runs, table_files

Inputs = dict[str, list[str]]

SCORES = {
    "maps": "densities",
    "posterior": "posteriors",
    "cas": "anchor_gaps",
    "softmax": "confidences",
    "ias": "confidences",
}
"""What each assignment chooses pixels by: the folder in the run's."""


def load_plan(raw: Mapping[str, Any]) -> "Plan":
    """The plan of a configuration; all errors of a bad one are shown at once, before the DAG is built."""
    try:
        return Plan(check_config(raw))
    except BismapError as error:
        raise WorkflowError(str(error)) from None


def _told_plainly(method: Callable[..., Any]) -> Callable[..., Any]:
    # Snakemake prints a WorkflowError as it stands and any other exception as a traceback.
    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except BismapError as error:
            raise WorkflowError(str(error)) from None

    return wrapper


class Plan:
    """Look-ups for the rules. Most are input functions; ``cfg``, ``setup`` and ``launch`` make params."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.raw = RawData(config)

    def wildcard_constraints(self) -> dict[str, str]:
        """Regular expressions of the wildcards.

        Any experiment and run matches, so that an unknown one is answered with the names there are.
        """
        name, seeded = r"[A-Za-z0-9_]+", r"(?:-s\d+)?"
        return {
            "exp": rf"(?!(?:{_alternatives(RESERVED_EXPERIMENTS)})\b){name}{seeded}",
            "dataset": f"(?:{_alternatives(self.config.datasets)}){seeded}",
            "run": rf"(?!(?:{_alternatives(RESERVED_RUNS)})\b){name}",
            "weights": _alternatives(self.config.weights),
            "domain": "source|target",
            "assignment": _alternatives(SCORES),
            "shard": r"\d+-of-\d+",
            "split": name,
            "table": name,
        }

    def scope(self, wildcards: Any) -> Scope:
        return Scope.of(self.config, wildcards.exp)

    def cfg(self, stage: str) -> Callable[[Any], str]:
        """The one param of a stage's rule that reruns it: its settings and its code's fingerprint.

        A JSON text with sorted keys: Snakemake compares params by their text and forgets their names, so one
        text that holds all is seen whenever anything in it changes.
        """

        @_told_plainly
        def build(wildcards: Any) -> str:
            settings = stage_settings(stage, self.config, self.raw, wildcards)
            packages = self.config.rerun_on_new_packages
            found = {"settings": settings, "code": code_of(stage, RESULTS / ".store", packages)}
            return json.dumps(found | {"packages": True} if packages else found, sort_keys=True)

        return build

    def setup(self, stage: str) -> Callable[[Any, Any], str]:
        """The param that reruns nothing: where data lies and what else does not change a result."""

        # Snakemake leaves out of its comparison what a function makes that asks for `threads`.
        @_told_plainly
        def build(wildcards: Any, threads: Any) -> str:
            return json.dumps(stage_setup(stage, self.config, self.raw, wildcards), sort_keys=True)

        return build

    def launch(self, wildcards: Any, resources: Any) -> str:
        """Command that starts a training: one process, or one for each of several GPUs (`gpu` of the rule)."""
        # Asking for `resources` keeps it out of Snakemake's comparison: how many there are changes no result's key.
        gpus = int(resources.gpu)
        if gpus <= 1:
            return "python -m bismap"
        # torchrun passes on only the signals that it knows of (the training saves its state on SIGUSR1, too), and
        # kills after 30 s, which a large state on a busy network disk may need more than.
        signals = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
        return (
            f"TORCH_ELASTIC_SHUTDOWN_TIMEOUT=300 python -m torch.distributed.run --standalone --nproc-per-node {gpus} "
            f"--signals-to-handle {signals} -m -- bismap"
        )

    @_told_plainly
    def rendered(self, wildcards: Any) -> list[str]:
        return self.raw.manifest(wildcards.dataset)

    @_told_plainly
    def checkpoint(self, wildcards: Any) -> str:
        return str(self.raw.weights_file(wildcards.weights))

    @_told_plainly
    def source_index(self, wildcards: Any) -> str:
        return _index(self.scope(wildcards).source_dataset)

    @_told_plainly
    def target_index(self, wildcards: Any) -> str:
        return _index(self.scope(wildcards).target_dataset)

    @_told_plainly
    def stylized(self, wildcards: Any) -> list[str]:
        return self._shards(self.scope(wildcards), "stylized", "source")

    @_told_plainly
    def stylized_of_run(self, wildcards: Any) -> list[str]:
        return self._source_images(self.scope(wildcards), wildcards.run)

    @_told_plainly
    def training_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        run = scope.run(wildcards.run)
        check_labels(scope, self.raw, "source")
        check_classes(scope, self.raw)
        check_class_values(scope, self.raw)
        validated = scope.settings.training.validate_every is not None
        if validated:
            check_labels(scope, self.raw, "evaluate")
        teacher = [f"{scope.folder}/{run.teacher}/model.safetensors"] if run.objective == "distill" else []
        return {
            "source_index": [_index(scope.source_dataset)],
            "target_index": [_index(scope.target_dataset)] if run.teacher or validated else [],
            "stylized": self._source_images(scope, wildcards.run),
            "transferability": self._transferability(scope, wildcards.run),
            "pseudo_labels": self._target_labels(scope, wildcards.run),
            "teacher": teacher,
            "init_weights": self._init_weights(scope, wildcards.run),
        }

    @_told_plainly
    def validated(self, wildcards: Any) -> str:
        scope = self.scope(wildcards)
        check_validated(scope)
        return f"{scope.folder}/{wildcards.run}/metrics.csv"

    @_told_plainly
    def extractor_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        extractor = scope.settings.extractor
        weights = extractor.weights
        pretrain = weights is None
        if not pretrain:
            check_weights(self.raw, weights, extractor.network.backbone, "settings.extractor.network.backbone")
        return {
            "source_index": [_index(scope.source_dataset)] if pretrain else [],
            "target_index": [_index(scope.target_dataset)] if pretrain else [],
            "stylized": self._shards(scope, "stylized", "source") if pretrain else [],
            "weights": [] if pretrain else [_weights(weights)],
        }

    @_told_plainly
    def extract_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        source = wildcards.domain == "source"
        return {
            "source_index": [_index(scope.source_dataset)] if source else [],
            "target_index": [] if source else [_index(scope.target_dataset)],
            "stylized": self._shards(scope, "stylized", "source") if source else [],
            "extractor": [f"{scope.folder}/extractor/model.safetensors"],
        }

    def cells(self, domain: str) -> Callable[[Any], list[str]]:
        """Input function: all shard manifests of a domain's cell features."""
        split = "source" if domain == "source" else "adapt"

        @_told_plainly
        def build(wildcards: Any) -> list[str]:
            return self._shards(self.scope(wildcards), f"extractor/{domain}", split)

        return build

    @_told_plainly
    def features(self, wildcards: Any) -> list[str]:
        return self._shards(self.scope(wildcards), f"{wildcards.run}/features", "source")

    @_told_plainly
    def entropy_model(self, wildcards: Any) -> list[str]:
        scope = self.scope(wildcards)
        given = scope.settings.class_entropy.constants is not None
        return [] if given else [f"{scope.folder}/{wildcards.run}/model.safetensors"]

    @_told_plainly
    def confidences(self, wildcards: Any) -> list[str]:
        return self._shards(self.scope(wildcards), f"{wildcards.run}/confidences", "adapt")

    @_told_plainly
    def scores(self, wildcards: Any) -> list[str]:
        return self._shards(self.scope(wildcards), f"{wildcards.run}/{SCORES[wildcards.assignment]}", "adapt")

    @_told_plainly
    def scores_with_truth(self, wildcards: Any) -> list[str]:
        check_labels(self.scope(wildcards), self.raw, "adapt")
        return self.scores(wildcards)

    def thresholds(self, wildcards: Any) -> list[str]:
        folder = f"{RESULTS}/{wildcards.exp}/{wildcards.run}"
        return [f"{folder}/ias_thresholds.csv"] if wildcards.assignment == "ias" else []

    @_told_plainly
    def pseudo_labels(self, wildcards: Any) -> list[str]:
        scope = self.scope(wildcards)
        check_labels(scope, self.raw, "adapt")
        return self._shards(scope, f"{wildcards.run}/pseudo_labels/{wildcards.assignment}", "adapt")

    @_told_plainly
    def evaluation_index(self, wildcards: Any) -> str:
        return _index(self.scope(wildcards).target_dataset)

    @_told_plainly
    def evaluation_predictions(self, wildcards: Any) -> list[str]:
        scope = self.scope(wildcards)
        scope.run(wildcards.run)  # an unknown run is named here, not by the rules that would have to make it
        check_labels(scope, self.raw, "evaluate")
        check_subsets(scope, self.raw)
        return self._predictions(scope, wildcards.run, "evaluate")

    @_told_plainly
    def overview_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        run = scope.run(wildcards.run)
        return {
            "source_index": [_index(scope.source_dataset)],
            "target_index": [_index(scope.target_dataset)],
            "stylized": self._source_images(scope, wildcards.run),
            "transferability": self._transferability(scope, wildcards.run),
            "pseudo_labels": self._target_labels(scope, wildcards.run) if run.teacher else [],
            "predictions": self._predictions(scope, wildcards.run, "adapt"),
        }

    @_told_plainly
    def table_inputs(self, wildcards: Any) -> Inputs:
        return table_files(self.scope(wildcards), wildcards.table)

    @_told_plainly
    def qualitative_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        runs = named_runs(scope, "qualitative.runs", scope.settings.qualitative.runs)
        return {
            "target_index": [_index(scope.target_dataset)],
            "predictions": [file for run in runs for file in self._predictions(scope, run, "evaluate")],
        }

    @_told_plainly
    def label_comparison_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        own = scope.settings.label_comparison
        (run,) = named_runs(scope, "label_comparison.run", [own.run])
        folders = [f"{run}/pseudo_labels/{assignment}" for assignment in own.assignments]
        return {
            "target_index": [_index(scope.target_dataset)],
            "pseudo_labels": [file for folder in folders for file in self._shards(scope, folder, "adapt")],
        }

    @_told_plainly
    def feature_embedding_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        own = scope.settings.feature_embedding
        runs = named_runs(scope, "feature_embedding.runs", own.runs)
        check_labels(scope, self.raw, "evaluate")
        check_named_classes(scope, self.raw, "settings.feature_embedding.classes", own.classes)
        return {
            "target_index": [_index(scope.target_dataset)],
            "models": [f"{scope.folder}/{run}/model.safetensors" for run in runs],
        }

    @_told_plainly
    def densities(self, wildcards: Any) -> list[str]:
        return self._shards(self.scope(wildcards), f"{wildcards.run}/densities", "adapt")

    @_told_plainly
    def transferability(self, wildcards: Any) -> list[str]:
        return self._shards(self.scope(wildcards), f"{wildcards.run}/transferability", "source")

    @_told_plainly
    def label_curves(self, wildcards: Any) -> list[str]:
        scope = self.scope(wildcards)
        check_labels(scope, self.raw, "adapt")
        folder = f"{scope.folder}/{wildcards.run}/pseudo_labels"
        return [f"{folder}/{assignment}.curve.csv" for assignment in scope.settings.plots.assignments]

    @_told_plainly
    def plots(self, wildcards: Any) -> list[str]:
        scope = self.scope(wildcards)
        paths = plot_paths(scope, wildcards.run, has_labels(scope, self.raw, "adapt"))
        return [f"{scope.folder}/{path}" for path in paths]

    @_told_plainly
    def gallery_inputs(self, wildcards: Any) -> Inputs:
        scope = self.scope(wildcards)
        check_classes(scope, self.raw)
        check_subsets(scope, self.raw)
        shown = scope.settings.gallery.runs
        roles = ("adapt",) if scope.split("adapt") == scope.split("evaluate") else ("adapt", "evaluate")
        chosen, weighed = assignments(scope), judges(scope)
        stylized = any(scope.run(run).source == "stylized" for run in shown)
        of = functools.partial(self._each, scope)
        return {
            "source_index": [_index(scope.source_dataset)],
            "target_index": [_index(scope.target_dataset)],
            "stylized": self._shards(scope, "stylized", "source") if stylized else [],
            "transferability": of([f"{judge}/transferability" for judge in weighed], "source"),
            "pseudo_labels": of([f"{run}/pseudo_labels/{assignment}" for run, assignment in chosen], "adapt"),
            "scores": of([f"{run}/{SCORES[assignment]}" for run, assignment in chosen], "adapt"),
            "predictions": [path for run in shown for role in roles for path in self._predictions(scope, run, role)],
        }

    def _each(self, scope: Scope, folders: list[str], role: str) -> list[str]:
        return [manifest for folder in folders for manifest in self._shards(scope, folder, role)]

    def _source_images(self, scope: Scope, run: str) -> list[str]:
        return self._shards(scope, "stylized", "source") if scope.run(run).source == "stylized" else []

    def _transferability(self, scope: Scope, run: str) -> list[str]:
        judge = scope.run(run).transferability
        return self._shards(scope, f"{judge}/transferability", "source") if judge else []

    def _target_labels(self, scope: Scope, run: str) -> list[str]:
        spec = scope.run(run)
        if spec.objective == "retrain":
            return self._shards(scope, f"{spec.teacher}/pseudo_labels/{spec.assignment}", "adapt")
        if spec.objective == "distill":
            return self._predictions(scope, spec.teacher, "adapt")
        return []

    def _init_weights(self, scope: Scope, run: str) -> list[str]:
        start = scope.start_of(run)
        if start == "random":
            return []
        if start == "extractor":
            return [f"{scope.folder}/extractor/model.safetensors"]
        if start == "teacher":
            return [f"{scope.folder}/{scope.run(run).teacher}/model.safetensors"]
        check_weights(self.raw, start, scope.settings.network.backbone, "settings.network.backbone")
        return [_weights(start)]

    def _predictions(self, scope: Scope, run: str, role: str) -> list[str]:
        return self._shards(scope, f"{run}/predictions/{scope.split(role)}", role)

    def _shards(self, scope: Scope, folder: str, role: str) -> list[str]:
        """Shard manifests of the set in ``folder`` over the images of a role (source, adapt, evaluate)."""
        images = self.raw.count(scope.dataset(role), scope.split(role))
        path = Path(scope.folder) / folder
        return [f"{path}/{shard}.csv" for shard in shard_names(path, images, scope.experiment.shard_images)]


def _index(dataset: str) -> str:
    return f"{RESULTS}/datasets/{dataset}/index.csv"


def _weights(name: str) -> str:
    return f"{RESULTS}/weights/{name}.safetensors"


def _alternatives(names: Any) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name))) or "(?!)"
