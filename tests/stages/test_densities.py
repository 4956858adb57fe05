"""The densities stage on the CPU."""

import csv
import json
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from bismap.data.images import read_image
from bismap.errors import BismapError
from bismap.models.inference import feature_map
from bismap.models.network import build_network
from bismap.models.weights import load_network, save_network
from bismap.prototypes.mixtures import CLASSES, Mixture, Mixtures, mixture_file, save_mixture
from bismap.pseudo_labels.densities import gaussian_bank, most_likely_classes
from bismap.stages import densities

from .small_domains import NAMES, SIZE, make_domain, make_job, publish
from .small_models import NETWORK, make_model

OFFSET, STEP = -4096.0, 0.125
SETTINGS = {"target": {"split": "train", "size": list(SIZE)}, "density_offset": OFFSET, "density_step": STEP}
IDS = [f"target{i}" for i in range(4)]


def make_mixtures(features):
    """Two components around features of each half; no tree."""
    height, width = features.shape[1:]
    spread = features.flatten(1).var(1).double() + 1e-3
    mixtures = []
    for row in (3 * height // 4, height // 4):  # road, sky
        means = features[:, row, [width // 4, 3 * width // 4]].T.double()
        mixtures.append(Mixture(torch.tensor([0.25, 0.75], dtype=torch.float64), means, spread.repeat(2, 1)))
    return [*mixtures, None]


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "target", len(IDS), 0)
    model = make_model(tmp_path / "model.safetensors", tmp_path / "target" / "images")
    prototypes = make_job(tmp_path, "prototypes", {})
    rows = ["class,name,status"]
    for c, mixture in enumerate(make_mixtures(features_of(model, tmp_path, IDS[0]))):
        rows.append(f"{c},{NAMES[c]},{'absent' if mixture is None else 'fitted'}")
        if mixture is not None:
            save_mixture(mixture_file(prototypes.out, c), mixture)
    (prototypes.out / CLASSES).write_text("\n".join(rows) + "\n")
    publish(prototypes)
    return tmp_path


def features_of(network, root, image_id):
    image = read_image(root / "target" / "images" / f"{image_id}.png")
    return feature_map(network, torch.from_numpy(image)[None], "fp32")[0]


def run(root, name, shards=1, settings=SETTINGS):
    """The folders that the shards write."""
    folders = []
    for i in range(shards):
        inputs = {"model": [root / "model.safetensors"], "prototypes": [root / "prototypes.csv"]}
        job = make_job(root, f"{name}/{i}-of-{shards}", settings, **inputs)
        densities.run(job)
        folders.append(job.out)
    return folders


def pictures(folders):
    return {path.name: path for folder in folders for path in folder.glob("*.png")}


def histogram(folders):
    """Pixels by class and code, of all shards."""
    counts = Counter()
    for folder in folders:
        with (folder / "histogram.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                assert row["name"] == NAMES[int(row["class"])]
                assert float(row["density"]) == OFFSET + STEP * int(row["code"])
                counts[int(row["class"]), int(row["code"])] += int(row["pixels"])
    return counts


def test_class_map_and_densities_are_those_of_the_upsampled_features(root):
    (folder,) = run(root, "whole")
    assert sorted(pictures([folder])) == sorted(f"{i}{end}" for i in IDS for end in (".png", ".density.png"))
    network = load_network(root / "model.safetensors", "cpu", NAMES)
    mixtures = Mixtures.of(make_mixtures(features_of(network, root, IDS[0])))
    for image_id in IDS:
        classes, density = most_likely_classes(features_of(network, root, image_id), gaussian_bank(mixtures), SIZE)
        found = Image.open(folder / f"{image_id}.png")
        assert found.mode == "P"
        assert np.array_equal(np.array(found), classes)
        assert set(np.unique(classes)) == {0, 1}
        stored = OFFSET + STEP * np.array(Image.open(folder / f"{image_id}.density.png")).astype(float)
        assert stored.min() > OFFSET
        assert np.all((stored <= density) & (density < stored + STEP))
    assert json.loads((folder / "grid.json").read_text()) == {
        "score": "density",
        "offset": OFFSET,
        "step": STEP,
        "classes": list(NAMES),
    }


def test_tables_are_those_of_the_pictures(root):
    (folder,) = run(root, "whole")
    expected = Counter()
    with (folder / "images.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert list(rows) == IDS
    for image_id in IDS:
        classes = np.array(Image.open(folder / f"{image_id}.png")).ravel()
        codes = np.array(Image.open(folder / f"{image_id}.density.png")).ravel()
        expected.update(zip(classes.tolist(), codes.tolist(), strict=True))
        stored = OFFSET + STEP * codes.astype(float)
        assert float(rows[image_id]["mean_density"]) == pytest.approx(stored.mean(), abs=1e-4)
        assert float(rows[image_id]["median_density"]) == pytest.approx(np.median(stored), abs=1e-4)
    assert histogram([folder]) == expected
    assert expected.total() == len(IDS) * SIZE[0] * SIZE[1]


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_do_not_matter(root, shards):
    whole, parts = run(root, "whole"), run(root, "parts", shards)
    assert all(pictures([folder]) for folder in parts)
    files = [{name: path.read_bytes() for name, path in pictures(folders).items()} for folders in (whole, parts)]
    assert files[0] == files[1]
    assert histogram(parts) == histogram(whole)
    rows = [row for folder in parts for row in (folder / "images.csv").read_text().splitlines()[1:]]
    assert sorted(rows) == (whole[0] / "images.csv").read_text().splitlines()[1:]
    assert {(folder / "grid.json").read_text() for folder in (*whole, *parts)} == {(whole[0] / "grid.json").read_text()}


def test_images_are_brought_to_the_nominal_size(root):
    half = SETTINGS | {"target": {"split": "train", "size": [SIZE[0] // 2, SIZE[1] // 2]}}
    (folder,) = run(root, "half", settings=half)
    assert {Image.open(path).size for path in pictures([folder]).values()} == {(SIZE[0] // 2, SIZE[1] // 2)}


def test_prototypes_of_another_network_are_refused(root):
    network = build_network(NETWORK | {"decoder_channels": 6}, len(NAMES))
    save_network(root / "model.safetensors", network, {"classes": list(NAMES)})
    with pytest.raises(BismapError, match="another network"):
        run(root, "whole")
