"""Label images side by side: which are drawn, in which colours, and what is written below."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bismap.data.classes import ClassSet
from bismap.data.images import write_label
from bismap.errors import BismapError
from bismap.inspect.figures.label_images import files_of_sets, items_to_draw, label_note
from bismap.inspect.figures.panels import DPI, LEAST, WIDTH, Panel, coloured, draw_panels, panel_pixels
from bismap.inspect.figures.saving import save_figure
from bismap.store import write_manifest

CLASSES = ClassSet(("road", "sky"), ((10, 200, 30), (200, 20, 220)))
LABEL = np.array([[0, 0, 1, 1], [0, 255, 1, 1]], np.uint8)


def pixels_of(figure: Figure, folder) -> np.ndarray:
    save_figure(figure, folder)
    return np.asarray(Image.open(io.BytesIO((folder / "figure.png").read_bytes())).convert("RGB"))


def test_labels_have_the_colours_of_their_classes_and_nothing_in_between():
    picture = coloured(LABEL, CLASSES).fitted(400)
    assert picture.shape == (200, 400, 3)
    quarter = 100
    assert tuple(picture[0, 0]) == (10, 200, 30)
    assert tuple(picture[-1, 2 * quarter]) == (200, 20, 220)
    assert tuple(picture[-1, int(1.5 * quarter)]) == (0, 0, 0)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3


def test_every_picture_stands_in_the_file_pixel_by_pixel(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (100, panel_pixels(3), 3), np.uint8)
    labels = np.tile(LABEL, (50, 1))[:, np.arange(panel_pixels(3)) % 4]
    rows = [[Panel(noise, smooth=True), coloured(labels, CLASSES, "50 % labelled"), Panel(noise)]]
    picture = pixels_of(draw_panels(["photograph", "maps", "truth"], rows, CLASSES), tmp_path)
    tops, lefts = np.nonzero((picture == noise[0, 0]).all(-1))
    found = [(y, x) for y, x in zip(tops, lefts, strict=True) if (picture[y, x : x + 9] == noise[0, :9]).all()]
    assert len(found) == 2
    for top, left in found:
        np.testing.assert_array_equal(picture[top : top + noise.shape[0], left : left + noise.shape[1]], noise)


def test_a_figure_is_the_same_bytes_each_time(tmp_path):
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_figure(draw_panels(["a"], [[coloured(LABEL, CLASSES, "note")]], CLASSES), tmp_path / name)
        found.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert set(found[0]) == {"figure.png", "figure.svg"}
    assert found[0] == found[1]
    assert b"<dc:date>" not in found[0]["figure.svg"]


def test_the_note_counts_labelled_pixels_and_those_of_known_truth():
    truth = np.array([[0, 1, 1, 255], [0, 0, 0, 1]], np.uint8)
    # Seven of eight are labelled; of these one has no truth, and four of the other six are right.
    assert label_note(LABEL, truth) == "88 % labelled, 67 % right"
    assert label_note(LABEL, None) == "88 % labelled"
    assert label_note(np.full((2, 4), 255, np.uint8), truth) == "0 % labelled"


def test_the_note_brings_the_truth_to_the_size_of_the_labels():
    truth = np.kron(np.array([[0, 1], [1, 1]], np.uint8), np.ones((4, 4), np.uint8))
    assert label_note(np.array([[0, 1], [1, 0]], np.uint8), truth) == "100 % labelled, 75 % right"


def item(name: str) -> SimpleNamespace:
    return SimpleNamespace(id=name, split="val")


def test_images_are_drawn_by_number_or_by_name():
    items = [item(f"{n:03}") for n in range(40)]
    drawn = [one.id for one in items_to_draw(items, 3, 0)]
    assert len(drawn) == 3
    assert drawn == [one.id for one in items_to_draw(items[::-1], 3, 0)]
    assert [one.id for one in items_to_draw(items, ["030", "002"], 0)] == ["030", "002"]
    with pytest.raises(BismapError, match=r"no image `x` among the 40 of split `val` \(000 \.\.\. 039\)"):
        items_to_draw(items, ["002", "x"], 0)


def published(root, name, ids):
    folder = root / name
    folder.mkdir(parents=True)
    for one in ids:
        write_label(folder / f"{one}.png", LABEL, CLASSES.palette())
    write_manifest(folder)
    return folder / "manifest.csv"


def test_the_shards_of_each_set_are_found_whatever_their_number(tmp_path):
    first = [published(tmp_path, "gpa/0", "ab"), published(tmp_path, "gpa/1", "c")]
    second = [published(tmp_path, "bismap/0", "abc")]
    gpa, bismap = files_of_sets([*first, *second], ["gpa", "bismap"])
    assert {one: path.parent.parent.name for one, path in gpa.items()} == dict.fromkeys("abc", "gpa")
    assert {one: path.parent.parent.name for one, path in bismap.items()} == dict.fromkeys("abc", "bismap")
    with pytest.raises(BismapError, match="label images of 1 sets, expected 2: gpa, bismap"):
        files_of_sets(first, ["gpa", "bismap"])


def test_many_columns_make_the_figure_wider_and_no_picture_too_narrow():
    one = [coloured(LABEL, CLASSES)]
    few, many = (draw_panels(["a"] * n, [one * n], CLASSES).get_figwidth() for n in (3, 9))
    assert few == pytest.approx(WIDTH, abs=3 / DPI)
    assert many > 9 * LEAST
