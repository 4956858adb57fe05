"""Photometric alignment of one image (GPA): ours beside scikit-image in float64.

    python benchmarks/stylize.py [--rounds 5]

The source is a rendered game image of GTA5's size, the reference a rendered photograph of Cityscapes' size. The
peer is told the gamma that ours has fitted, so that it has less to do.
"""

import argparse

import numpy as np
from comparison import Section, Work, compare
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

from bismap.demo.render import render_picture
from bismap.stylize.gpa import align

BETA, STRIDE = 0.01, 16


def peer(source: np.ndarray, reference: np.ndarray, gamma: float) -> np.ndarray:
    """a and b by histogram, L by the gamma."""
    lab = rgb2lab(source)
    matched = match_histograms(lab, rgb2lab(reference), channel_axis=-1)
    matched[..., 0] = 100 * np.clip(lab[..., 0] / 100, 0, 1) ** gamma
    return np.rint(lab2rgb(matched) * 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=1914)
    args = parser.parse_args()
    source = render_picture(0, "source", "train", 0, args.width, args.width * 1052 // 1914)[0]
    reference = render_picture(0, "target", "train", 0, args.width * 2048 // 1914, args.width * 1024 // 1914)[0]
    ours = align(source, reference, BETA, STRIDE)
    difference = np.abs(ours.image.astype(int) - peer(source, reference, ours.gamma))
    colours = len(np.unique(source.reshape(-1, 3).astype(np.uint32) @ [65536, 256, 1]))
    Section(
        f"GPA stylisation, {source.shape[1]} x {source.shape[0]}",
        {"scikit-image, float64": 12},
        ("an image", 1),
        [
            f"{colours:,} colours in {source.shape[0] * source.shape[1]:,} pixels; gamma {ours.gamma:.3f}.",
            f"Difference: mean {difference.mean():.4f} (allowed: 0.25), at most {difference.max()} (allowed: 2) "
            "grey levels.",
        ],
        Work(bytes=source.nbytes + reference.nbytes + source.nbytes),
    ).print(
        compare(
            {
                "ours, with the fit of gamma": lambda: align(source, reference, BETA, STRIDE),
                "scikit-image, float64": lambda: peer(source, reference, ours.gamma),
            },
            args.rounds,
        )
    )


if __name__ == "__main__":
    main()
