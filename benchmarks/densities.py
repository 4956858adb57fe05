"""Pseudo-label densities: ours beside the two forms a user would write, on one image, in one process.

    python benchmarks/densities.py [--device cuda] [--rounds 5] [--broadcast-pixels 8192]

Peers: *upsample-then-GEMM* interpolates the features to full resolution and evaluates the quadratic forms by
two matrix products, in chunks of 200,000 pixels (A§5); *broadcasting* is the ``[pixels, K, d]`` form of public
torch mixtures, run on a few pixels and scaled to the image. The reference is float64 throughout, on
``--broadcast-pixels`` random pixels.
"""

import argparse
import math
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bismap.pseudo_labels.densities import gaussian_bank, most_likely_classes

CHUNK = 200_000
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
    """Best class and log density of features ``[n, d]``."""
    per_class = []
    for weights, means, variances in zip(mixture.weights, mixture.means, mixture.variances, strict=True):
        quadratic = ((x[:, None] - means).square() / variances).sum(-1)
        logs = weights.log() - 0.5 * (quadratic + variances.log().sum(-1) + CHANNELS * math.log(2 * math.pi))
        per_class.append(logs.logsumexp(1))
    density, classes = torch.stack(per_class, 1).max(1)
    return classes, density


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


def timed(function: Callable[[], object], device: str) -> float:
    start = time.perf_counter()
    function()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--broadcast-pixels", type=int, default=8192)
    parser.add_argument("--size", type=int, nargs=2, default=(2048, 1024), metavar=("W", "H"))
    args = parser.parse_args()
    size, generator = tuple(args.size), torch.Generator().manual_seed(0)
    mixture = make_mixture(generator)
    features = make_features(mixture, -(-size[1] // 4), -(-size[0] // 4), generator).to(args.device)
    features = features[None].contiguous(memory_format=torch.channels_last)[0]  # as the network gives them
    bank = gaussian_bank(mixture, args.device)
    before = peak_mb()
    classes, density = most_likely_classes(features, bank, size)
    memory = peak_mb() - before

    mixture = Mixture(*(t.to(args.device) for t in (mixture.weights, mixture.means, mixture.variances)))
    chosen = torch.randperm(size[0] * size[1], generator=generator)[: args.broadcast_pixels].to(args.device)
    some = upsample(features, size)[chosen]
    forms = {
        "ours": lambda: most_likely_classes(features, bank, size),
        "upsample-then-GEMM": lambda: upsample_then_gemm(features, size, mixture),
        "broadcasting": lambda: broadcasting(some, mixture),
    }
    rounds = [{name: timed(form, args.device) for name, form in forms.items()} for _ in range(args.rounds)]
    seconds = {name: statistics.median(r[name] for r in rounds) for name in forms}
    seconds["broadcasting"] *= size[0] * size[1] / len(chosen)

    exact = upsample(features.double(), size)[chosen]
    parts = [broadcasting(x, mixture.double()) for x in exact.split(4096)]
    true_classes, true_density = (torch.cat(p).cpu() for p in zip(*parts, strict=True))
    peer_classes, peer_density = (t[chosen].cpu() for t in upsample_then_gemm(features, size, mixture))
    ours = (
        torch.from_numpy(classes).flatten()[chosen.cpu()],
        torch.from_numpy(density).flatten()[chosen.cpu()],
    )
    allowed = (1e-6 * true_density.abs()).clamp(min=0.01)
    print(f"{size[0]} x {size[1]}, {CLASSES} x {COMPONENTS} Gaussians, torch {torch.__version__}, {args.device}, ")
    print(f"{torch.get_num_threads()} threads; median of {args.rounds} rounds; ours: {memory:.0f} MB above the process")
    print(f"log densities {true_density.min():.0f} to {true_density.max():.0f} nat on {len(chosen)} pixels")
    for name, (c, p) in {"ours": ours, "upsample-then-GEMM": (peer_classes, peer_density)}.items():
        error = (p.double() - true_density).abs()
        print(
            f"{name:20s} error max {error.max():.2e} nat, {float((error / allowed).max()):.2f} of what is allowed; "
            f"{int((c != true_classes).sum())} other labels"
        )
    for name, value in seconds.items():
        print(f"{name:20s} {value:10.2f} s an image {value / seconds['ours']:10.1f} x ours")


if __name__ == "__main__":
    main()
