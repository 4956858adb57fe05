"""A small made experiment with all layers, and the gallery of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bismap.data.images import write_gray8, write_image, write_label
from bismap.job import Job
from bismap.pseudo_labels.files import ScoreWriter
from bismap.pseudo_labels.grid import ScoreGrid
from bismap.stages import gallery
from bismap.store import write_manifest

NAMES = ("road", "sky", "tree", "</script><script>hacked = 1</script>")
PALETTE = ((128, 64, 128), (70, 130, 180), (107, 142, 35), (250, 10, 20))
RUNS = ("first", "second")
GRID = ScoreGrid(-512.0, 0.125)
SIZE = (64, 48)  # width and height
ODD = "c'\"<b>#%41 &é"
TARGETS = {"train": ["a0", "a1", "a2"], "val": ["b0", "b1", "b2", ODD]}
SOURCES = [f"s{number}" for number in range(5)]
SETTINGS = {
    "experiment": "made",
    "seed": 0,
    "source": {"split": "train"},
    "target": {"adapt": "train", "evaluate": "val"},
    "subsets": {"miou": [], "miou2": ["road", "tree"]},
    "assignments": [["first", "maps"]],
    "judges": ["first"],
    "runs": list(RUNS),
    "source_images": 3,
    "width": 32,
}


@dataclass
class Made:
    """What was made, in numbers: the gallery must say the same."""

    root: Path
    settings: dict[str, Any]
    truth: dict[str, np.ndarray] = field(default_factory=dict)
    predictions: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    pseudo_labels: dict[str, np.ndarray] = field(default_factory=dict)
    densities: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: dict[str, tuple[Path, ...]] = field(default_factory=dict)

    def job(self, out: str, threads: int = 1) -> Job:
        for folder in (self.root / out, self.root / "state" / out):
            folder.mkdir(parents=True)
        return Job(
            settings=self.settings,
            out=self.root / out,
            state=self.root / "state" / out,
            inputs=self.inputs,
            roots={"source": self.root / "source", "target": self.root / "target"},
            threads=threads,
        )

    def gallery(self, out: str = "gallery", threads: int = 1) -> Path:
        """Run the stage; the folder that it wrote."""
        job = self.job(out, threads)
        gallery.run(job)
        return job.out


def make(root: Path, *, truth: bool = True, targets: Mapping[str, Sequence[str]] = TARGETS, **changes: Any) -> Made:
    """Write data sets, indexes and the files of all layers below ``root``."""
    made = Made(root, SETTINGS | changes)
    rng = np.random.default_rng(7)
    write_domain(made, rng, "source", {"train": SOURCES}, truth=True)
    write_domain(made, rng, "target", targets, truth=truth)
    shape = SIZE[::-1]

    sets: list[Path] = []
    for run in RUNS:
        for split, ids in targets.items():
            for image_id in ids:
                guess = made.truth[image_id].copy() if truth else rng.integers(0, len(NAMES), shape).astype(np.uint8)
                wrong = rng.random(shape) < (0.4 if run == "first" else 0.15)
                guess[wrong | (guess == 255)] = rng.integers(0, len(NAMES))
                made.predictions[run, image_id] = guess
            sets += write_shards(
                root / run / split, ids, lambda path, i, run=run: _label(path, made.predictions[run, i]), parts=2
            )
    adapted = targets[made.settings["target"]["adapt"]]
    for image_id in adapted:
        label = made.predictions["first", image_id].copy()
        label[rng.random(shape) < 0.3] = 255
        made.pseudo_labels[image_id] = label
        made.densities[image_id] = GRID.decode(GRID.encode(rng.normal(40, 20, shape)))
    made.inputs |= {
        "predictions": tuple(sets),
        "pseudo_labels": tuple(
            write_shards(root / "labels", adapted, lambda path, i: _label(path, made.pseudo_labels[i]))
        ),
        "scores": (write_scores(made, root / "scores" / "0-of-1", adapted),),
        "stylized": tuple(
            write_shards(root / "stylized", SOURCES, lambda path, i: write_image(path, _noise(rng, 90)), parts=2)
        ),
    }
    for image_id in SOURCES:
        made.weights[image_id] = rng.integers(0, 256, shape).astype(np.uint8)
    made.inputs["transferability"] = tuple(
        write_shards(root / "weights", SOURCES, lambda path, i: write_gray8(path, made.weights[i]))
    )
    return made


def write_domain(made: Made, rng: np.random.Generator, name: str, splits: Mapping, *, truth: bool) -> None:
    folder = made.root / name
    for part in ("images", "labels", "index"):
        (folder / part).mkdir(parents=True)
    lines = ['"id","image","label","split","height","width",' + ",".join(f"pixels_{c}" for c in range(len(NAMES)))]
    for split, ids in splits.items():
        for number, image_id in enumerate(ids):
            image = f"images/{split}{number}.png"
            Image.fromarray(_noise(rng, 60 + 20 * number)).save(folder / image)
            file = ""
            if truth:
                label = rng.integers(0, len(NAMES), (SIZE[1] // 8, SIZE[0] // 8)).repeat(8, 0).repeat(8, 1)
                label = label.astype(np.uint8)
                label[:4, :6] = 255
                file = f"labels/{split}{number}.png"
                Image.fromarray(label).save(folder / file)
                made.truth[image_id] = label
            quoted = image_id.replace('"', '""')
            lines.append(f'"{quoted}",{image},{file},{split},{SIZE[1]},{SIZE[0]}' + ",0" * len(NAMES))
    (folder / "index" / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    label_map = {str(c): c for c in range(len(NAMES))} | {"255": 255}
    classes = {"layout": "folder", "classes": NAMES, "palette": PALETTE, "label_map": label_map}
    (folder / "index" / "classes.json").write_text(json.dumps(classes))
    made.inputs[f"{name}_index"] = (folder / "index" / "index.csv",)


def write_shards(folder: Path, ids: Sequence[str], write: Any, parts: int = 1) -> list[Path]:
    """Files of a set in its parts; the manifests."""
    manifests = []
    for part in range(parts):
        out = folder / f"{part}-of-{parts}"
        out.mkdir(parents=True)
        for image_id in ids[part * len(ids) // parts : (part + 1) * len(ids) // parts]:
            write(out / f"{image_id}.png", image_id)
        write_manifest(out)
        manifests.append(out / "manifest.csv")
    return manifests


def write_scores(made: Made, out: Path, ids: Sequence[str]) -> Path:
    out.mkdir(parents=True)
    writer = ScoreWriter(out, "density", GRID, NAMES, [0] * 768)
    for image_id in ids:
        writer.add(image_id, made.predictions["first", image_id], made.densities[image_id])
    writer.close()
    write_manifest(out)
    return out / "manifest.csv"


def _label(path: Path, label: np.ndarray) -> None:
    write_label(path, label, [channel for color in PALETTE for channel in color] + [0] * (768 - 12))


def _noise(rng: np.random.Generator, shade: int) -> np.ndarray:
    return (rng.integers(0, 40, (SIZE[1], SIZE[0], 3)) + shade).astype(np.uint8)
