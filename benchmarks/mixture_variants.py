"""Other ways to score target pixels by mixtures, beside the paper's, on finished experiments.

    python benchmarks/mixture_variants.py DATA FOLDER [FOLDER ...]

FOLDER is an experiment's, e.g. results/study_demo-s201, with `gpa_stm/features`; run from the folder that holds
config.yaml. Mixtures are fitted anew for each variant and judged on the target's features at their own stride of 4,
against the truth by nearest neighbour: that is quicker than full resolution, and the same for all. Rows go to
docs/study/variants.csv under the name DATA: at each labelled share its threshold, accuracy, mean IoU of all classes and
of the tail's.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from experiment import Finished
from numpy.typing import NDArray
from study_data import VARIANTS, replace
from torch import Tensor

from bismap.data.images import read_image, resize_label
from bismap.data.shards import folder
from bismap.evaluation.label_curves import head_classes, quality
from bismap.extractor.images import domain_images
from bismap.models.inference import features_and_logits
from bismap.models.weights import load_network
from bismap.prototypes.class_fits import fit_class
from bismap.prototypes.feature_store import STORE, gather, open_all
from bismap.prototypes.features import MAX_KEY, extract_features, nearest_label, read_samples
from bismap.prototypes.mixtures import Mixture, Mixtures, polynomials
from bismap.pseudo_labels.posterior import smoothed

SHARES = tuple(step / 10 for step in range(1, 11))
FIT = {"components": 8, "covariance": "diagonal", "reg_covar": 1e-6, "tolerance": 1e-3, "max_steps": 100}
TRIED_K = (1, 2, 4, 8, 16)
FEW = 50
"""Samples below which a class's features are not split to choose K: it gets one component."""
SMOOTHINGS = (0.5, 1.0, 2.0, 4.0, 8.0)
PRIOR_SAMPLES = 100.0
"""Samples that the shrunk covariance counts for the variance pooled over classes."""

Samples = Sequence[NDArray[np.float16]]


@dataclasses.dataclass(frozen=True)
class Case:
    """Features of both sides: by class of the source [n, d], of the target [m, d] with truth [m]."""

    seed: int
    samples: Samples
    every: Samples
    prior: NDArray[np.float64]
    target: Tensor
    truth: NDArray[np.uint8]


def load(done: Finished) -> Case:
    """The sample the workflow took, and every correct feature there is."""
    source, scope = done.source, done.scope
    classes, seed = len(source.classes), scope.seed
    network = load_network(done.folder / "gpa_stm/model.safetensors", "cpu", source.classes.names)
    stores = open_all([folder(path) / STORE for path in done.shards("gpa_stm/features")], classes)
    limit = scope.settings.features.samples_per_class
    items = source.items(scope.split("source"))
    images = dict(domain_images(source, scope.split("source"), done.shards("stylized")))
    size = tuple(scope.config.datasets[scope.experiment.source.dataset].size)
    every = extract_features(
        network,
        read_samples(source, items, images, size, 1),
        [MAX_KEY] * classes,
        samples_per_class=10**9,
        seed=seed,
        precision="fp32",
    )
    pixels = np.sum([item.pixels for item in items], 0)
    return Case(
        seed,
        [gather(stores, c, limit) for c in range(classes)],
        [kept.features for kept in every.kept],
        pixels / pixels.sum(),
        *_target(done, network),
    )


@torch.inference_mode()
def _target(done: Finished, network: torch.nn.Module) -> tuple[Tensor, NDArray[np.uint8]]:
    dataset, scope = done.target, done.scope
    size = tuple(scope.config.datasets[scope.experiment.target.dataset].size)
    features, truth = [], []
    for item in dataset.items(scope.split("adapt")):
        maps, _ = features_and_logits(network, torch.from_numpy(read_image(item.image, size))[None], "fp32")
        features.append(maps[0].permute(1, 2, 0).flatten(0, 1))
        truth.append(nearest_label(resize_label(dataset.read_label(item), size), *maps.shape[2:]).ravel())
    return torch.cat(features).double(), np.concatenate(truth)


def fit(samples: Samples, seed: int, **changes: object) -> Mixtures:
    fits = [fit_class(one, FIT | changes | {"seed": seed}, device="cpu", threads=1).fit for one in samples]
    return Mixtures.of([found.mixture if found else None for found in fits])


