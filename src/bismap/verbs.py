"""The stages as the command line and the rules know them: inputs, outputs, shards. Cheap to import."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verb:
    """What a stage takes and gives.

    Attributes:
        help: one line for ``bismap --help``.
        inputs: flag -> what it is. Each flag takes any number of files.
        outputs: flag -> file of the stage's entry that the given public path is linked to.
        folder: the public path of ``manifest`` without its suffix is linked to the whole entry, too.
        beside: parts of the entry that are linked beside the outputs' public paths under their own names, where a
            page looks for them.
        sharded: the stage does part ``--shard i-of-n``.
        traced: the stage reports the provenance of everything upstream, which then belongs to its key.
        gpu: the stage computes with torch and uses a GPU where there is one.
        parallel: several processes may do it together, under ``torchrun``.
    """

    help: str
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=lambda: {"manifest": "manifest.csv"})
    folder: bool = False
    beside: tuple[str, ...] = ()
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
        beside=("files",),
    ),
}
