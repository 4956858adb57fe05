"""Settings of the stages. The values stand in config.yaml; here is what each one means."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from bismap.config.base import Count, Positive, Section, Share, Size
from bismap.config.looking import FeatureEmbedding, Gallery, LabelComparison, Overview, Plots, Qualitative

Precision = Annotated[
    Literal["bf16", "fp16", "fp32"],
    Field(description="number format of the forward pass on CUDA; a CPU takes fp32"),
]


class Stylize(Section):
    """Global Photometric Alignment."""

    beta: float = Field(ge=0, description="pull of gamma towards 1, no unit [GPA; A§1]")
    fit_stride: Count = Field(description="every n-th pixel of each direction serves the fit of gamma [A§1]")
    png_compress_level: int = Field(ge=0, le=9, description="zlib level of the written images; no loss at any")


class Network(Section):
    """DeepLab-V3+ (A§2.1)."""

    backbone: Literal["resnet101", "resnet50", "small"] = Field(description="the residual network underneath")
    width: Count | None = Field(description="channels of the small backbone's first layer; null for the others")
    output_stride: Literal[16, 32] = Field(description="stride of the backbone's last map, pixels [A§2.1]")
    aspp_channels: Count = Field(description="channels of each branch of the atrous pyramid [A§2.1]")
    aspp_rates: tuple[Count, Count, Count] = Field(description="dilations of its 3x3 branches [A§2.1]")
    low_level_channels: Count = Field(description="channels kept of the stride-4 map [A§2.1]")
    decoder_channels: Count = Field(description="length of the features that the mixtures model [A§2.1]")
    dropout: Share = Field(description="share of feature channels dropped before the classifier [A§2.1]")

    @model_validator(mode="after")
    def _width_belongs_to_small(self) -> "Network":
        if (self.backbone == "small") != (self.width is not None):
            raise ValueError("width: set it for the `small` backbone, and for no other")
        return self


class Jitter(Section):
    """Greatest change of each colour property; each is changed in every sample (A§2.3)."""

    hue: float = Field(ge=0, le=0.5, description="shift drawn from [-hue, hue], turns of the colour circle")
    brightness: Share = Field(description="factor drawn from [1 - x, 1 + x]")
    saturation: Share = Field(description="factor drawn from [1 - x, 1 + x]")
    contrast: Share = Field(description="factor drawn from [1 - x, 1 + x]")


class SourceSteps(Section):
    """The steps of an objective without target images."""

    iterations: Count = Field(description="optimiser steps [A§2.2]")
    lr: Positive = Field(description="learning rate of the backbone [A§2.2]")
    batch_source: Count = Field(description="source crops a step [A§2.2]")


class BothSteps(SourceSteps):
    """The steps of an objective with target images."""

    batch_target: Count = Field(description="target crops a step [A§2.2]")


class SymmetricCrossEntropy(Section):
    """Loss on target labels (A§7)."""

    ce_weight: float = Field(ge=0, description="weight of the cross-entropy, alpha [A§7]")
    rce_weight: float = Field(ge=0, description="weight of the reverse cross-entropy, beta [A§7]")
    one_hot_floor: Positive = Field(description="least value of the one-hot label [A§7]")
    prediction_floor: Positive = Field(description="least probability [A§7]")


class Strong(Section):
    """The strongly changed view: RandAugment on colours, CutOut (A§7)."""

    operations: int = Field(ge=0, description="colour operations drawn per image [A§7]")
    probability: Share = Field(description="chance that a drawn operation is applied [A§7]")
    cutout: Share = Field(description="side of the black square, share of the crop's width [A§7]")


class Consistency(Section):
    """Agreement of the student with a mean teacher on target images (Eq. 12, A§7)."""

    weight: float = Field(ge=0, description="lambda; the paper's 20 goes with `sum` [A§14.1 row 1]")
    reduction: Literal["mean_classes", "sum"] = Field(
        description="divergence averaged (released code) or summed (paper) over classes [A§14.1 row 1]"
    )
    rampup_iterations: int = Field(ge=0, description="steps over which the term is faded in; 0: none [A§7]")
    ema_decay: Share = Field(description="share of the mean teacher that a step keeps [A§7]")
    strong_view: Literal["student", "teacher"] = Field(
        description="who sees the strong view: student (released code) or teacher (paper) [A§14.1 row 2]"
    )
    strong: Strong


class Distillation(Section):
    """Agreement with the previous run's model (A§8.1)."""

    weight: float = Field(ge=0, description="weight of the term [A§8.1]")
    kd_form: Literal["kl", "released"] = Field(
        description="true divergence, or the released code's formula, which is none [A§14.1 row 8]"
    )


