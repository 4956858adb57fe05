"""The settings that each stage reads, and no others: a value that is not here cannot make a stage rerun."""

from collections.abc import Callable
from typing import Any

from bismap.config import Config
from bismap.errors import BismapError
from bismap.verbs import VERBS
from workflow.checks import has_labels
from workflow.gallery import assignments, judges
from workflow.plots import plot_paths
from workflow.raw import RawData
from workflow.scope import RESULTS, Scope, split_seed
from workflow.tables import table_settings

Settings = dict[str, Any]


def stage_settings(stage: str, config: Config, raw: RawData, wildcards: Any) -> Settings:
    """What decides the stage's result; a change of it reruns the stage."""
    if stage in _OF_DATASET:
        return _OF_DATASET[stage](config, raw, wildcards.dataset)
    if stage == "weights":
        weights = config.weights[wildcards.weights]
        return {"kind": weights.kind, "sha256": weights.sha256}
    scope = Scope.of(config, wildcards.exp)
    if stage == "plots":
        return {"paths": plot_paths(scope, wildcards.run, has_labels(scope, raw, "adapt"))}
    return _OF_EXPERIMENT[stage](scope, wildcards)


def stage_setup(stage: str, config: Config, raw: RawData, wildcards: Any) -> Settings:
    """Where the stage's data lies and how it is to work; none of it changes the result, none of it reruns a stage."""
    if stage == "index":
        name = wildcards.dataset
        return {"roots": {"data": raw.root(name), "cache": str(raw.cache(name))}}
    if stage in ("render", "weights"):
        return {}
    scope = Scope.of(config, wildcards.exp)
    setup = {
        "roots": {"source": raw.root(scope.source_dataset), "target": raw.root(scope.target_dataset)},
        "device": scope.experiment.device,
    }
    if stage == "train":
        return _train_setup(setup, scope, wildcards)
    if VERBS[stage].sharded:
        role = _dealt(stage, scope, wildcards)
        return setup | {"images": raw.count(scope.dataset(role), scope.split(role))}
    return setup


def _train_setup(setup: Settings, scope: Scope, wildcards: Any) -> Settings:
    training = scope.settings.training
    events = {"tensorboard": f"{RESULTS}/logs/{scope.name}/{wildcards.run}/tensorboard"} if training.tensorboard else {}
    return setup | {"roots": setup["roots"] | events, "save_every": training.save_every}


def _dealt(stage: str, scope: Scope, wildcards: Any) -> str:
    """Role of the images that a sharded stage deals to its jobs."""
    if stage == "extract":
        return "source" if wildcards.domain == "source" else "adapt"
    if stage == "predict":
        return "evaluate" if wildcards.split == scope.split("evaluate") else "adapt"
    return "adapt" if stage in ("densities", "posteriors", "anchor_gaps", "confidences", "pseudo_labels") else "source"


def _render(config: Config, raw: RawData, name: str) -> Settings:
    render = raw.dataset(name).render
    if render is None:
        raise BismapError(f"data set `{name}` is not rendered: it lies in {raw.root(name)}")
    settings, (_, seed) = render.model_dump(mode="json"), split_seed(name)
    return settings if seed is None else settings | {"seed": seed}


def _index(config: Config, raw: RawData, name: str) -> Settings:
    dataset = raw.dataset(name)
    return {
        "layout": dataset.layout,
        "missing_pairs": list(dataset.missing_pairs),
        "listing": raw.listing(name),
    }


def _side(scope: Scope, role: str, scaled: bool = False) -> Settings:
    """A data set as a stage sees it: which split, and the size its images are brought to."""
    dataset = scope.config.datasets[(scope.experiment.source if role == "source" else scope.experiment.target).dataset]
    side: Settings = {"split": scope.split(role), "size": list(dataset.size)}
    return side | {"scale_reference_width": dataset.scale_reference_width} if scaled else side


def _plain(section: Any, *leave_out: str) -> Settings:
    return section.model_dump(mode="json", exclude=set(leave_out))


def _network(scope: Scope) -> Settings:
    return {name: value for name, value in _plain(scope.settings.network).items() if value is not None}


def _stylize(scope: Scope, wildcards: Any) -> Settings:
    sides = {"source": {"split": scope.split("source")}, "target": {"split": scope.split("adapt")}}
    return sides | {"seed": scope.seed} | _plain(scope.settings.stylize)


