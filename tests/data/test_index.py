import hashlib
import logging
import os

import pytest

from bismap.data import measured_files
from bismap.data.index import check_dataset
from bismap.errors import BismapError
from tests.fixtures import miniatures
from tests.fixtures.png import write_png


def check(layout, root, missing_pairs=(), cache=None, threads=2):
    return check_dataset(layout, root, missing_pairs, threads, cache)


def complaints(layout, root, missing_pairs=()):
    with pytest.raises(BismapError) as caught:
        check(layout, root, missing_pairs)
    return str(caught.value).splitlines()


def test_all_problems_are_reported_at_once(tmp_path):
    raw = miniatures.write_gta5(tmp_path, numbers=range(1, 11))
    image, label = "images/{:05d}.png".format, "labels/{:05d}.png".format
    cut = (tmp_path / image(1)).read_bytes()
    (tmp_path / image(1)).write_bytes(cut[: len(cut) // 2])
    (tmp_path / label(2)).write_bytes((tmp_path / label(2)).read_bytes()[:-20])
    write_png(tmp_path / label(3), raw["00003"])  # grey, no palette
    write_png(tmp_path / label(4), raw["00004"][:, :-1], miniatures.PALETTE)
    unknown = raw["00005"].copy()
    unknown[0, :2] = 77, 99
    write_png(tmp_path / label(5), unknown, miniatures.PALETTE)
    (tmp_path / label(6)).unlink()
    (tmp_path / image(7)).unlink()
    for path in (image(8), label(8)):
        (tmp_path / path).unlink()
    (tmp_path / "images/00009.PNG").write_bytes((tmp_path / image(9)).read_bytes())
    (tmp_path / "images/sky.png").write_bytes((tmp_path / image(9)).read_bytes())

    lines = complaints("gta5", tmp_path)
    height, width = raw["00004"].shape
    expected = [
        "images/00001.png: cannot be decoded",
        "images/00006.png: image without label",
        "images/00008.png: missing ids 8 (1): get them anew, or name them in missing_pairs",
        "images/00009.png: duplicate: images/00009.PNG has the same name",
        "images/sky.png: image without label",
        "images/sky.png: the name must be a number",
        "labels/00002.png: cannot be decoded",
        "labels/00003.png: expected label ids as palettised PNG, found an 8-bit grey PNG",
        f"labels/00004.png: {width - 1}x{height} pixels, but its image has {width}x{height}",
        "labels/00005.png: unknown label ids 77, 99; accepted are 0-34",
        "labels/00007.png: label without image",
    ]
    assert lines[0].startswith(f"11 problems in the data set {tmp_path}")
    assert len(lines) == 1 + len(expected)
    for line, text in zip(lines[1:], expected, strict=True):
        assert line.strip().startswith(text)


def test_long_reports_are_cut_with_a_count(tmp_path):
    miniatures.write_gta5(tmp_path, numbers=range(1, 61), size=(40, 12))
    for path in (tmp_path / "labels").iterdir():
        path.write_bytes(b"")
    lines = complaints("gta5", tmp_path)
    assert lines[0].startswith("60 problems")
    assert len(lines) == 52
    assert lines[-1].strip() == "... and 10 more"
    with pytest.raises(BismapError, match=r"\.\.\. and 10 more; all are listed in .*problems\.txt"):
        check_dataset("gta5", tmp_path, (), 1, tmp_path / "cache")
    listed = (tmp_path / "cache" / "problems.txt").read_text().splitlines()
    assert len(listed) == 60
    assert listed[:50] == lines[1:51]


def test_folder_problems_and_class_file_at_once(tmp_path):
    miniatures.write_folder(tmp_path)
    (tmp_path / "classes.json").write_text("{}")
    (tmp_path / "splits/none.txt").write_text("")
    (tmp_path / "labels/a/001.png").unlink()
    (tmp_path / "images/b/004.jpg").write_bytes(b"\xff\xd8\xff")
    starts = [line.split(":")[0].strip() for line in complaints("folder", tmp_path)[1:]]
    assert starts == ["classes.json", "images/a/001.jpg", "images/b/004.jpg", "splits/none.txt"]


def test_value_that_is_neither_class_nor_ignored(tmp_path):
    raw = miniatures.write_folder(tmp_path)
    ids = raw["a__001"].copy()
    ids[0, 0] = 11
    write_png(tmp_path / "labels/a/001.png", ids)
    assert "labels/a/001.png: unknown label ids 11; accepted are 0-4, 255" in complaints("folder", tmp_path)[1]


def test_folder_without_images(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    assert "not one image; it must look like this" in complaints("gta5", tmp_path)[1]


@pytest.mark.parametrize("name", ["2", "02", "00002"])
def test_missing_pairs_are_accepted_however_they_are_written(tmp_path, name):
    miniatures.write_gta5(tmp_path, numbers=range(1, 5))
    (tmp_path / "labels/00002.png").unlink()
    assert [row.file.id for row in check("gta5", tmp_path, [name]).rows] == ["00001", "00003", "00004"]
    (tmp_path / "images/00002.png").unlink()
    assert len(check("gta5", tmp_path, [name]).rows) == 3
    miniatures.write_gta5(tmp_path, numbers=[2])
    assert len(check("gta5", tmp_path, [name]).rows) == 4  # a sound pair is used


def test_missing_pairs_beyond_the_data_change_nothing(tmp_path):
    miniatures.write_gta5(tmp_path)
    assert len(check("gta5", tmp_path, ["2154", "12050"]).rows) == 4


def test_listed_pair_of_different_sizes_is_left_out(tmp_path):
    raw = miniatures.write_gta5(tmp_path)
    write_png(tmp_path / "labels/00003.png", raw["00003"][1:], miniatures.PALETTE)
    assert "images" not in complaints("gta5", tmp_path)[1].split(":")[0]
    assert [row.file.id for row in check("gta5", tmp_path, ["3"]).rows] == ["00001", "00002", "00004"]


def test_a_listed_pair_that_is_damaged_is_still_a_problem(tmp_path):
    miniatures.write_gta5(tmp_path)
    (tmp_path / "labels/00003.png").write_bytes(b"")
    assert len(complaints("gta5", tmp_path, ["3"])) == 2


def test_nothing_left_of_a_split(tmp_path):
    miniatures.write_gta5(tmp_path, numbers=[1])
    (tmp_path / "labels/00001.png").unlink()
    assert "train: empty split" in complaints("gta5", tmp_path, ["1"])[1]


def test_a_missing_first_part_is_found(tmp_path):
    miniatures.write_gta5(tmp_path, numbers=(31, 32, 36))
    lines = complaints("gta5", tmp_path)
    assert "images/00001.png: missing ids 1-30 (30)" in lines[1]
    assert "images/00033.png: missing ids 33-35 (3)" in lines[2]


def test_synthia_starts_at_zero_and_needs_labels(tmp_path):
    miniatures.write_synthia(tmp_path, numbers=(0, 1))
    (tmp_path / "GT/LABELS/0000001.png").unlink()
    (tmp_path / "GT/LABELS/0000000.png").unlink()
    assert len(complaints("synthia", tmp_path)) == 3


def test_synthia_labels_converted_to_8_bit_are_refused(tmp_path):
    raw = miniatures.write_synthia(tmp_path, numbers=(0,))
    write_png(tmp_path / "GT/LABELS/0000000.png", raw["0000000"])
    assert "expected label ids as 16-bit RGB PNG, found an 8-bit grey PNG" in complaints("synthia", tmp_path)[1]


def test_a_split_has_all_labels_or_none(tmp_path):
    miniatures.write_cityscapes(tmp_path, labelled=["val"])
    assert len(check("cityscapes", tmp_path).rows) == 7
    next((tmp_path / "gtFine/val").rglob("*labelIds.png")).unlink()
    (line,) = complaints("cityscapes", tmp_path)[1:]
    assert "image without label" in line


def test_cityscapes_label_without_image(tmp_path):
    miniatures.write_cityscapes(tmp_path)
    next((tmp_path / "leftImg8bit/val").rglob("*.png")).unlink()
    (line,) = complaints("cityscapes", tmp_path)[1:]
    assert "labelIds.png: label without image" in line


def test_rows_are_sorted_and_hold_content_hashes(tmp_path):
    miniatures.write_folder(tmp_path)
    rows = check("folder", tmp_path).rows
    keys = [(row.file.id, row.file.split) for row in rows]
    assert keys == sorted(keys)
    for row in rows:
        assert row.image.sha256 == hashlib.sha256((tmp_path / row.file.image).read_bytes()).hexdigest()
        assert row.label.sha256 == hashlib.sha256((tmp_path / row.file.label).read_bytes()).hexdigest()


def test_cache_reads_only_what_differs(tmp_path, monkeypatch):
    root, cache = tmp_path / "raw", tmp_path / "cache"
    miniatures.write_gta5(root)
    first = check("gta5", root, cache=cache)
    read = []
    original = measured_files.read_bytes
    monkeypatch.setattr(measured_files, "read_bytes", lambda path: read.append(path.name) or original(path))
    assert check("gta5", root, cache=cache) == first
    assert read == []
    os.utime(root / "images/00002.png", ns=(1, 1))
    assert check("gta5", root, cache=cache) == first
    assert read == ["00002.png"]


def test_cache_keeps_sound_files_of_a_refused_data_set(tmp_path, monkeypatch):
    root, cache = tmp_path / "raw", tmp_path / "cache"
    miniatures.write_gta5(root)
    sound = (root / "labels/00003.png").read_bytes()
    (root / "labels/00003.png").write_bytes(sound[:-20])
    for _ in range(2):
        with pytest.raises(BismapError, match="1 problem in"):
            check("gta5", root, cache=cache)
    (root / "labels/00003.png").write_bytes(sound)
    assert check("gta5", root, cache=cache) == check("gta5", root)


@pytest.mark.parametrize("damage", [b"nonsense\n", b"\xff\xfe", b"a,1,2,short,3,4,\n", b'"'])
def test_damaged_cache_is_ignored_and_told(tmp_path, damage, caplog):
    root, cache = tmp_path / "raw", tmp_path / "cache"
    miniatures.write_gta5(root, numbers=(1,))
    first = check("gta5", root, cache=cache)
    (path,) = cache.iterdir()
    path.write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        assert check("gta5", root, cache=cache) == first
    assert f"{path} is damaged" in caplog.text


@pytest.mark.parametrize("threads", [1, 5])
def test_threads_do_not_matter(tmp_path, threads):
    miniatures.write_synthia(tmp_path)
    assert check("synthia", tmp_path, threads=threads) == check("synthia", tmp_path)


def test_missing_file_behind_a_dangling_link(tmp_path):
    miniatures.write_gta5(tmp_path)
    (tmp_path / "images/00001.png").unlink()
    (tmp_path / "images/00001.png").symlink_to(tmp_path / "gone.png")
    assert "images/00001.png: cannot be read (No such file" in complaints("gta5", tmp_path)[1]
