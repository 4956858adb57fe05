"""The source_distances and transferability stages, from cells to maps."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from bismap.data.images import read_gray8
from bismap.errors import BismapError
from bismap.extractor.cell_store import STORE, CellWriter
from bismap.stages import source_distances, transferability
from bismap.transferability.class_entropy import save_entropy

from .small_domains import NAMES, make_domain, make_job, publish

SETTINGS = {"source": {"split": "train", "size": [64, 32]}}
IDS = [f"source{i}" for i in range(4)]


@pytest.fixture
def root(tmp_path):
    """Cells at known distances: image i has, on a grid of 2 x 4, the distances i * [0..7]."""
    make_domain(tmp_path, "source", 4, 0)
    cells = make_job(tmp_path, "cells/0-of-1", {})
    writer = CellWriter(cells.out / STORE, IDS, (2, 4), 2)
    for i in range(4):
        writer.add(np.array([[100 + i * k, 0] for k in range(8)], np.float32))
    writer.close()
    centres = make_job(tmp_path, "centres", {})
    save_file({"centres": np.array([[100, 0], [0, 500]], np.float32)}, centres.out / "centres.safetensors")
    job = make_job(
        tmp_path, "distances", {"upsample": 1, "mean": "exact"}, cells=[publish(cells)], centres=[publish(centres)]
    )
    source_distances.run(job)
    publish(job)
    entropy = np.array([0.1, 0.5, np.nan])
    save_entropy(tmp_path / "class_entropy.csv", NAMES, np.array([8, 9, 0]), entropy, np.ones(3, bool))
    return tmp_path


def maps(root, name, shards):
    outs = [f"{name}/{i}-of-{shards}" for i in range(shards)]
    for out in outs:
        entropy = [root / "class_entropy.csv"]
        transferability.run(make_job(root, out, SETTINGS, distances=[root / "distances.csv"], entropy=entropy))
    return {path.stem: path for out in outs for path in sorted((root / out).glob("*.png"))}


def test_equation_9_from_cells_to_files(root):
    d_mean = np.mean([i * k for i in range(4) for k in range(8)])
    assert pd.read_csv(root / "distances" / "images.csv")["d_mean"][0] == pytest.approx(d_mean)
    found = read_gray8(maps(root, "maps", 1)["source2"])
    assert found.shape == (32, 64)
    for row, col, cell, added in ((31, 0, 4, 0), (16, 63, 7, 0), (20, 20, 5, 0), (0, 63, 3, 1), (0, 0, 0, 0)):
        weight = min(np.exp(-((2 * cell / d_mean) ** 2) * np.log(2)) + added, 1)
        assert found[row, col] == int(255 * weight)


def test_shards_do_not_matter(root):
    whole, parts = maps(root, "whole", 1), maps(root, "parts", 3)
    assert list(whole) == list(parts) == IDS
    for image_id, path in whole.items():
        assert path.read_bytes() == parts[image_id].read_bytes()


def test_tables(root):
    values = {image_id: read_gray8(path) / 255 for image_id, path in maps(root, "maps", 1).items()}
    summary = pd.read_csv(root / "maps" / "0-of-1" / "summary.csv", index_col="id")
    for image_id, weights in values.items():
        assert summary.loc[image_id, "mean"] == pytest.approx(weights.mean())
        assert summary.loc[image_id, "std"] == pytest.approx(weights.std(), abs=1e-12)
        assert summary.loc[image_id, "max"] == weights.max()
    classes = pd.read_csv(root / "maps" / "0-of-1" / "classes.csv", index_col="name")
    assert list(classes.index) == [*NAMES, "unlabelled"]
    assert classes.loc["sky", "pixels"] == 4 * 1023
    assert classes.loc["sky", "mean"] == 1  # the highest entropy adds 1
    assert classes.loc["tree", "pixels"] == 0
    road = np.concatenate([weights[16:].ravel() for weights in values.values()])
    assert classes.loc["road", "mean"] == pytest.approx(road.mean())


def test_image_without_cells(root):
    (root / "distances" / "images.csv").write_text("id,mean,min,max,d_mean\n" + "a,0,0,0,1\n" * 4)
    with pytest.raises(BismapError, match="source0 has no cell features"):
        maps(root, "maps", 1)


def test_entropy_of_other_classes(root):
    save_entropy(root / "class_entropy.csv", ("a", "b", "c"), np.ones(3, int), np.arange(3.0), np.ones(3, bool))
    with pytest.raises(BismapError, match="expected"):
        maps(root, "maps", 1)


def test_the_stages_after_extract_do_not_import_torch():
    stages = ", ".join(f"bismap.stages.{s}" for s in ("target_prototypes", "source_distances", "transferability"))
    code = f"import sys, {stages}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