def _train(scope: Scope, wildcards: Any) -> Settings:
    run, training = scope.run(wildcards.run), scope.settings.training
    objectives = ("warmup", "retrain", "distill")
    separate = (*objectives, "save_every", "source_jitter", "target_jitter", "sce", "consistency", "distillation")
    separate += ("validate_every", "tensorboard")
    every = training.validate_every
    validation = {} if every is None else {"validation": {"every": every, **_side(scope, "evaluate")}}
    target = _side(scope, "adapt", scaled=True) | {"jitter": _plain(training.target_jitter)}
    of_objective: Settings = {
        "warmup": {},
        "retrain": {
            "target": target,
            "sce": _plain(training.sce),
            "consistency": _plain(training.consistency, "strong") if run.consistency else None,
            "strong": _plain(training.consistency.strong) if run.consistency else None,
        },
        "distill": {
            "target": target,
            "sce": _plain(training.sce),
            "distillation": _plain(training.distillation),
        },
    }[run.objective]
    return {
        "objective": run.objective,
        "network": _network(scope),
        "init": scope.start_of(wildcards.run),
        "seed": scope.seed,
        "source": _side(scope, "source", scaled=True) | {"jitter": _plain(training.source_jitter)},
        **_plain(training, *separate),
        **_plain(getattr(training, run.objective)),
        **of_objective,
        **validation,
    }


def _features(scope: Scope, wildcards: Any) -> Settings:
    return {"source": _side(scope, "source"), "seed": scope.seed, **_plain(scope.settings.features)}


def _source_prototypes(scope: Scope, wildcards: Any) -> Settings:
    samples = scope.settings.features.samples_per_class
    return {"samples_per_class": samples, "seed": scope.seed, **_plain(scope.settings.source_prototypes)}


def _recipe(scope: Scope) -> Settings:
    extractor = scope.settings.extractor
    return _plain(extractor, "weights", "input_size", "grid", "batch", "pretrain")


def _extractor(scope: Scope, wildcards: Any) -> Settings:
    extractor = scope.settings.extractor
    if extractor.pretrain is None:
        return _recipe(scope)
    return _recipe(scope) | {
        "input_size": list(extractor.input_size),
        "pretrain": _plain(extractor.pretrain) | {"seed": scope.seed},
        "source": {"split": scope.split("source")},
        "target": {"split": scope.split("adapt")},
    }


def _extract(scope: Scope, wildcards: Any) -> Settings:
    extractor = scope.settings.extractor
    split = scope.split("source" if wildcards.domain == "source" else "adapt")
    own = {name: list(getattr(extractor, name)) for name in ("input_size", "grid")}
    return {"domain": wildcards.domain, "split": split, "batch": extractor.batch, **own}


def _target_prototypes(scope: Scope, wildcards: Any) -> Settings:
    return _plain(scope.settings.target_prototypes) | {"seed": scope.seed}


def _plot_validation(scope: Scope, wildcards: Any) -> Settings:
    # The table that is drawn is no output of a rule: what decides it, beside the model, must be in here.
    return {"every": scope.settings.training.validate_every, "target": _side(scope, "evaluate")}


def _nothing(scope: Scope, wildcards: Any) -> Settings:
    return {}


def _source_distances(scope: Scope, wildcards: Any) -> Settings:
    return _plain(scope.settings.source_distances)


def _class_entropy(scope: Scope, wildcards: Any) -> Settings:
    sides = {"source": {"split": scope.split("source")}, "target": _side(scope, "adapt")}
    return sides | _plain(scope.settings.class_entropy)


def _transferability(scope: Scope, wildcards: Any) -> Settings:
    return {"source": _side(scope, "source")}


def _densities(scope: Scope, wildcards: Any) -> Settings:
    return {"target": _side(scope, "adapt"), **_plain(scope.settings.densities)}


def _posteriors(scope: Scope, wildcards: Any) -> Settings:
    return {"target": _side(scope, "adapt"), **_plain(scope.settings.posteriors)}


def _target(scope: Scope, wildcards: Any) -> Settings:
    return {"target": _side(scope, "adapt")}


def _ias_thresholds(scope: Scope, wildcards: Any) -> Settings:
    return _plain(scope.settings.pseudo_labels.ias)


def _pseudo_labels(scope: Scope, wildcards: Any) -> Settings:
    if wildcards.assignment == "ias":  # its thresholds are an input
        return {"threshold": None}
    return {"threshold": _threshold(scope, wildcards.assignment)}


def _threshold(scope: Scope, assignment: str) -> Settings:
    """The one threshold for all of an assignment that has one: ``{"least": score}`` or ``{"share": s}``."""
    section = _plain(getattr(scope.settings.pseudo_labels, assignment))
    (given,) = ({"share" if name == "share" else "least": v} for name, v in section.items() if v is not None)
    return given


def _pseudo_label_quality(scope: Scope, wildcards: Any) -> Settings:
    return {"target": {"split": scope.split("adapt")}}


def _pseudo_label_curve(scope: Scope, wildcards: Any) -> Settings:
    # The curve goes over alpha.
    ias = {"ias": _plain(scope.settings.pseudo_labels.ias, "alpha")} if wildcards.assignment == "ias" else {}
    return {"target": {"split": scope.split("adapt")}, **ias}


