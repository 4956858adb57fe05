"""Pseudo-label densities: ours beside the two forms a user would write, on one image.

    python benchmarks/densities.py [--rounds 3] [--size 2048 1024]

*upsample-then-GEMM* interpolates the features to full resolution and evaluates the quadratic forms by two
matrix products, in chunks of 200,000 pixels (A§5); *broadcasting* is the ``[pixels, K, d]`` form of public torch
mixtures (the square multiplied out, as in ldeecke/gmm-torch), run on some pixels and scaled to the image. The
reference is float64 throughout, on the same pixels.
"""

import argparse
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from comparison import Section, Work, compare, memory_above_imports
from torch import Tensor

from bismap.pseudo_labels.densities import gaussian_bank, most_likely_classes

CHUNK, CHUNK_BROADCAST = 200_000, 8192
CLASSES, COMPONENTS, CHANNELS = 19, 8, 256


@dataclass(frozen=True)
class Mixture:
    weights: Tensor  # [C, K]
    means: Tensor  # [C, K, d]
    variances: Tensor  # [C, K, d]

    def double(self) -> "Mixture":
        return Mixture(self.weights.double(), self.means.double(), self.variances.double())


def make_mixture(generator: torch.Generator, dead: float = 0.05) -> Mixture:
    """Clusters of post-ReLU features; in a share ``dead`` of the channels a class has variance 1e-6 around zero."""
    shape = (CLASSES, COMPONENTS, CHANNELS)
    means = torch.randn(CLASSES, 1, CHANNELS, generator=generator) + 0.5 * torch.randn(shape, generator=generator)
    variances = 0.02 + 0.1 * torch.rand(shape, generator=generator)
    off = torch.rand(CLASSES, 1, CHANNELS, generator=generator) < dead
    weights = torch.softmax(torch.randn(CLASSES, COMPONENTS, generator=generator), 1)
    return Mixture(weights, means.relu().masked_fill(off, 0.0), variances.masked_fill(off, 1e-6))


