"""The target_prototypes stage."""

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from bismap.extractor.cell_store import STORE, CellWriter
from bismap.stages import target_prototypes

from .small_domains import make_job, publish

SETTINGS = {"clusters": 4, "iterations": 20, "redos": 1, "seed": 0}


def write_cells(root, name, cells, parts):
    """Manifests of the cells {id: [6, d]} dealt to ``parts`` shards."""
    manifests = []
    for i in range(parts):
        job = make_job(root, f"{name}/{i}-of-{parts}", {})
        mine = {image_id: cells[image_id] for image_id in sorted(cells)[i::parts]}
        writer = CellWriter(job.out / STORE, list(mine), (2, 3), 5)
        for image in mine.values():
            writer.add(image)
        writer.close()
        manifests.append(publish(job))
    return manifests


def test_outputs_and_shards(tmp_path):
    rng = np.random.default_rng(0)
    cells = {f"i{i:02d}": rng.normal(size=(6, 5)).astype(np.float32) for i in range(20)}
    for out, parts in (("one", 1), ("three", 3)):
        manifests = write_cells(tmp_path, f"cells{parts}", cells, parts)
        target_prototypes.run(make_job(tmp_path, out, SETTINGS, cells=manifests))
    for name in ("centres.safetensors", "clusters.csv", "summary.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "three" / name).read_bytes()
    centres = load_file(tmp_path / "one" / "centres.safetensors")["centres"]
    clusters = pd.read_csv(tmp_path / "one" / "clusters.csv")
    assert centres.shape == (4, 5)
    assert list(clusters) == ["cluster", "size", "mean_distance"]
    assert clusters["size"].sum() == 120
    summary = pd.read_csv(tmp_path / "one" / "summary.csv").iloc[0]
    every = np.stack(list(cells.values())).reshape(-1, 1, 5)
    inertia = ((every - centres) ** 2).sum(2).min(1).sum()
    assert summary["inertia"] == np.float64(summary["inertia"])
    np.testing.assert_allclose(summary["inertia"], inertia, rtol=1e-5)
    assert (summary["cells"], summary["clusters"]) == (120, 4)
