"""Written by hand: which jobs each leaf of the configuration concerns, and which jobs follow which.

Jobs are those of the small `gta` experiment with all six runs: ``rule``, or ``rule:what`` with the run (and the split),
the domain or the data set. A row names the jobs that read the leaf; what follows from them is in `FOLLOWERS`.
"""

from dataclasses import dataclass, field
from typing import Any

WARMUPS = ["source_only", "gpa", "gpa_stm"]
DISTILLED = ["bismap_distilled_round1", "bismap_distilled"]
RUNS = [*WARMUPS, "bismap", *DISTILLED]  # in the order of the method
SCORED = ("maps", "posterior", "cas", "ias", "softmax", "maps_round2", "posterior_round2")
STUDIED = ["gpa_maps", *(f"gpa_stm_{name}" for name in SCORED)]
TEACHERS = ["bismap", "bismap_distilled_round1"]  # their predictions are learnt from


def of(rule: str, runs: list[str], suffix: str = "") -> set[str]:
    return {f"{rule}:{run}{suffix}" for run in runs}


TRAIN = of("train", RUNS)
ADAPTED = of("train", ["bismap", *DISTILLED])  # those that see target images
WARM = of("train", WARMUPS)
DISTIL = of("train", DISTILLED)
RETRAIN = {"train:bismap"}
SCORES = of("predict", RUNS, ":val")
TEACHING = of("predict", TEACHERS, ":train")
OF_TRAIN = of("predict", RUNS, ":train")  # were the split that is adapted to scored, too
EVALUATE = of("evaluate", RUNS)
EXTRACT = {"extract:source", "extract:target"}
NOTHING: set[str] = set()

SOURCE_READERS = {"stylize", "extractor", "extract:source", "features:gpa_stm", "source_prototypes:gpa_stm",
                  "class_entropy:gpa", "transferability:gpa", "overview:bismap", *TRAIN}  # fmt: skip
TARGET_READERS = {"stylize", "extractor", "extract:target", "class_entropy:gpa", "densities:gpa_stm", "overview:bismap",
                  "pseudo_label_quality:gpa_stm", *ADAPTED, *SCORES, *TEACHING, *EVALUATE}  # fmt: skip

FOLLOWERS: dict[str, set[str]] = {
    "index:gta5": SOURCE_READERS,
    "index:cityscapes": TARGET_READERS,
    "stylize": {"extractor", "extract:source", "features:gpa_stm", "overview:bismap", *TRAIN} - {"train:source_only"},
    "extractor": EXTRACT | DISTIL,
    "extract:target": {"target_prototypes"},
    "extract:source": {"source_distances"},
    "target_prototypes": {"source_distances"},
    "source_distances": {"transferability:gpa"},
    "class_entropy:gpa": {"transferability:gpa"},
    "transferability:gpa": {"train:gpa_stm", "overview:bismap", *RETRAIN, *DISTIL},
    "features:gpa_stm": {"source_prototypes:gpa_stm"},
    "source_prototypes:gpa_stm": {"densities:gpa_stm"},
    "densities:gpa_stm": {"pseudo_labels:gpa_stm"},
    "pseudo_labels:gpa_stm": {"train:bismap", "pseudo_label_quality:gpa_stm", "overview:bismap"},
    "train:source_only": {"predict:source_only:val"},
    "train:gpa": {"class_entropy:gpa", "predict:gpa:val"},
    "train:gpa_stm": {"features:gpa_stm", "densities:gpa_stm", "predict:gpa_stm:val"},
    "train:bismap": {"predict:bismap:val", "predict:bismap:train", "train:bismap_distilled_round1"},
    "train:bismap_distilled_round1": {"predict:bismap_distilled_round1:val", "predict:bismap_distilled_round1:train",
                                      "train:bismap_distilled"},
    "train:bismap_distilled": {"predict:bismap_distilled:val"},
    "predict:bismap:train": {"train:bismap_distilled_round1", "overview:bismap"},
    "predict:bismap_distilled_round1:train": {"train:bismap_distilled"},
    **{f"predict:{run}:val": {f"evaluate:{run}"} for run in RUNS},
}  # fmt: skip


def with_followers(jobs: set[str]) -> set[str]:
    """The jobs and all that come after them."""
    found, todo = set(), set(jobs)
    while todo:
        job = todo.pop()
        found.add(job)
        todo |= FOLLOWERS.get(job, set()) - found
    return found


