"""Finding and reading a domain's images."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bismap.errors import BismapError
from bismap.extractor.images import domain_images, read_ahead, shrunk_copy


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"image{i}.png" for i in range(9)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((8, 12, 3), i, np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("threads", [1, 3])
def test_images_come_in_order(files, threads):
    read = list(read_ahead(files, (6, 4), threads))
    assert [image[0, 0, 0] for image in read] == list(range(9))
    assert read[0].shape == (4, 6, 3)


def test_shrunk_copy_is_made_once(files, tmp_path):
    first = shrunk_copy(files, (6, 4), tmp_path / "copy.npy", 1)
    for path in files:
        path.unlink()
    again = shrunk_copy(files, (6, 4), tmp_path / "copy.npy", 1)
    np.testing.assert_array_equal(first, again)
    assert again.shape == (9, 4, 6, 3)


def test_a_copy_that_fails_leaves_nothing_to_go_on_from(files, tmp_path):
    files[5].write_bytes(b"broken")
    with pytest.raises(BismapError, match="image5"):
        shrunk_copy(files, (6, 4), tmp_path / "copy.npy", 1)
    assert not (tmp_path / "copy.npy").exists()


def test_stylised_images_take_the_place_of_raw_ones(files, tmp_path):
    items = [SimpleNamespace(id=f"image{i}", image=f"raw{i}") for i in range(9)]
    dataset = SimpleNamespace(items=lambda split: items)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,bytes,sha256\n" + "".join(f"{path.name},1,x\n" for path in files))
    assert domain_images(dataset, "train")[3] == ("image3", "raw3")
    assert domain_images(dataset, "train", [manifest])[3] == ("image3", files[3])
    items.append(SimpleNamespace(id="other", image="raw"))
    with pytest.raises(BismapError, match="1 images are not stylised, other first"):
        domain_images(dataset, "train", [manifest])