def make_features(mixture: Mixture, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Blocks of 8 x 8 features of one component each, ``[d, height, width]``; a tenth leaks into dead channels."""
    blocks = (-(-height // 8), -(-width // 8))
    drawn = torch.randint(CLASSES * COMPONENTS, blocks, generator=generator)
    drawn = drawn.repeat_interleave(8, 0).repeat_interleave(8, 1)[:height, :width]
    means, variances = mixture.means.flatten(0, 1)[drawn], mixture.variances.flatten(0, 1)[drawn]
    features = means + variances.sqrt() * torch.randn(means.shape, generator=generator)
    leak = torch.rand((height, width, 1), generator=generator) < 0.1
    features += 0.1 * leak * torch.rand(means.shape, generator=generator)
    return features.relu().masked_fill((variances < 1e-5) & ~leak, 0.0).permute(2, 0, 1)


def upsample(features: Tensor, size: tuple[int, int]) -> Tensor:
    """``[H*W, d]`` by bilinear interpolation."""
    up = F.interpolate(features[None], size[::-1], mode="bilinear", align_corners=True)
    return up[0].flatten(1).T


def broadcasting(x: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Best class and log density of features ``[n, d]``, by ``[n, K, d]`` arrays, class by class."""
    per_class = []
    for weights, means, variances in zip(mixture.weights, mixture.means, mixture.variances, strict=True):
        wide = x[:, None]
        quadratic = ((wide * wide - 2 * wide * means + means * means) / variances).sum(-1)
        logs = weights.log() - 0.5 * (quadratic + variances.log().sum(-1) + CHANNELS * math.log(2 * math.pi))
        per_class.append(logs.logsumexp(1))
    density, classes = torch.stack(per_class, 1).max(1)
    return classes, density


def exact(x: Tensor, mixture: Mixture) -> Tensor:
    """Log density ``[n, C]`` of features ``[n, d]`` in float64, every difference formed before it is squared."""
    weights, means, variances = mixture.weights, mixture.means.flatten(0, 1), mixture.variances.flatten(0, 1)
    logs = torch.empty(len(x), len(means), dtype=torch.float64)
    for g, (mean, variance) in enumerate(zip(means, variances, strict=True)):
        logs[:, g] = -0.5 * ((x - mean).square() / variance + (2 * math.pi * variance).log()).sum(1)
    return (logs.view(len(x), *weights.shape) + weights.log()).logsumexp(2)


def upsample_then_gemm(features: Tensor, size: tuple[int, int], mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Best class and log density of every pixel, flat."""
    precision = 1 / mixture.variances.flatten(0, 1)
    scaled = mixture.means.flatten(0, 1) * precision
    squared = (scaled * mixture.means.flatten(0, 1)).sum(1) + mixture.variances.flatten(0, 1).log().sum(1)
    constant = mixture.weights.flatten().log() - 0.5 * (squared + CHANNELS * math.log(2 * math.pi))
    parts = []
    for x in upsample(features, size).split(CHUNK):
        logs = constant + x @ scaled.T - 0.5 * (x.square() @ precision.T)
        parts.append(logs.view(len(x), CLASSES, COMPONENTS).logsumexp(2).max(1))
    return torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts])


def one_image(path: str, size: tuple[int, int]) -> None:
    """Ours, on the features of a file."""
    mixture = make_mixture(torch.Generator().manual_seed(0))
    most_likely_classes(torch.from_numpy(np.load(path)).permute(2, 0, 1), gaussian_bank(mixture), size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pixels", type=int, default=16384, help="for the reference, and for the broadcasting form")
    parser.add_argument("--size", type=int, nargs=2, default=(2048, 1024), metavar=("W", "H"))
    args = parser.parse_args()
    size, generator = tuple(args.size), torch.Generator().manual_seed(0)
    mixture = make_mixture(generator)
    features = make_features(mixture, -(-size[1] // 4), -(-size[0] // 4), generator).contiguous()
    features = features[None].contiguous(memory_format=torch.channels_last)[0]  # as the network gives them
    plain = features.contiguous()  # which interpolation is faster with
    bank = gaussian_bank(mixture)
    chosen = torch.randperm(size[0] * size[1], generator=generator)[: args.pixels]
    some = upsample(features, size)[chosen].contiguous()

    scores = exact(upsample(features.double(), size)[chosen], mixture.double())
    best, margin = scores.max(1), -scores.topk(2, 1).values.diff(dim=1)[:, 0]
    allowed = (1e-6 * best.values.abs()).clamp(min=0.01)
    found = {
        "ours": tuple(torch.from_numpy(a).flatten()[chosen] for a in most_likely_classes(features, bank, size)),
        "upsample-then-GEMM": tuple(a[chosen] for a in upsample_then_gemm(features, size, mixture)),
    }
    notes = [f"{len(chosen):,} pixels have log densities of {best.values.min():.0f} to {best.values.max():.0f} nat."]
    for name, (classes, density) in found.items():
        error = (density.double() - best.values).abs()
        other = classes != best.indices
        notes.append(
            f"{name}: error at most {error.max():.2e} nat, {float((error / allowed).max()):.2f} of what is allowed; "
            f"{int(other.sum())} other labels, {int((other & (margin > 0.02)).sum())} of them where the margin "
            "is above 0.02 nat."
        )
    seconds = compare(
        {
            "ours": lambda: most_likely_classes(features, bank, size),
            "upsample-then-GEMM": lambda: upsample_then_gemm(plain, size, mixture),
            "broadcasting": lambda: [broadcasting(part, mixture) for part in some.split(CHUNK_BROADCAST)],
        },
        args.rounds,
        {"broadcasting": size[0] * size[1] / len(chosen)},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "features.npy")
        np.save(path, features.permute(1, 2, 0).numpy())
        memory = memory_above_imports(one_image, path, size)
    product = 2 * features.numel() * CLASSES * COMPONENTS
    notes += [
        f"Memory above the process after imports, the features ({features.numel() * 4 / 2**20:.0f} MB) with it: "
        f"{memory:.0f} MB (allowed: 600).",
    ]
    floor = Work(fp32=3 * product, fp64=2 * product, bytes=4 * features.numel())
    title = f"Pseudo-label densities, {size[0]} x {size[1]}, {CLASSES} x {COMPONENTS} Gaussians"
    Section(title, {"upsample-then-GEMM": 4, "broadcasting": 600}, ("an image", 1), notes, floor).print(seconds)


if __name__ == "__main__":
    main()