class Training(Section):
    """What every run's training shares."""

    warmup: SourceSteps
    retrain: BothSteps
    distill: BothSteps
    head_lr_factor: Positive = Field(description="the head's learning rate over the backbone's [A§14.1 row 6]")
    momentum: Share = Field(description="of SGD [A§2.2]")
    weight_decay: float = Field(ge=0, description="of SGD [A§2.2]")
    warmup_iterations: int = Field(ge=0, description="steps of linear increase from 0 [A§14.1 row 6]")
    power: Positive = Field(description="of the polynomial decay [A§2.2]")
    eta_min: float = Field(ge=0, description="learning rate at the end [A§14.1 row 6]")
    crop: Size = Field(description="width and height of the training crops, pixels [A§2.3]")
    scale: tuple[Positive, Positive] = Field(
        description="range of the random scale, times the data set's scale_reference_width [A§2.3]"
    )
    source_jitter: Jitter
    target_jitter: Jitter
    sce: SymmetricCrossEntropy
    consistency: Consistency
    distillation: Distillation
    precision: Precision
    log_every: Count = Field(description="steps between lines of the learning curve")
    save_every: Count = Field(description="steps between saved states: what a killed job loses at most")
    validate_every: Count | None = Field(
        description="steps between measured IoUs on the evaluation split (validation.csv); null: none"
    )
    tensorboard: bool = Field(description="write TensorBoard's event files below results/logs/, too")

    @model_validator(mode="after")
    def _scale_is_a_range(self) -> "Training":
        if self.scale[0] > self.scale[1]:
            raise ValueError("scale: the first number must not exceed the second")
        return self


class Pool(Section):
    """The images that a class's features are taken from, as the released code does (A§3)."""

    size: Count = Field(description="thinned features of a class after which no other image adds any [A§3]")
    keep: tuple[Share, ...] = Field(description="share of a class's features that thinning leaves, by class [A§3]")


class Features(Section):
    """Source features for the mixtures."""

    samples_per_class: Count = Field(description="at most so many features of a class in the end [A§3]")
    pool: Pool | None = Field(description="null: all images' features count alike [A§14.1 row 12]")
    precision: Precision


class SourcePrototypes(Section):
    """Gaussian mixtures of source features, the MAPs (Eq. 4-5, A§4)."""

    components: Count = Field(description="Gaussians per class, K [A§4]")
    covariance: Literal["diagonal", "spherical", "tied"] = Field(
        description="each component's own diagonal (the MAPs), one variance each, or one diagonal for all of a class"
    )
    reg_covar: Positive = Field(description="added to every variance [A§4]")
    tolerance: Positive = Field(description="EM stops when the mean log-likelihood gains less, nat [A§4]")
    max_steps: Count = Field(description="EM steps at most [A§4]")


class Pretrain(Section):
    """SimCLR-style pre-training of a small extractor on the experiment's own unlabelled images."""

    iterations: Count = Field(description="optimiser steps")
    batch: Count = Field(description="windows a step, half of each domain, two views each")
    window: Count = Field(description="side of the square both views lie in, pixels of the shrunk image")
    crop: Count = Field(description="side that a view is resized to, pixels")
    min_area: Share = Field(description="smallest share of the window that a view covers")
    jitter: float = Field(ge=0, description="strength of the colour jitter, SimCLR's s")
    temperature: Positive = Field(description="tau of NT-Xent")
    projection: Count = Field(description="output length of the projection head")
    lr: Positive = Field(description="AdamW's learning rate at the start; cosine decay to 0")
    weight_decay: float = Field(ge=0, description="AdamW's weight decay")


