"""The stages that draw: from files as the stages before write them, the same bytes each time."""

import hashlib
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from bismap.data.classes import CITYSCAPES
from bismap.data.images import write_gray8
from bismap.errors import BismapError
from bismap.extractor.cell_store import STORE, CellWriter
from bismap.prototypes.class_fits import ClassFit, write_tables
from bismap.prototypes.gmm import fit, unit_mixture
from bismap.prototypes.mixtures import mixture_file, save_mixture
from bismap.pseudo_labels.files import ScoreWriter
from bismap.pseudo_labels.grid import ScoreGrid
from bismap.stages import (
    plot_clusters,
    plot_densities,
    plot_label_curves,
    plot_learning_curves,
    plot_mixtures,
    plot_transferability,
    plot_validation,
    plots,
    pseudo_label_curve,
)

from .small_domains import NAMES, SIZE, make_domain, make_job, publish

SVG = "{http://www.w3.org/2000/svg}"
SPLIT = {"split": "train"}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "source", 3, 40)
    make_domain(tmp_path, "target", 3, 0)
    return tmp_path


def drawn_twice(root, stage, name, settings, **inputs):
    """The picture, once it is known to be the same at a second time and with several threads."""
    jobs = [make_job(root, f"{name}{time}", settings, **inputs) for time in ("first", "second")]
    for job in jobs:
        stage.run(job)
    first, second = (job.out / name for job in jobs)
    assert [path.name for path in jobs[0].out.iterdir()] == [name]
    assert first.read_bytes() == second.read_bytes()
    return first


def texts(path):
    """What stands in an SVG; it must be whole, and say nothing of when it was made."""
    tree = ElementTree.fromstring(path.read_text())
    assert not re.search(r"<dc:date>", path.read_text())
    return ["".join(text.itertext()) for text in tree.iter(f"{SVG}text")]


def test_learning_curves(root):
    metrics = root / "metrics.csv"
    metrics.write_text("step,lr,loss,source_ce,new_term\n10,0.1,2,1,1\n20,0.05,1,0.5,1\n")
    said = texts(drawn_twice(root, plot_learning_curves, "learning_curves.svg", {}, metrics=[metrics]))
    assert {"loss, all terms weighted", "source cross-entropy", "new_term", "last 0.5"} <= set(said)


def test_iou_over_time(root):
    metrics = root / "metrics.csv"
    metrics.touch()
    settings = {"every": 10, "target": SPLIT | {"size": list(SIZE)}}
    with pytest.raises(BismapError, match=r"validation\.csv: the run was trained without .*validate_every"):
        plot_validation.run(make_job(root, "bare", settings, metrics=[metrics]))
    (root / "validation.csv").write_text("step,miou,road,sky,tree\n10,0.25,0.5,0,\n20,0.5,0.75,0.25,\n")
    said = texts(drawn_twice(root, plot_validation, "validation.svg", settings, metrics=[metrics]))
    assert {"mean of the classes", "road", "sky", "last 50.0", "last 75.0", "last 25.0"} <= set(said)
    assert "IoU on 3 images of split train at 64 × 32, every 10 steps, %" in said
    assert "tree" not in said


def prototypes(root):
    job = make_job(root, "prototypes", {})
    rng = np.random.default_rng(0)
    fits = []
    for trainid, samples in enumerate((300, 200, 0)):
        if not samples:
            fits.append(ClassFit(0, None))
            continue
        features = torch.from_numpy(rng.normal(trainid, 1, (samples, 4)).astype(np.float16))
        found = fit(features, unit_mixture(features[:2].float()), reg_covar=1e-6, tolerance=1e-3, max_steps=9)
        save_mixture(mixture_file(job.out, trainid), found.mixture)
        fits.append(ClassFit(samples, found))
    write_tables(job.out, NAMES, fits, 2)
    return publish(job)


def test_mixtures(root):
    said = texts(drawn_twice(root, plot_mixtures, "mixtures.svg", {}, prototypes=[prototypes(root)]))
    assert {"road", "sky", "without prototypes: tree", "300 features"} <= set(said)


