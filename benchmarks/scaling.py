"""Cost against the amount of data: time and memory of the stages' numerics, and the planning of a workflow.

    python benchmarks/scaling.py [--rounds 3] [--shrink 1] [--figure docs/scaling.svg]

Sizes grow by factors; the exponent is the slope of log time against log size (1 is linear) over the upper half of them.
``--shrink`` divides all sizes.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import densities
import feature_store
import gmm
import kmeans
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import planning
import torch
from comparison import a_turn, duration, memory_above_imports

from bismap.prototypes.feature_store import gather, open_features, write_features
from bismap.prototypes.features import ClassFeatures
from bismap.prototypes.gmm import em_step, unit_mixture
from bismap.pseudo_labels.densities import gaussian_bank, most_likely_classes

EM_FEATURES = (75_000, 150_000, 300_000, 600_000, 1_200_000)
HEIGHTS = (256, 512, 1024, 2048)
CELLS = (6_000, 12_000, 24_000, 48_000, 96_000)
SHARDS, SHARDED_FEATURES = (1, 4, 16, 64), 300_000
IMAGES = (1_500, 6_000, 24_000)
STEPS = 10


@dataclass
class Curve:
    """One stage at growing sizes.

    Attributes:
        unit: what is counted.
        expected: what the exponent should be.
        seconds: by size.
        memory: MB beyond the input, by size; empty where it was not measured.
    """

    title: str
    unit: str
    expected: str
    seconds: dict[int, float] = field(default_factory=dict)
    memory: dict[int, float] = field(default_factory=dict)

    def exponent(self) -> float:
        sizes = sorted(self.seconds)[len(self.seconds) // 2 - 1 :]
        return float(np.polyfit(np.log(sizes), np.log([self.seconds[n] for n in sizes]), 1)[0])

    def row(self) -> str:
        """A line of the table."""
        times = ", ".join(duration(s) for s in self.seconds.values())
        memory = ", ".join(f"{max(m, 0):.0f}" for m in self.memory.values())
        sizes = ", ".join(f"{n:,}" for n in self.seconds)
        return f"| {self.title} | {sizes} {self.unit} | {times} | {self.exponent():.2f} ({self.expected}) | {memory} |"


def _median(form: Callable[[], object], rounds: int) -> float:
    form()
    return statistics.median(a_turn(form) for _ in range(rounds))


def em(rounds: int, shrink: int) -> Curve:
    curve = Curve("EM step", "features", "1")
    for n in EM_FEATURES:
        x, centres = gmm.make_features(n // shrink)
        start = unit_mixture(centres)
        curve.seconds[len(x)] = _median(partial(em_step, x, start, gmm.REG), rounds)
        with tempfile.TemporaryDirectory() as folder:
            np.save(path := f"{folder}/x.npy", x.numpy())
            curve.memory[len(x)] = memory_above_imports(gmm.fit_file, path) - x.nbytes / 2**20
    return curve


def pixels(rounds: int, shrink: int) -> Curve:
    curve = Curve("pseudo-label densities", "pixels", "1")
    generator = torch.Generator().manual_seed(0)
    mixture = densities.make_mixture(generator)
    bank = gaussian_bank(mixture)
    for height in (h // shrink for h in HEIGHTS):
        size = (2 * height, height)
        rows = densities.make_features(mixture, height // 4, height // 2, generator).permute(1, 2, 0).contiguous()
        features = rows.permute(2, 0, 1)
        curve.seconds[2 * height**2] = _median(partial(most_likely_classes, features, bank, size), rounds)
        with tempfile.TemporaryDirectory() as folder:
            np.save(path := f"{folder}/x.npy", rows.numpy())
            used = memory_above_imports(densities.one_image, path, size)
            curve.memory[2 * height**2] = used - features.nbytes / 2**20
    return curve


def cells(rounds: int, shrink: int) -> Curve:
    curve = Curve(f"K-Means, {STEPS} steps", "cells", "1")
    whole = kmeans.make_cells(max(CELLS) // shrink)
    for n in (n // shrink for n in CELLS):
        part = whole[:n]
        start = part[np.random.default_rng(1).choice(n, kmeans.J, replace=False)]
        curve.seconds[n] = _median(partial(kmeans.own_steps, part, start, STEPS), rounds)
    return curve


def shards(rounds: int, shrink: int) -> Curve:
    curve = Curve(f"gather {SHARDED_FEATURES // shrink:,} features", "shards", "0")
    whole = feature_store.make_class(SHARDED_FEATURES // shrink)
    owner = np.random.default_rng(2).integers(max(SHARDS), size=len(whole.keys))
    for count in SHARDS:
        with tempfile.TemporaryDirectory() as folder:
            stores = []
            for i in range(count):
                mine = owner % count == i
                write_features(path := Path(folder) / str(i), [ClassFeatures(whole.features[mine], whole.keys[mine])])
                stores.append(open_features(path))
            curve.seconds[count] = _median(partial(gather, stores, 0, len(whole.keys)), rounds)
    return curve


def images(_rounds: int, shrink: int) -> Curve:
    curve = Curve("`snakemake -n` of `gta`", "source images", "below 1")
    for count in (n // shrink for n in IMAGES):
        with tempfile.TemporaryDirectory() as folder:
            planning.make_files(Path(folder), count)
            planning.snakemake(Path(folder), "-n")
            curve.seconds[count] = a_turn(partial(planning.snakemake, Path(folder), "-n"))
    return curve


def draw(curves: list[Curve], path: Path) -> None:
    """Time against size, both relative to the smallest, on logarithmic axes."""
    mpl.rcParams |= {"svg.hashsalt": "bismap", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for curve, marker in zip(curves, "osD^v", strict=True):
        sizes, seconds = np.array(list(curve.seconds)), np.array(list(curve.seconds.values()))
        axes.loglog(sizes / sizes[0], seconds / seconds[0], marker=marker, label=f"{curve.title} ({curve.unit})")
    ends = np.array([1, max(max(c.seconds) / min(c.seconds) for c in curves)])
    axes.loglog(ends, ends, color="0.6", linestyle=":", label="linear")
    axes.set(xlabel="size / smallest size", ylabel="time / time at the smallest size")
    axes.grid(which="major", color="0.9")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--figure", type=Path, help="where to draw the curves, as SVG")
    args = parser.parse_args()
    curves = [measure(args.rounds, args.shrink) for measure in (em, pixels, cells, shards, images)]
    print("### Cost against the amount of data\n\n| what | sizes | time | exponent (expected) | MB beyond the input |")
    print("|---|---|---|---:|---|")
    for curve in curves:
        print(curve.row())
    print("\n![Time against size](scaling.svg)\n")
    if args.figure:
        draw(curves, args.figure)


if __name__ == "__main__":
    main()
