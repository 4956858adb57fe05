"""pseudo_labels: the same files for any number of shards, at a threshold over the whole set."""

import numpy as np
from PIL import Image

from bismap.data.classes import CITYSCAPES
from bismap.job import Job
from bismap.pseudo_labels.files import ScoreWriter
from bismap.pseudo_labels.grid import ScoreGrid
from bismap.stages import pseudo_labels
from bismap.store import write_manifest

IDS = ("a", "b", "c")
GRID = ScoreGrid(-100.0, 0.5)
SHARE = {"share": 0.4}


def _scores(image_id):
    rng = np.random.default_rng(ord(image_id))
    return rng.integers(0, 5, (8, 12)).astype(np.uint8), rng.normal(0, 20, (8, 12)).astype(np.float32)


def _densities(root, parts):
    manifests = []
    for part in range(parts):
        folder = root / f"{part}-of-{parts}"
        folder.mkdir(parents=True)
        writer = ScoreWriter(folder, "density", GRID, CITYSCAPES.names, CITYSCAPES.palette())
        for image_id in IDS[part * len(IDS) // parts : (part + 1) * len(IDS) // parts]:
            writer.add(image_id, *_scores(image_id))
        writer.close()
        write_manifest(folder)
        manifest = folder / "manifest.csv"
        manifests.append(manifest)
    return tuple(manifests)


def _label(root, parts, threshold, density_parts=1):
    out = root / f"labels-{parts}-{density_parts}"
    out.mkdir()
    manifests = _densities(root / f"densities-{parts}-{density_parts}", density_parts)
    for part in range(parts):
        shard = out / str(part)
        shard.mkdir()
        pseudo_labels.run(Job({"threshold": threshold}, shard, root, inputs={"scores": manifests}, shard=(part, parts)))
    return out


def test_files_do_not_depend_on_the_number_of_shards(tmp_path):
    found = [_label(tmp_path, *parts) for parts in ((1, SHARE, 1), (3, SHARE, 3), (2, SHARE, 3))]
    images = [{p.name: p.read_bytes() for p in out.rglob("*.png")} for out in found]
    assert set(images[0]) == {f"{image_id}.png" for image_id in IDS}
    assert images[0] == images[1] == images[2]
    tables = [(out / "0" / "threshold.csv").read_text() for out in found]
    assert tables[0] == tables[1] == tables[2]


def test_labels_are_the_classes_at_or_above_delta(tmp_path):
    out = _label(tmp_path, 1, {"least": 4.5})
    for image_id in IDS:
        classes, density = _scores(image_id)
        label = np.array(Image.open(out / "0" / f"{image_id}.png"))
        assert np.array_equal(label, np.where(density >= 4.5, classes, 255))
