import numpy as np
import pytest

from bismap.data.dataset import open_dataset
from bismap.data.index import check_dataset, write_index
from bismap.errors import BismapError
from tests.fixtures import miniatures
from tests.fixtures.png import write_png

WRITERS = {
    "gta5": miniatures.write_gta5,
    "synthia": miniatures.write_synthia,
    "cityscapes": miniatures.write_cityscapes,
    "folder": miniatures.write_folder,
}


def make_dataset(layout, root, entry, **miniature):
    raw = WRITERS[layout](root, **miniature)
    entry.mkdir()
    write_index(check_dataset(layout, root, missing_pairs=[], threads=2, cache_folder=None), entry)
    return raw, open_dataset(entry / "index.csv", root)


@pytest.mark.parametrize("layout", WRITERS)
def test_labels_read_back_through_the_index(layout, tmp_path):
    raw, dataset = make_dataset(layout, tmp_path / "raw", tmp_path / "entry")
    seen = set()
    for item in dataset.all_items:
        expected = np.vectorize(dataset.label_map.classes.__getitem__, otypes=[np.uint8])(raw[item.id])
        label = dataset.read_label(item)
        assert label.dtype == np.uint8
        np.testing.assert_array_equal(label, expected)
        assert (item.height, item.width) == label.shape
        assert item.pixels == tuple(int((expected == c).sum()) for c in range(len(dataset.classes)))
        assert item.image.is_file()
        seen.add(item.id)
    assert seen == set(raw)


def test_synthia_labels_are_not_all_one_class(tmp_path):
    """The trap of 16-bit RGB: a reader of the high bytes sees id 0 everywhere."""
    _, dataset = make_dataset("synthia", tmp_path / "raw", tmp_path / "entry")
    for item in dataset.items("train"):
        assert len(np.unique(dataset.read_label(item))) > 10
        assert sum(item.pixels) > 0.8 * item.height * item.width


def test_items_of_a_split_are_sorted_by_id(tmp_path):
    _, dataset = make_dataset("folder", tmp_path / "raw", tmp_path / "entry", splits={"b": ("z", "y"), "a": ("y",)})
    assert [item.id for item in dataset.items("b")] == ["y", "z"]
    assert [item.id for item in dataset.items("a")] == ["y"]
    assert dataset.classes.names == miniatures.FOLDER_CLASSES
    with pytest.raises(BismapError, match=r"no split `c` in the index \(it holds: a, b\)"):
        dataset.items("c")


def test_palettised_folder_with_two_ignored_values(tmp_path):
    raw, dataset = make_dataset("folder", tmp_path / "raw", tmp_path / "entry", ignore=[11, 255], palettised=True)
    item = dataset.items("day")[0]
    label = dataset.read_label(item)
    assert set(np.unique(label[raw[item.id] == 11])) == {255}


def test_split_without_labels(tmp_path):
    _, dataset = make_dataset("cityscapes", tmp_path / "raw", tmp_path / "entry", labelled=["val"])
    item = dataset.items("train")[0]
    assert item.label is None
    assert item.pixels == (0,) * 19
    with pytest.raises(BismapError, match="no label, but one is needed"):
        dataset.read_label(item)


def test_index_and_data_behind_links(tmp_path):
    make_dataset("gta5", tmp_path / "disk", tmp_path / "entry")
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    (tmp_path / "public").mkdir()
    (tmp_path / "public/index.csv").symlink_to(tmp_path / "entry/index.csv")
    dataset = open_dataset(tmp_path / "public/index.csv", tmp_path / "data")
    assert dataset.read_label(dataset.items("train")[0]).any()


def test_label_changed_since_the_index(tmp_path):
    raw, dataset = make_dataset("gta5", tmp_path / "raw", tmp_path / "entry")
    item = dataset.items("train")[0]
    write_png(item.label, raw[item.id][:-1], miniatures.PALETTE)
    with pytest.raises(BismapError, match=r"00001\.png: .* the file has changed"):
        dataset.read_label(item)
    write_png(item.label, raw[item.id] + 30, miniatures.PALETTE)
    with pytest.raises(BismapError, match=r"00001\.png: unknown label ids"):
        dataset.read_label(item)


@pytest.mark.parametrize("lost", ["index.csv", "classes.json"])
def test_incomplete_index_is_named(lost, tmp_path):
    make_dataset("gta5", tmp_path / "raw", tmp_path / "entry")
    (tmp_path / "entry" / lost).unlink()
    with pytest.raises(BismapError, match=r"index\.csv: no index\.csv with its classes\.json"):
        open_dataset(tmp_path / "entry/index.csv", tmp_path / "raw")
