"""The overview stage: which columns are drawn."""

import numpy as np
import pytest
from PIL import Image

from bismap.data.classes import CITYSCAPES
from bismap.data.images import write_gray8, write_image, write_label
from bismap.errors import BismapError
from bismap.inspect.colormap import VIRIDIS
from bismap.stages import overview

from .small_domains import make_domain, make_job, publish

SETTINGS = {
    "source": {"split": "train", "size": [64, 32]},
    "target": {"split": "train", "size": [64, 32]},
    "seed": 0,
    "images": 2,
    "thumb_width": 150,
}
BLUE = (12, 34, 250)


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "source", 4, 40)
    make_domain(tmp_path, "target", 4, 0)
    return tmp_path


def written(root, name, domain, write, value, images=4):
    job = make_job(root, f"{name}/0-of-1", {})
    for i in range(images):
        write(job.out / f"{domain}{i}.png", value)
    return [publish(job)]


def label(path, value):
    write_label(path, value, CITYSCAPES.palette())


def drawn(root, **inputs):
    job = make_job(root, "overview", SETTINGS, **inputs)
    overview.run(job)
    return Image.open(job.out / "overview.png")


def test_a_run_with_everything_has_four_columns(root):
    picture = drawn(
        root,
        pseudo_labels=written(root, "pseudo", "target", label, np.full((16, 32), 255, np.uint8)),
        predictions=written(root, "predictions", "target", label, np.zeros((32, 64), np.uint8)),
        stylized=written(root, "stylized", "source", write_image, np.full((32, 64, 3), BLUE, np.uint8)),
        transferability=written(root, "maps", "source", write_gray8, np.full((32, 64), 200, np.uint8)),
    )
    assert picture.width == 2 * 24 + 4 * 150 + 3 * 8
    pixels = np.asarray(picture)
    for color in (BLUE, tuple(VIRIDIS[200].tolist())):
        assert (pixels == color).all(-1).sum() >= 2 * 150 * 75


def test_a_run_on_raw_images_has_photograph_and_labels(root):
    assert drawn(root).width == 2 * 24 + 2 * 150 + 8


def test_incomplete_files_are_named(root):
    predictions = written(root, "predictions", "target", label, np.zeros((32, 64), np.uint8), images=1)
    with pytest.raises(BismapError, match="no file of target"):
        drawn(root, predictions=predictions)
