"""The stylize stage: files and table, whatever the shards."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from bismap.data.images import read_image
from bismap.stages import stylize
from bismap.stylize.gpa import align

from .small_domains import make_domain, make_job

SETTINGS = {
    "source": {"split": "train"},
    "target": {"split": "train"},
    "seed": 0,
    "beta": 0.01,
    "fit_stride": 2,
    "png_compress_level": 1,
}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "source", 5, 40)
    make_domain(tmp_path, "target", 3, 0)
    return tmp_path


def stylized(root, name, shards, **changes):
    """Bytes of each image and rows of the tables, over all shards."""
    images, rows = {}, []
    for i in range(shards):
        job = make_job(root, f"{name}/{i}-of-{shards}", SETTINGS | changes)
        stylize.run(job)
        images |= {path.name: path.read_bytes() for path in job.out.glob("*.png")}
        rows += list(csv.DictReader((job.out / "transforms.csv").open()))
    return images, rows


def test_each_source_image_is_aligned_with_the_reference_of_its_row(root):
    images, rows = stylized(root, "whole", 1)
    assert sorted(images) == [f"source{i}.png" for i in range(5)]
    assert [row["id"] for row in rows] == [f"source{i}" for i in range(5)]
    row = rows[2]
    reference = read_image(root / "target" / "images" / f"{row['reference']}.png")
    expected = align(read_image(root / "source" / "images" / "source2.png"), reference, 0.01, 2)
    np.testing.assert_array_equal(read_image(root / "whole/0-of-1/source2.png"), expected.image)
    assert float(row["gamma"]) == pytest.approx(expected.gamma, abs=1e-8)
    assert float(row["mean_l_aligned"]) == pytest.approx(expected.mean_aligned, abs=1e-6)
    assert float(row["gamma"]) > 1  # the target is darker


def test_shards_do_not_matter(root):
    assert stylized(root, "whole", 1) == stylized(root, "parts", 3)


def test_seed_chooses_other_references(root):
    references = [[row["reference"] for row in stylized(root, f"s{s}", 1, seed=s)[1]] for s in range(4)]
    assert len({tuple(names) for names in references}) > 1


@pytest.mark.parametrize("stage", ["stylize", "evaluate", "pseudo_label_quality", "overview"])
def test_stages_without_a_network_do_not_import_torch(stage):
    code = f"import sys, bismap.stages.{stage}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
