"""What is done to every image: labels decoded and mapped, maps, confusion matrix, a training sample.

    python benchmarks/images.py [--rounds 5] [--width 2048]

Each beside the form that papers' code has: PIL and a loop over classes for labels, NumPy pixel by pixel for
transferability maps, the masked bincount for the confusion matrix, and for a sample the whole image resized,
jittered and then cropped.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from comparison import Section, Work, compare
from PIL import Image
from torchvision.transforms import functional

from bismap.data.layouts import get_layout
from bismap.data.raw_labels import LabelMap, decode_raw_label
from bismap.demo.render import render_picture
from bismap.evaluation.confusion import confusion_matrix, joint_counts
from bismap.training.augment import Augmentation, Geometry, Jitter, view
from bismap.transferability.maps import distance_term, entropy_lookup, transferability_map

CLASSES = 19
# Cityscapes' labelIds of the 19 classes.
IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def decode_labels(width: int, rounds: int) -> None:
    """A Cityscapes label image from the bytes of its file to trainIds."""
    mapping = dict.fromkeys(range(35), 255) | {label: trainid for trainid, label in enumerate(IDS)}
    _, ids = render_picture(0, "target", "train", 0, width, width // 2)
    file = io.BytesIO()
    Image.fromarray(ids).save(file, "PNG")
    data, ours, path = file.getvalue(), LabelMap(mapping), Path("label.png")

    def peer() -> np.ndarray:
        raw = np.asarray(Image.open(io.BytesIO(data)), np.float32)
        mapped = 255 * np.ones(raw.shape, np.float32)
        for trainid, label in enumerate(IDS):
            mapped[raw == label] = trainid
        return mapped

    def own() -> np.ndarray:
        return ours.apply(decode_raw_label(data, get_layout("cityscapes").encodings, path), path)

    assert np.array_equal(own(), peer())

    def decoding() -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(data)))

    forms = {"ours, ids checked": own, "PIL, a mask a class": peer, "decoding alone (PIL)": decoding}
    seconds = compare(forms, rounds)
    Section(
        f"Labels decoded and mapped, {width} x {width // 2}",
        {"PIL, a mask a class": 5},
        notes=["Equal in every pixel. Decoding the PNG is the floor."],
    ).print(seconds)


def transferability(width: int, rounds: int) -> None:
    """Eq. 9 for one image."""
    rng = np.random.default_rng(0)
    _, label = render_picture(0, "source", "train", 0, width, width // 2)
    label = np.where(label < CLASSES, label, 255).astype(np.uint8)
    distances, d_mean = rng.uniform(5, 20, (4, 4)), 12.0
    entropy = rng.uniform(0, 0.6, CLASSES)

    def peer() -> np.ndarray:
        rows, columns = np.arange(label.shape[0]) * 4 // label.shape[0], np.arange(label.shape[1]) * 4 // label.shape[1]
        weight = np.exp(-((distances[rows[:, None], columns] / d_mean) ** 2) * np.log(2))
        for trainid, value in enumerate(entropy):
            weight[label == trainid] += value
        return (255 * np.minimum(weight, 1)).astype(np.uint8)

    def own() -> np.ndarray:
        return transferability_map(distance_term(distances, d_mean), entropy_lookup(entropy), label).values

    other = int((own() != peer()).sum())
    assert np.abs(own().astype(int) - peer()).max() <= 1
    Section(
        f"Transferability map, {width} x {width // 2}",
        {"NumPy, pixel by pixel": 5},
        notes=[f"{other} of {label.size:,} pixels differ, by 1 of 255 (rounding). Ours has the histogram, too."],
        floor=Work(bytes=2 * label.size),
    ).print(compare({"ours, with its histogram": own, "NumPy, pixel by pixel": peer}, rounds))


def confusion(width: int, rounds: int) -> None:
    """Confusion matrix of one image."""
    rng = np.random.default_rng(0)
    truth = render_picture(0, "target", "val", 0, width, width // 2)[1] % 22
    truth = np.where(truth < CLASSES, truth, 255).astype(np.uint8)
    given = np.where(
        rng.random(truth.shape) < 0.8, np.where(truth == 255, 0, truth), rng.integers(0, CLASSES, truth.shape)
    )
    given = given.astype(np.uint8)

    def peer() -> np.ndarray:
        seen = (truth >= 0) & (truth < CLASSES)
        pairs = CLASSES * truth[seen].astype(int) + given[seen]
        return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)

    def own() -> np.ndarray:
        return confusion_matrix(joint_counts(truth, given), CLASSES)

    assert np.array_equal(own(), peer())
    Section(
        f"Confusion matrix, {width} x {width // 2}",
        {"NumPy, mask and bincount": 5},
        notes=["Equal."],
        floor=Work(bytes=2 * truth.size),
    ).print(compare({"ours, labels out of range seen": own, "NumPy, mask and bincount": peer}, rounds))


def sample(width: int, rounds: int) -> None:
    """Augmentation of one decoded source image and its labels."""
    pixels, label = render_picture(0, "source", "train", 0, width * 1914 // 2048, width * 1052 // 2048)
    image = Image.fromarray(pixels)
    crop = (width * 896 // 2048, width * 512 // 2048)
    augmentation = Augmentation(crop, (0.5, 1.5), width * 2200 // 2048, Jitter(0.1, 0.3, 0.3, 0.3))
    draws = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        draws.append((augmentation.draw_geometry(rng, label), augmentation.jitter.draw(rng)))

    def peer(geometry: Geometry, factors: Jitter) -> tuple[np.ndarray, np.ndarray]:
        whole = functional.adjust_hue(image.resize(geometry.scaled, Image.Resampling.BILINEAR), factors.hue)
        whole = functional.adjust_saturation(
            functional.adjust_brightness(whole, factors.brightness), factors.saturation
        )
        whole = functional.adjust_contrast(whole, factors.contrast)
        labels = Image.fromarray(label).resize(geometry.scaled, Image.Resampling.NEAREST)
        place = slice(geometry.top, geometry.top + crop[1]), slice(geometry.left, geometry.left + crop[0])
        parts = [geometry.place(np.asarray(whole)[place], 0), geometry.place(np.asarray(labels)[place], 255)]
        return tuple(np.ascontiguousarray(part) for part in parts)

    def own(geometry: Geometry, factors: Jitter) -> tuple[np.ndarray, np.ndarray]:
        views = view(geometry, factors, image, label, None)
        return np.ascontiguousarray(views.image), np.ascontiguousarray(views.labels)

    apart = [np.abs(own(*draw)[0].astype(int) - peer(*draw)[0]).mean() for draw in draws]
    agree = [(own(*draw)[1] == peer(*draw)[1]).mean() for draw in draws]
    Section(
        f"Training sample, crop {crop[0]} x {crop[1]} of an image of {image.width} x {image.height}",
        {"whole image, then crop": 5},
        ("a sample", len(draws)),
        [
            f"Images differ by {np.mean(apart):.2f} grey levels in the mean (the contrast's mean grey is an estimate), "
            f"labels agree in {100 * np.mean(agree):.2f} % of the pixels.",
        ],
    ).print(
        compare(
            {
                "ours, the crop alone": lambda: [own(*draw) for draw in draws],
                "whole image, then crop": lambda: [peer(*draw) for draw in draws],
            },
            rounds,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=2048)
    args = parser.parse_args()
    for part in (decode_labels, transferability, confusion, sample):
        part(args.width, args.rounds)


if __name__ == "__main__":
    main()