@dataclass(frozen=True)
class Flip:
    """Another value of a leaf.

    Attributes:
        value: the new value.
        jobs: those that read the leaf.
        also: other leaves that must change with it, for the configuration to make sense.
        lost: jobs that nothing asks for any more.
    """

    value: Any
    jobs: set[str]
    also: dict[str, Any] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


EVERYTHING = with_followers({"index:gta5", "index:cityscapes"})

TABLES = ("table1", "table3", "table4", "table5")
TABLE = {
    "kind": "ablation",
    "caption": "Something",
    "means": ["miou13"],
    "published": None,
    "rows": [{"label": "a", "run": "gpa"}],
}

# Leaves of an experiment; in config.yaml they may stand there or among the shared settings and runs.
EXPERIMENT = {
    "source.dataset": Flip("cityscapes", SOURCE_READERS),
    "source.split": Flip("val", SOURCE_READERS, {"source.dataset": "cityscapes"}),
    "target.dataset": Flip("gta5", (TARGET_READERS - SCORES) | OF_TRAIN, {"target.evaluate": "train"}, lost=SCORES),
    "target.adapt": Flip("val", {"stylize", "extractor", "extract:target", "class_entropy:gpa", "densities:gpa_stm",
                                 "pseudo_label_quality:gpa_stm", "overview:bismap", *ADAPTED}, lost=TEACHING),
    "target.evaluate": Flip("train", OF_TRAIN | EVALUATE, lost=SCORES),
    "seed": Flip(2, {"stylize", "features:gpa_stm", "source_prototypes:gpa_stm", "extractor", "target_prototypes",
                     "overview:bismap", *TRAIN, *EVALUATE}),
    "device": Flip("auto", NOTHING),
    "shard_images": Flip(3, NOTHING),
    "subsets.miou19": Flip(["road", "sky"], EVALUATE),
    "subsets.miou16": Flip(["sky", "road"], EVALUATE),
    "subsets.miou13": Flip([], EVALUATE),
    "starts.imagenet": Flip("extractor", of("train", [*WARMUPS, "bismap"])),
    "starts.simclr": Flip("random", DISTIL),
    "settings.stylize.beta": Flip(0.010000001, {"stylize"}),
    "settings.stylize.fit_stride": Flip(8, {"stylize"}),
    "settings.stylize.png_compress_level": Flip(2, {"stylize"}),
    "settings.network.backbone": Flip("resnet50", TRAIN, {"settings.network.width": None, "starts.simclr": "random"}),
    "settings.network.width": Flip(16, TRAIN, {"starts.simclr": "random"}),
    "settings.network.output_stride": Flip(32, TRAIN),
    "settings.network.aspp_channels": Flip(24, TRAIN),
    "settings.network.aspp_rates": Flip([1, 3, 2], TRAIN),
    "settings.network.low_level_channels": Flip(4, TRAIN),
    "settings.network.decoder_channels": Flip(24, TRAIN),
    "settings.network.dropout": Flip(0.2, TRAIN),
    "settings.training.warmup.iterations": Flip(41, WARM),
    "settings.training.warmup.lr": Flip(0.04, WARM),
    "settings.training.warmup.batch_source": Flip(3, WARM),
    "settings.training.retrain.iterations": Flip(7, RETRAIN),
    "settings.training.retrain.lr": Flip(0.04, RETRAIN),
    "settings.training.retrain.batch_source": Flip(3, RETRAIN),
    "settings.training.retrain.batch_target": Flip(3, RETRAIN),
    "settings.training.distill.iterations": Flip(7, DISTIL),
    "settings.training.distill.lr": Flip(0.04, DISTIL),
    "settings.training.distill.batch_source": Flip(3, DISTIL),
    "settings.training.distill.batch_target": Flip(3, DISTIL),
    "settings.training.head_lr_factor": Flip(2.0, TRAIN),
    "settings.training.momentum": Flip(0.8, TRAIN),
    "settings.training.weight_decay": Flip(5.1e-4, TRAIN),
    "settings.training.warmup_iterations": Flip(3, TRAIN),
    "settings.training.power": Flip(0.9000000000000001, TRAIN),
    "settings.training.eta_min": Flip(2.0e-7, TRAIN),
    "settings.training.crop": Flip([32, 64], TRAIN),
    "settings.training.scale": Flip([0.8, 1.25], TRAIN),
    "settings.training.source_jitter.hue": Flip(0.1, TRAIN),
    "settings.training.source_jitter.brightness": Flip(0.4, TRAIN),
    "settings.training.source_jitter.saturation": Flip(0.4, TRAIN),
    "settings.training.source_jitter.contrast": Flip(0.4, TRAIN),
    "settings.training.target_jitter.hue": Flip(0.2, ADAPTED),
    "settings.training.target_jitter.brightness": Flip(0.2, ADAPTED),
    "settings.training.target_jitter.saturation": Flip(0.4, ADAPTED),
    "settings.training.target_jitter.contrast": Flip(0.4, ADAPTED),
    "settings.training.sce.ce_weight": Flip(1.0, ADAPTED, {"settings.training.sce.rce_weight": 0.1}),  # swapped
    "settings.training.sce.rce_weight": Flip(0.9, ADAPTED),
    "settings.training.sce.one_hot_floor": Flip(1.0e-5, ADAPTED),
    "settings.training.sce.prediction_floor": Flip(1.0e-6, ADAPTED),
    "settings.training.consistency.weight": Flip(20.0, RETRAIN),
    "settings.training.consistency.reduction": Flip("sum", RETRAIN),
    "settings.training.consistency.rampup_iterations": Flip(0, RETRAIN),
    "settings.training.consistency.ema_decay": Flip(0.99, RETRAIN),
    "settings.training.consistency.strong_view": Flip("teacher", RETRAIN),
    "settings.training.consistency.strong.operations": Flip(1, RETRAIN),
    "settings.training.consistency.strong.probability": Flip(0.4, RETRAIN),
    "settings.training.consistency.strong.cutout": Flip(0.1, RETRAIN),
    "settings.training.distillation.weight": Flip(2.0, DISTIL),
    "settings.training.distillation.kd_form": Flip("released", DISTIL),
    "settings.training.precision": Flip("fp32", TRAIN),
    "settings.training.log_every": Flip(3, TRAIN),
    "settings.training.save_every": Flip(2, NOTHING),
    "settings.training.validate_every": Flip(3, TRAIN),
    "settings.training.tensorboard": Flip(True, NOTHING),
    "settings.features.samples_per_class": Flip(150, {"features:gpa_stm", "source_prototypes:gpa_stm"}),
    "settings.features.pool": Flip({"size": 50, "keep": [0.5] * 19}, {"features:gpa_stm"}),
    "settings.features.precision": Flip("fp32", {"features:gpa_stm"}),
    "settings.source_prototypes.components": Flip(3, {"source_prototypes:gpa_stm"}),
    "settings.source_prototypes.covariance": Flip("tied", {"source_prototypes:gpa_stm"}),
    "settings.source_prototypes.reg_covar": Flip(2.0e-6, {"source_prototypes:gpa_stm"}),
    "settings.source_prototypes.tolerance": Flip(2.0e-3, {"source_prototypes:gpa_stm"}),
    "settings.source_prototypes.max_steps": Flip(50, {"source_prototypes:gpa_stm"}),
    "settings.extractor.network.backbone": Flip(
        "resnet50", {"extractor"}, {"settings.extractor.network.width": None, "starts.simclr": "random"}
    ),
    "settings.extractor.network.max_pool_padding": Flip("torch", {"extractor"}),
    "settings.extractor.network.width": Flip(16, {"extractor"}, {"starts.simclr": "random"}),
    "settings.extractor.output_stride": Flip(32, {"extractor"}),
    "settings.extractor.normalize": Flip("none", {"extractor"}),
    "settings.extractor.input_size": Flip([64, 48], {"extractor", *EXTRACT}),
    "settings.extractor.grid": Flip([4, 2], EXTRACT),
    "settings.extractor.batch": Flip(16, EXTRACT),
    "settings.extractor.pretrain.iterations": Flip(5, {"extractor"}),
    "settings.extractor.pretrain.batch": Flip(8, {"extractor"}),
    "settings.extractor.pretrain.window": Flip(20, {"extractor"}),
    "settings.extractor.pretrain.crop": Flip(20, {"extractor"}),
    "settings.extractor.pretrain.min_area": Flip(0.5, {"extractor"}),
    "settings.extractor.pretrain.jitter": Flip(0.4, {"extractor"}),
    "settings.extractor.pretrain.temperature": Flip(0.5, {"extractor"}),
    "settings.extractor.pretrain.projection": Flip(16, {"extractor"}),
    "settings.extractor.pretrain.lr": Flip(2.0e-3, {"extractor"}),
    "settings.extractor.pretrain.weight_decay": Flip(2.0e-4, {"extractor"}),
    "settings.target_prototypes.clusters": Flip(4, {"target_prototypes"}),
    "settings.target_prototypes.iterations": Flip(6, {"target_prototypes"}),
    "settings.target_prototypes.redos": Flip(2, {"target_prototypes"}),
    "settings.densities.density_offset": Flip(-4000.0, {"densities:gpa_stm"}),
    "settings.densities.density_step": Flip(0.25, {"densities:gpa_stm"}),
    "settings.pseudo_labels.maps.density": Flip(
        -50.0, {"pseudo_labels:gpa_stm"}, {"settings.pseudo_labels.maps.share": None}
    ),
    "settings.pseudo_labels.maps.share": Flip(0.5, {"pseudo_labels:gpa_stm"}),
    "settings.source_distances.upsample": Flip(2, {"source_distances"}),
    "settings.source_distances.mean": Flip("running", {"source_distances"}),
    "settings.class_entropy.constants": Flip([0.1 * c for c in range(19)], {"class_entropy:gpa"}),
    "settings.posteriors.smoothing": Flip(1.0, NOTHING),  # no run asks for these
    "settings.pseudo_labels.posterior.odds": Flip(1.0, NOTHING, {"settings.pseudo_labels.posterior.share": None}),
    "settings.pseudo_labels.posterior.share": Flip(0.5, NOTHING),
    "settings.pseudo_labels.cas.gap": Flip(2.0, NOTHING),
    "settings.pseudo_labels.cas.share": Flip(0.5, NOTHING, {"settings.pseudo_labels.cas.gap": None}),
    "settings.pseudo_labels.softmax.confidence": Flip(0.8, NOTHING),
    "settings.pseudo_labels.softmax.share": Flip(0.5, NOTHING, {"settings.pseudo_labels.softmax.confidence": None}),
    "settings.pseudo_labels.ias.initial": Flip(0.8, NOTHING),
    "settings.pseudo_labels.ias.alpha": Flip(0.3, NOTHING),
    "settings.pseudo_labels.ias.beta": Flip(0.8, NOTHING),
    "settings.pseudo_labels.ias.gamma": Flip(4.0, NOTHING),
    "settings.pseudo_labels.ias.batch": Flip(4, NOTHING),
    "settings.predict.evaluate.scales": Flip([1.0, 1.25], SCORES),
    "settings.predict.evaluate.flip": Flip(True, SCORES),
    "settings.predict.teach.scales": Flip([1.0, 0.75], TEACHING),
    "settings.predict.teach.flip": Flip(False, TEACHING),
    "settings.predict.precision": Flip("fp32", SCORES | TEACHING),
    "settings.overview.images": Flip(1, {"overview:bismap"}),
    "settings.overview.thumb_width": Flip(80, {"overview:bismap"}),
    # Of tables and figures, which nothing asks for here (test_tables.py does): they concern nothing else.
    "settings.qualitative.runs": Flip(["gpa"], NOTHING),
    "settings.qualitative.images": Flip(["x"], NOTHING),
    "settings.label_comparison.run": Flip("gpa", NOTHING),
    "settings.label_comparison.assignments": Flip(["maps"], NOTHING),
    "settings.label_comparison.images": Flip(3, NOTHING),
    "settings.feature_embedding.runs": Flip(["gpa"], NOTHING),
    "settings.feature_embedding.classes": Flip(["car", "road"], NOTHING),
    "settings.feature_embedding.samples_per_class": Flip(8, NOTHING),
    "table_seeds": Flip([1, 2], NOTHING),
    **{f"tables.{name}.{leaf}": Flip(value, NOTHING) for name in TABLES for leaf, value in TABLE.items()},
    "settings.gallery.runs": Flip(["gpa", "gpa_stm"], NOTHING),  # nothing asks for the gallery here
    "settings.gallery.source_images": Flip(3, NOTHING),
    "settings.gallery.width": Flip(80, NOTHING),
    "runs.source_only.objective": Flip(
        "distill", {"train:source_only", "predict:gpa:train"}, {"runs.source_only.teacher": "gpa"}
    ),
    "runs.source_only.source": Flip("stylized", {"train:source_only"}),
    "runs.source_only.transferability": Flip("gpa", {"train:source_only"}),
    "runs.source_only.teacher": Flip(
        "gpa_stm", {"train:source_only", "predict:gpa_stm:train"}, {"runs.source_only.objective": "distill"}
    ),
    "runs.source_only.init": Flip("simclr", {"train:source_only"}),
    "runs.gpa.source": Flip("raw", {"train:gpa"}),
    "runs.gpa.init": Flip("simclr", {"train:gpa"}),
    "runs.gpa_stm.source": Flip("raw", {"train:gpa_stm", "features:gpa_stm"}),
    "runs.gpa_stm.transferability": Flip(None, {"train:gpa_stm"}),
    "runs.gpa_stm.init": Flip("simclr", {"train:gpa_stm"}),
    "runs.bismap.objective": Flip(
        "distill", {"train:bismap", "predict:gpa_stm:train", "overview:bismap"},
        {"runs.bismap.assignment": None, "runs.bismap.consistency": False},
    ),
    "runs.bismap.source": Flip("raw", {"train:bismap", "overview:bismap"}),
    "runs.bismap.transferability": Flip(None, {"train:bismap", "overview:bismap"}),
    "runs.bismap.teacher": Flip("gpa", {"train:bismap", "overview:bismap", "features:gpa", "source_prototypes:gpa",
                                        "densities:gpa", "pseudo_labels:gpa"}),
    "runs.bismap.consistency": Flip(False, {"train:bismap"}),
    "runs.bismap.init": Flip("simclr", {"train:bismap"}),
    "runs.bismap_distilled_round1.source": Flip("raw", {"train:bismap_distilled_round1"}),
    "runs.bismap_distilled_round1.transferability": Flip(None, {"train:bismap_distilled_round1"}),
    "runs.bismap_distilled_round1.teacher": Flip("gpa", {"train:bismap_distilled_round1", "predict:gpa:train"}),
    "runs.bismap_distilled_round1.init": Flip("teacher", {"train:bismap_distilled_round1"}),
    "runs.bismap_distilled.source": Flip("raw", {"train:bismap_distilled"}),
    "runs.bismap_distilled.transferability": Flip(None, {"train:bismap_distilled"}),
    "runs.bismap_distilled.teacher": Flip("bismap", {"train:bismap_distilled"},
                                          lost={"predict:bismap_distilled_round1:train"}),
    "runs.bismap_distilled.init": Flip("imagenet", {"train:bismap_distilled"}),
}  # fmt: skip