def fit_chosen(samples: Samples, seed: int) -> Mixtures:
    """K of each class by the likelihood of a fifth of its features, held out."""
    chosen, shuffle = [], np.random.default_rng(seed)
    for one in samples:
        order = shuffle.permutation(len(one))
        held, rest = one[order[: len(one) // 5]], one[order[len(one) // 5 :]]
        best = (
            1 if len(one) < FEW else max(TRIED_K, key=lambda k: _likelihood(fit([rest], seed, components=k)[0], held))
        )
        chosen.append(fit([one], seed, components=best)[0])
    return Mixtures.of(chosen)


def _likelihood(mixture: Mixture, features: NDArray[np.float16]) -> float:
    return float(log_densities(mixture, torch.from_numpy(features).double()).mean())


def shrunk(mixtures: Mixtures, samples: Samples) -> Mixtures:
    """Each variance drawn to the mean over all classes, by how few features its component has."""
    counts = [len(one) for one in samples]
    present = [c for c in range(len(mixtures)) if mixtures[c] is not None]
    pooled = sum(counts[c] * (mixtures.weights[c] @ mixtures.variances[c]) for c in present) / sum(counts)
    variances = list(mixtures.variances)
    for c in present:
        own = counts[c] * mixtures.weights[c][:, None]
        variances[c] = (own * mixtures.variances[c] + PRIOR_SAMPLES * pooled) / (own + PRIOR_SAMPLES)
    return dataclasses.replace(mixtures, variances=variances)


def log_densities(mixture: Mixture, features: Tensor) -> Tensor:
    """log p_c of each feature [m]."""
    constant, linear, quadratic = polynomials(mixture)
    parts = (constant + part @ linear.T + part.square() @ quadratic.T for part in features.split(20_000))
    return torch.cat([part.logsumexp(1) for part in parts])


def of_classes(mixtures: Mixtures, features: Tensor) -> Tensor:
    """[m, C], minus infinity for a class without a mixture."""
    found = torch.full((len(features), len(mixtures)), -torch.inf, dtype=torch.float64)
    for c in range(len(mixtures)):
        if mixtures[c] is not None:
            found[:, c] = log_densities(mixtures[c], features)
    return found


def density(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Class and score as the paper has them."""
    best, place = logs.max(1)
    return place, best


def odds(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Class and log odds of its posterior."""
    best, place = logs.max(1)
    return place, best - logs.scatter(1, place[:, None], -torch.inf).logsumexp(1)


def of_source(logs: Tensor, mixtures: Mixtures, samples: Samples) -> tuple[Tensor, Tensor]:
    """Class, and the share of its source features with a lower density; below all of them, how far below."""
    place, best = density(logs)
    score = torch.empty_like(best)
    for c in place.unique().tolist():
        own = log_densities(mixtures[c], torch.from_numpy(samples[c]).double()).sort().values
        mine = place == c
        rank = torch.searchsorted(own, best[mine]) / len(own)
        score[mine] = torch.where(rank > 0, rank, 1e-6 * (best[mine] - own[0]))
    return place, score


def variants(case: Case) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
    """Class and score of each target feature [m] by each variant, the paper's first."""
    prior = torch.from_numpy(np.log(np.maximum(case.prior, 1e-9)))
    paper = fit(case.samples, case.seed)
    logs = of_classes(paper, case.target)
    yield "density (paper)", density(logs)
    yield "density, class priors", density(logs + prior)
    yield "density against the source's", of_source(logs, paper, case.samples)
    yield "odds", odds(logs)
    yield "odds, class priors", odds(logs + prior)
    for name, mixtures in (
        *((f"smoothed {times:g}", smoothed(paper, times)) for times in SMOOTHINGS),
        ("shrunk", shrunk(paper, case.samples)),
        ("tied", fit(case.samples, case.seed, covariance="tied")),
        ("K held out", fit_chosen(case.samples, case.seed)),
        ("all features", fit(case.every, case.seed)),
    ):
        logs = of_classes(mixtures, case.target)
        yield f"density, {name}", density(logs)
        yield f"odds, {name}", odds(logs)


def rows(case: Case) -> Iterator[dict]:
    """Rows of the table, less the data's name."""
    true = case.truth != 255
    pixels = np.bincount(case.truth[true], minlength=len(case.prior))
    present, head = pixels > 0, head_classes(pixels)
    for name, (classes, scores) in variants(case):
        order = np.argsort(-scores.numpy(), kind="stable")
        for share in SHARES:
            kept = order[: max(round(share * len(order)), 1)]
            counts = np.zeros((len(pixels), len(pixels) + 1), np.int64)
            mine = kept[true[kept]]
            np.add.at(counts, (case.truth[mine], classes.numpy()[mine]), 1)
            whole, tail = quality(counts, present), quality(counts, present & ~head)
            figures = {"threshold": float(scores[kept[-1]]), "accuracy": whole.accuracy, "miou": whole.miou}
            rounded = {column: round(value, 4) for column, value in (figures | {"tail_miou": tail.miou}).items()}
            yield {"seed": case.seed, "variant": name, "share": share} | rounded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("folders", type=Path, nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for place in args.folders:
        found = [{"data": args.data} | row for row in rows(load(Finished(place)))]
        replace(VARIANTS, found, ["data", "seed"])


if __name__ == "__main__":
    main()