class ExtractorNetwork(Section):
    """Backbone of the extractor; what is null is not handed on."""

    backbone: Literal["resnet101", "resnet50", "small", "simclr_resnet152"] = Field(description="its residual network")
    max_pool_padding: Literal["same", "torch"] | None = Field(
        default=None, description="of simclr_resnet152, after the file's origin; for the others of no effect [A§6]"
    )
    width: Count | None = Field(default=None, description="channels of the small backbone's first layer")

    @model_validator(mode="after")
    def _backbone_has_what_it_needs(self) -> "ExtractorNetwork":
        if (self.backbone == "small") != (self.width is not None):
            raise ValueError("width: set it for the `small` backbone, and for no other")
        # Others may have it: an experiment's own network is laid over the shared one, which needs it.
        if self.backbone == "simclr_resnet152" and self.max_pool_padding is None:
            raise ValueError("max_pool_padding: `simclr_resnet152` needs it")
        return self

    @model_serializer(mode="wrap")
    def _without_nulls(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class Extractor(Section):
    """The network E-hat that judges transferability (Eq. 7, A§6)."""

    weights: str | None = Field(description="name under `weights`; null: pre-train a small one here")
    network: ExtractorNetwork
    output_stride: Literal[16, 32] = Field(description="stride of its last map, pixels [A§6]")
    normalize: Literal["none", "imagenet"] = Field(description="input in [0, 1], or less mean over std [A§6]")
    input_size: Size = Field(description="width and height that images are shrunk to, pixels [A§6]")
    grid: tuple[Count, Count] = Field(description="rows and columns of cells per image [A§6]")
    batch: Count = Field(description="images a forward pass")
    pretrain: Pretrain | None

    @model_validator(mode="after")
    def _weights_or_pretraining(self) -> "Extractor":
        if (self.weights is None) == (self.pretrain is None):
            raise ValueError("give either `weights` or `pretrain`, and null for the other")
        return self

    @model_validator(mode="after")
    def _stride_fits(self) -> "Extractor":
        if self.network.backbone == "simclr_resnet152" and self.output_stride != 32:
            raise ValueError(f"output_stride: `simclr_resnet152` has 32 only (got {self.output_stride})")
        return self


class TargetPrototypes(Section):
    """K-Means of the target's cells by FAISS (A§6)."""

    clusters: Count = Field(description="number of prototypes, J [A§6]")
    iterations: Count = Field(description="Lloyd steps")
    redos: Count = Field(description="starts; the best by inertia is kept [A§6]")


class SourceDistances(Section):
    """Distance of the source's cells to the target prototypes (Eq. 9)."""

    upsample: Count = Field(description="points per cell and direction that features are upsampled to; 1: none [A§6]")
    mean: Literal["exact", "running"] = Field(
        description="d_mean over the whole source set, or the released code's running mean [A§14.1 row 3]"
    )


class ClassEntropy(Section):
    """Mean prediction entropy of each class on the target (Eq. 8)."""

    constants: tuple[float, ...] | None = Field(
        description="the entropies, in the order of the classes; null: computed [A§14.1 row 10]"
    )


class Densities(Section):
    """Log densities of target pixels, stored as 16-bit numbers (Eq. 4-5, A§5)."""

    density_offset: float = Field(description="log density of the stored value 0, nat; lower ones are clipped")
    density_step: Positive = Field(description="log density between two stored values, nat")


class Posteriors(Section):
    """Log odds of the most likely class's posterior."""

    smoothing: float = Field(ge=0, description="added to every variance, times the mean variance within a class")


class Threshold(Section):
    """Which target pixels keep a label (Eq. 6): give the least score or the share."""

    share: float | None = Field(gt=0, le=1, description="share of the target set's pixels to keep; null: by the score")

    @model_validator(mode="after")
    def _one_threshold(self) -> "Threshold":
        (score,) = type(self).model_fields.keys() - {"share"}
        if (getattr(self, score) is None) == (self.share is None):
            raise ValueError(f"give either `{score}` or `share`, and null for the other")
        return self


class Maps(Threshold):
    """BiSMAP: by the log density of the class's mixture (A§5)."""

    density: float | None = Field(description="delta: least log density, nat; null where `share` is given [A§4]")


class Posterior(Threshold):
    """By the log odds of the class's posterior."""

    odds: float | None = Field(description="least log odds, nat; null where `share` is given")


class Cas(Threshold):
    """CAG-UDA: by the gap between the nearest and the second nearest category anchor (A§9)."""

    gap: float | None = Field(gt=0, description="least gap of the distances; null where `share` is given [A§9]")


class Softmax(Threshold):
    """By the greatest probability."""

    confidence: float | None = Field(gt=0, le=0.9999, description="least probability; null where `share` is given")


class Ias(Section):
    """IAST: by class thresholds that follow the images (A§10)."""

    initial: float = Field(gt=0, lt=1, description="first threshold of every class [A§10]")
    alpha: Share = Field(description="share of a class's pixels to keep where its threshold is 1 [A§10]")
    beta: Share = Field(description="share of its old value that a threshold keeps [A§10]")
    gamma: float = Field(ge=0, description="how much less is kept of a class whose threshold is low [A§10]")
    batch: Count = Field(description="images between two updates [A§10]")


class PseudoLabels(Section):
    """How each assignment chooses the target pixels that keep a label."""

    maps: Maps
    posterior: Posterior
    cas: Cas
    softmax: Softmax
    ias: Ias


class Views(Section):
    """Test-time views that a prediction averages."""

    scales: tuple[Positive, ...] = Field(min_length=1, description="factors on the nominal size [A§8.1]")
    flip: bool = Field(description="average with the mirrored image, too [A§8.1]")


class Predict(Section):
    """Prediction of label images."""

    evaluate: Views = Field(description="views for the evaluation split [A§7]")
    teach: Views = Field(description="views for the labels a student learns from [A§8.1]")
    precision: Precision


class Settings(Section):
    """All settings of an experiment's stages."""

    stylize: Stylize
    network: Network
    training: Training
    features: Features
    source_prototypes: SourcePrototypes
    extractor: Extractor
    target_prototypes: TargetPrototypes
    source_distances: SourceDistances
    class_entropy: ClassEntropy
    densities: Densities
    posteriors: Posteriors
    pseudo_labels: PseudoLabels
    predict: Predict
    overview: Overview
    qualitative: Qualitative
    label_comparison: LabelComparison
    feature_embedding: FeatureEmbedding
    plots: Plots
    gallery: Gallery