def scores(root, name, grid):
    job = make_job(root, f"{name}/0-of-1", {})
    rng = np.random.default_rng(0)
    writer = ScoreWriter(job.out, name, grid, NAMES, CITYSCAPES.palette())
    for number in range(3):
        values = rng.normal(0, 9, SIZE[::-1]).astype(np.float32)
        writer.add(f"target{number}", rng.integers(0, 2, SIZE[::-1]).astype(np.uint8), values)
    writer.close()
    return publish(job)


def test_densities(root):
    grid = ScoreGrid(-100.0, 0.125)
    settings = {"threshold": {"least": 2.0}}
    said = texts(drawn_twice(root, plot_densities, "densities.svg", settings, scores=[scores(root, "density", grid)]))
    values = np.concatenate([np.random.default_rng(0).normal(0, 9, SIZE[::-1])])
    kept = float(next(text for text in said if text.startswith("keeps")).split()[1].rstrip("%"))
    assert kept == pytest.approx(100 * np.mean(values >= 2), abs=2)
    assert "δ = 2 nat" in said
    assert any("tree" in text for text in said)


def test_label_curves(root):
    curves = []
    for name in ("density", "confidence"):
        job = make_job(root, f"{name}_curve", {"target": SPLIT}, scores=[scores(root, name, ScoreGrid(-100.0, 0.01))])
        pseudo_label_curve.run(job)
        curves.append(job.out / "curve.csv")
    settings = {"assignments": [["softmax", {"setting": 0.5}], ["maps", {"share": 0.6}]]}
    said = texts(drawn_twice(root, plot_label_curves, "label_curves.svg", settings, curves=curves))
    assert [text for text in said if text in ("maps", "softmax")] == ["softmax", "maps"]
    with pytest.raises(ValueError, match="zip"):
        plot_label_curves.run(make_job(root, "one", settings, curves=curves[:1]))


def test_transferability(root):
    job = make_job(root, "maps/0-of-1", {})
    for number in range(3):
        write_gray8(job.out / f"source{number}.png", np.full(SIZE[::-1], 51, np.uint8))
    maps = [publish(job)]
    name = "transferability.svg"
    said = texts(drawn_twice(root, plot_transferability, name, {"source": SPLIT}, transferability=maps))
    assert said.count("mean 0.20") == 3  # all, road, sky
    assert any("tree" in text for text in said)


def test_clusters(root):
    rng = np.random.default_rng(0)
    cells = make_job(root, "cells/0-of-1", {})
    writer = CellWriter(cells.out / STORE, [f"target{number}" for number in range(3)], (2, 4), 5)
    features = rng.normal(size=(3, 8, 5)).astype(np.float32)
    for of_image in features:
        writer.add(of_image)
    writer.close()
    centres = make_job(root, "centres", {})
    save_file({"centres": features[:2, 0]}, centres.out / "centres.safetensors")
    (centres.out / "clusters.csv").write_text("cluster,size,mean_distance\n0,11,1.5\n1,13,1.25\n")
    given = {"cells": [publish(cells)], "centres": [publish(centres)]}
    with Image.open(drawn_twice(root, plot_clusters, "clusters.png", {"target": SPLIT}, **given)) as sheet:
        assert sheet.width > 1000
    (root / "target" / "images" / "target0.png").unlink()
    with pytest.raises(BismapError, match=r"target0\.png: cannot be read"):
        plot_clusters.run(make_job(root, "broken", {"target": SPLIT}, **given))


def test_the_list_names_each_file_with_its_hash(root):
    files = [root / name for name in ("b.svg", "a.png")]
    for file in files:
        file.write_text(f"of {file.name}")
    settings = {"paths": ["gpa/plots/b.svg", "extractor/plots/a.png"]}
    lines = drawn_twice(root, plots, "plots.csv", settings, files=files).read_text().splitlines()
    digests = [hashlib.sha256(f"of {name}".encode()).hexdigest() for name in ("b.svg", "a.png")]
    assert lines == [
        "path,bytes,sha256", f"gpa/plots/b.svg,8,{digests[0]}", f"extractor/plots/a.png,8,{digests[1]}",
    ]  # fmt: skip
