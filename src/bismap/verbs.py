"""The stages as the command line and the rules know them: inputs, outputs, shards. Cheap to import."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verb:
    """What a stage takes and gives.

    Attributes:
        help: one line for ``bismap --help``.
        inputs: flag -> what it is. Each flag takes any number of files.
        outputs: flag -> file of the stage's entry that the given public path is linked to.
        extras: files or folders that an entry has, or may have by its settings, and no rule tracks; they are linked
            beside the first public path, under their own names.
        folder: the public path of ``manifest`` without its suffix is linked to the whole entry, too.
        sharded: the stage does part ``--shard i-of-n``.
        traced: the stage reports the provenance of everything upstream, which then belongs to its key.
        gpu: the stage computes with torch and uses a GPU where there is one.
        parallel: several processes may do it together, under ``torchrun``.
    """

    help: str
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=lambda: {"manifest": "manifest.csv"})
    extras: tuple[str, ...] = ()
    folder: bool = False
    sharded: bool = False
    traced: bool = False
    gpu: bool = False
    parallel: bool = False


_SOURCE = {"source_index": "index.csv of the source data set"}
_TARGET = {"target_index": "index.csv of the target data set"}
_STYLIZED = {"stylized": "shard manifests of the stylised source images; none = the raw images"}
_MODEL = {"model": "model.safetensors of the run"}
_SCORES = {"scores": "all shard manifests of the densities, posteriors, anchor gaps or confidences"}
_CELLS = {"cells": "shard manifests of extracted cell features"}
_FIGURE = {"png": "figure.png", "svg": "figure.svg"}

VERBS: dict[str, Verb] = {
    "render": Verb("render a synthetic street data set", folder=True),
    "index": Verb(
        "check a data set and list its images",
        inputs={"raw": "manifest of a rendered data set; none for a data set on disk"},
        outputs={"index": "index.csv"},
    ),
    "weights": Verb(
        "convert a file of pre-trained weights",
        inputs={"checkpoint": "the file as its authors distribute it"},
        outputs={"weights": "weights.safetensors", "report": "weights.report.json"},
    ),
    "stylize": Verb(
        "align the colours of source images with target images (GPA)",
        inputs=_SOURCE | _TARGET,
        folder=True,
        sharded=True,
    ),
    "train": Verb(
        "train one run's segmentation network",
        inputs=_SOURCE
        | _TARGET
        | _STYLIZED
        | {
            "transferability": "shard manifests of source transferability maps; none = weight 1",
            "pseudo_labels": "shard manifests of target label images; none = source only",
            "teacher": "model.safetensors of the teacher run; none unless distilling",
            "init_weights": "safetensors the backbone (init `teacher`: the network) starts from; none = random",
        },
        outputs={"model": "model.safetensors", "metrics": "metrics.csv"},
        extras=("validation.csv",),
        gpu=True,
        parallel=True,
    ),
    "features": Verb(
        "keep correctly classified source features per class",
        inputs=_SOURCE | _STYLIZED | _MODEL,
        folder=True,
        sharded=True,
        gpu=True,
    ),
    "source_prototypes": Verb(
        "fit a Gaussian mixture to each class's source features",
        inputs=_SOURCE | {"features": "shard manifests of the features"},
        folder=True,
        gpu=True,
    ),
    "extractor": Verb(
        "provide the network that judges transferability",
        inputs=_SOURCE | _TARGET | _STYLIZED | {"weights": "imported weights; none = pre-train here"},
        outputs={"model": "model.safetensors"},
        gpu=True,
    ),
    "extract": Verb(
        "features of a coarse grid of cells per image",
        inputs=_SOURCE | _TARGET | _STYLIZED | {"extractor": "model.safetensors of the extractor"},
        folder=True,
        sharded=True,
        gpu=True,
    ),
    "target_prototypes": Verb("cluster the target's cells (K-Means)", inputs=_CELLS, folder=True, gpu=True),
    "source_distances": Verb(
        "distance of each source cell to its nearest target prototype",
        inputs=_CELLS | {"centres": "manifest of the target prototypes"},
        folder=True,
    ),
    "class_entropy": Verb(
        "mean prediction entropy of each class on the target",
        inputs=_SOURCE | _TARGET | _MODEL,
        outputs={"entropy": "class_entropy.csv"},
        gpu=True,
    ),
    "transferability": Verb(
        "weight of each source pixel (STM)",
        inputs=_SOURCE | {"distances": "manifest of the source distances", "entropy": "class_entropy.csv of the run"},
        folder=True,
        sharded=True,
    ),
    "densities": Verb(
        "most likely class of each target pixel and its log density",
        inputs=_TARGET | _MODEL | {"prototypes": "manifest of the source prototypes"},
        folder=True,
        sharded=True,
        gpu=True,
    ),
    "posteriors": Verb(
        "most likely class of each target pixel and the log odds of its posterior",
        inputs=_TARGET | _MODEL | {"prototypes": "manifest of the source prototypes"},
        folder=True,
        sharded=True,
        gpu=True,
    ),
    "category_anchors": Verb(
        "mean feature of each class over the source images (CAG-UDA)",
        inputs=_SOURCE | {"features": "shard manifests of the features"},
        folder=True,
    ),
    "anchor_gaps": Verb(
        "nearest category anchor of each target pixel and the gap to the second",
        inputs=_TARGET | _MODEL | {"anchors": "manifest of the category anchors"},
        folder=True,
        sharded=True,
        gpu=True,
    ),
    "confidences": Verb(
        "most confident class of each target pixel and its probability",
        inputs=_TARGET | _MODEL,
        folder=True,
        sharded=True,
        gpu=True,
    ),
    "ias_thresholds": Verb("class thresholds of each target image (IAST)", inputs=_SCORES, folder=True),
    "pseudo_labels": Verb(
        "keep the labels of target pixels above the threshold",
        inputs=_SCORES | {"thresholds": "manifest of the images' thresholds; none = one for all"},
        folder=True,
        sharded=True,
    ),
    "pseudo_label_quality": Verb(
        "share and accuracy of pseudo-labels against held-back truth",
        inputs=_TARGET | {"pseudo_labels": "shard manifests of the pseudo-labels"},
        outputs={"quality": "quality.json"},
    ),
    "pseudo_label_curve": Verb(
        "quality of an assignment's labels against the share labelled",
        inputs=_TARGET | _SCORES,
        outputs={"curve": "curve.csv"},
    ),
    "predict": Verb(
        "label images of a run for one split of the target",
        inputs=_TARGET | _MODEL,
        folder=True,
        sharded=True,
        gpu=True,
    ),
    "evaluate": Verb(
        "per-class IoU and mIoU of predictions",
        inputs=_TARGET | {"predictions": "shard manifests of the predictions"},
        outputs={"evaluation": "evaluation.json"},
        traced=True,
    ),
    "overview": Verb(
        "one picture of what a run sees, labels and predicts",
        inputs=_SOURCE
        | _TARGET
        | _STYLIZED
        | {
            "transferability": "shard manifests of the transferability maps",
            "pseudo_labels": "shard manifests of the pseudo-labels",
            "predictions": "shard manifests of the predictions",
        },
        outputs={"overview": "overview.png"},
    ),
    "table": Verb(
        "runs side by side, as CSV, Markdown and LaTeX",
        inputs={
            "evaluations": "{run}.json of each row and seed, all seeds of a row in succession",
            "qualities": "pseudo-label quality of each row and seed; none unless thresholds are compared",
            "published": "figures of others; none unless some stand beside",
        },
        outputs={"csv": "table.csv", "markdown": "table.md", "latex": "table.tex"},
    ),
    "qualitative": Verb(
        "predictions of several runs beside the truth (the paper's Figure 4)",
        inputs=_TARGET | {"predictions": "shard manifests of the predictions, run by run"},
        outputs=_FIGURE,
    ),
    "label_comparison": Verb(
        "pseudo-labels of several assignments beside the truth (the paper's Figure 5)",
        inputs=_TARGET | {"pseudo_labels": "shard manifests of the pseudo-labels, assignment by assignment"},
        outputs=_FIGURE,
    ),
    "feature_embedding": Verb(
        "t-SNE of target features of confusable classes (the paper's Figure 6)",
        inputs=_TARGET | {"models": "model.safetensors of each run"},
        outputs=_FIGURE,
        gpu=True,
    ),
    "plot_learning_curves": Verb(
        "draw loss terms, learning rate and distance to the mean teacher",
        inputs={"metrics": "metrics.csv of the run"},
        outputs={"plot": "learning_curves.svg"},
    ),
    "plot_validation": Verb(
        "draw the IoU of each class over a training",
        inputs=_TARGET | {"metrics": "metrics.csv of the run, whose validation.csv lies beside it"},
        outputs={"plot": "validation.svg"},
    ),
    "plot_mixtures": Verb(
        "draw EM traces, component weights and nearest classes of the mixtures",
        inputs={"prototypes": "manifest of the source prototypes"},
        outputs={"plot": "mixtures.svg"},
    ),
    "plot_densities": Verb(
        "draw histograms of the log densities of target pixels, with the threshold",
        inputs={"scores": "all shard manifests of the densities"},
        outputs={"plot": "densities.svg"},
    ),
    "plot_label_curves": Verb(
        "draw quality of pseudo-labels against the share labelled",
        inputs={"curves": "{assignment}.curve.csv of each assignment"},
        outputs={"plot": "label_curves.svg"},
    ),
    "plot_transferability": Verb(
        "draw histograms of the weights of source pixels by class",
        inputs=_SOURCE | {"transferability": "all shard manifests of the transferability maps"},
        outputs={"plot": "transferability.svg"},
    ),
    "plot_clusters": Verb(
        "show the image cells nearest to each target prototype",
        inputs=_TARGET | _CELLS | {"centres": "manifest of the target prototypes"},
        outputs={"plot": "clusters.png"},
    ),
    "plots": Verb(
        "list the plots of a run and of all runs behind it",
        inputs={"files": "the plots"},
        outputs={"plots": "plots.csv"},
    ),
    "gallery": Verb(
        "pages that show a whole experiment",
        inputs=_SOURCE
        | _TARGET
        | _STYLIZED
        | {
            "transferability": "shard manifests of the transferability maps, judge after judge",
            "pseudo_labels": "shard manifests of the pseudo-labels, assignment after assignment",
            "scores": "shard manifests of what these were chosen by, in the same order",
            "predictions": "shard manifests of the predictions, run after run: the adapted split, then the scored one",
        },
        outputs={"page": "index.html"},
        extras=("files",),
    ),
}