def _predict(scope: Scope, wildcards: Any) -> Settings:
    # One split may serve both roles; its predictions are one set of files, with the views of the evaluation.
    predict = scope.settings.predict
    role = "evaluate" if wildcards.split == scope.split("evaluate") else "adapt"
    views = predict.evaluate if role == "evaluate" else predict.teach
    side = _side(scope, role) | {"split": wildcards.split}
    return {"target": side, **_plain(views), "precision": predict.precision}


def _evaluate(scope: Scope, wildcards: Any) -> Settings:
    subsets = {name: list(classes) for name, classes in scope.experiment.subsets.items()}
    return {
        "experiment": scope.name,
        "run": wildcards.run,
        "seed": scope.seed,
        "target": {"split": scope.split("evaluate")},
        "subsets": subsets,
    }


def _overview(scope: Scope, wildcards: Any) -> Settings:
    sides = {"source": {"split": scope.split("source")}, "target": {"split": scope.split("adapt")}}
    return sides | {"seed": scope.seed} | _plain(scope.settings.overview)


def _table(scope: Scope, wildcards: Any) -> Settings:
    return table_settings(scope, wildcards.table)


def _qualitative(scope: Scope, wildcards: Any) -> Settings:
    return {"target": {"split": scope.split("evaluate")}, "seed": scope.seed, **_plain(scope.settings.qualitative)}


def _label_comparison(scope: Scope, wildcards: Any) -> Settings:
    own = _plain(scope.settings.label_comparison, "run")
    return {"target": {"split": scope.split("adapt")}, "seed": scope.seed, **own}


def _feature_embedding(scope: Scope, wildcards: Any) -> Settings:
    return {"target": _side(scope, "evaluate"), "seed": scope.seed, **_plain(scope.settings.feature_embedding)}


def _plot_densities(scope: Scope, wildcards: Any) -> Settings:
    return {"threshold": _threshold(scope, "maps")}


def _plot_label_curves(scope: Scope, wildcards: Any) -> Settings:
    # A list: the curves are given in its order, which sorted keys would change.
    assignments = scope.settings.plots.assignments
    return {"assignments": [[assignment, _chosen(scope, assignment)] for assignment in assignments]}


def _chosen(scope: Scope, assignment: str) -> Settings:
    """The point of an assignment's curve that is configured: its share, or its `setting`."""
    if assignment == "ias":
        return {"setting": scope.settings.pseudo_labels.ias.alpha}
    given = _threshold(scope, assignment)
    return given if "share" in given else {"setting": given["least"]}


def _plot_transferability(scope: Scope, wildcards: Any) -> Settings:
    return {"source": {"split": scope.split("source")}}


def _plot_clusters(scope: Scope, wildcards: Any) -> Settings:
    return {"target": {"split": scope.split("adapt")}}


def _gallery(scope: Scope, wildcards: Any) -> Settings:
    return {
        "experiment": scope.name,
        "seed": scope.seed,
        "source": {"split": scope.split("source")},
        "target": {"adapt": scope.split("adapt"), "evaluate": scope.split("evaluate")},
        "subsets": {name: list(classes) for name, classes in scope.experiment.subsets.items()},
        "assignments": [list(names) for names in assignments(scope)],
        "judges": judges(scope),
        **_plain(scope.settings.gallery),
    }


_OF_DATASET: dict[str, Callable[[Config, RawData, str], Settings]] = {"render": _render, "index": _index}

_OF_EXPERIMENT: dict[str, Callable[[Scope, Any], Settings]] = {
    "stylize": _stylize,
    "train": _train,
    "features": _features,
    "source_prototypes": _source_prototypes,
    "extractor": _extractor,
    "extract": _extract,
    "target_prototypes": _target_prototypes,
    "source_distances": _source_distances,
    "class_entropy": _class_entropy,
    "transferability": _transferability,
    "densities": _densities,
    "posteriors": _posteriors,
    "category_anchors": _nothing,
    "anchor_gaps": _target,
    "confidences": _target,
    "ias_thresholds": _ias_thresholds,
    "pseudo_labels": _pseudo_labels,
    "pseudo_label_quality": _pseudo_label_quality,
    "pseudo_label_curve": _pseudo_label_curve,
    "predict": _predict,
    "evaluate": _evaluate,
    "overview": _overview,
    "table": _table,
    "qualitative": _qualitative,
    "label_comparison": _label_comparison,
    "feature_embedding": _feature_embedding,
    "plot_learning_curves": _nothing,
    "plot_validation": _plot_validation,
    "plot_mixtures": _nothing,
    "plot_densities": _plot_densities,
    "plot_label_curves": _plot_label_curves,
    "plot_transferability": _plot_transferability,
    "plot_clusters": _plot_clusters,
    "gallery": _gallery,
}