# The other leaves that concern it, with their full path.
SHARED = {
    "rerun_on_new_packages": Flip(True, EVERYTHING),
    "datasets.gta5.root": Flip("data/../data/gta5", NOTHING),
    "datasets.gta5.size": Flip([96, 54], {"features:gpa_stm", "transferability:gpa", *TRAIN}),
    "datasets.gta5.scale_reference_width": Flip(90, TRAIN),
    "datasets.gta5.missing_pairs": Flip(["17705"], {"index:gta5"}),
    "datasets.cityscapes.root": Flip("./data/cityscapes", NOTHING),
    "datasets.cityscapes.size": Flip(
        [96, 54], {"class_entropy:gpa", "densities:gpa_stm", *ADAPTED, *SCORES, *TEACHING}
    ),
    "datasets.cityscapes.scale_reference_width": Flip(90, ADAPTED),
    "datasets.cityscapes.missing_pairs": Flip(["x"], {"index:cityscapes"}),
}

# Leaves that cannot be flipped alone in this experiment, and where they are tested.
ELSEWHERE = {
    "settings.plots.assignments": "no run asks for plots: test_plots.py",
    "settings.extractor.weights": "takes a weights file: test_other_sources.py",
    "datasets.gta5.layout": "takes a data set of another layout: test_other_sources.py",
    "datasets.cityscapes.layout": "takes a data set of another layout: test_other_sources.py",
    "datasets.gta5.render": "takes no folder: test_other_sources.py",
    "datasets.cityscapes.render": "takes no folder: test_other_sources.py",
    **{f"runs.{run}.objective": "as of source_only and bismap" for run in ("gpa", "gpa_stm", *DISTILLED)},
    **{f"runs.{run}.teacher": "as of source_only" for run in ("gpa", "gpa_stm")},
    "runs.gpa.transferability": "gpa would weigh its own training: refused",
    **{f"runs.{run}.assignment": "has one value, or none" for run in RUNS},
    **{f"runs.{run}.consistency": "goes with `retrain` only" for run in RUNS if run != "bismap"},
    **{f"runs.{run}.{leaf}": "of the study: nothing asks for it here, and bismap is its like" for run in STUDIED
       for leaf in ("objective", "source", "transferability", "teacher", "assignment", "consistency", "init")},
}  # fmt: skip
