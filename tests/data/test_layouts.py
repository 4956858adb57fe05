import json
import subprocess
import sys
import time

import pytest

from bismap.data import IGNORE
from bismap.data.classes import CITYSCAPES
from bismap.data.layouts import LAYOUTS, RawFile, describe, get_layout, list_raw, scan
from bismap.errors import BismapError
from tests.fixtures import miniatures

# A§13, written the other way round: trainId of each id.
GTA5_IDS = "7:0 8:1 11:2 12:3 13:4 17:5 19:6 20:7 21:8 22:9 23:10 24:11 25:12 26:13 27:14 28:15 31:16 32:17 33:18"
SYNTHIA_IDS = "3:0 4:1 2:2 21:3 5:4 7:5 15:6 9:7 6:8 16:9 1:10 10:11 17:12 8:13 18:14 19:15 20:16 12:17 11:18"


@pytest.mark.parametrize(
    ("layout", "ids", "last"),
    [("gta5", GTA5_IDS, 34), ("cityscapes", GTA5_IDS, 33), ("synthia", SYNTHIA_IDS, 22)],
)
def test_id_maps(layout, ids, last, tmp_path):
    expected = dict.fromkeys(range(last + 1), IGNORE)
    expected |= {int(label): int(train_id) for label, train_id in (pair.split(":") for pair in ids.split())}
    spec = get_layout(layout).label_spec(tmp_path)
    assert spec.label_map == expected
    assert spec.classes == CITYSCAPES


def test_gta5_listing(tmp_path):
    miniatures.write_gta5(tmp_path, numbers=(1, 2))
    (tmp_path / "images/._00001.png").write_text("left by a Mac")
    assert sorted(list_raw("gta5", tmp_path)) == [
        RawFile("00001", "images/00001.png", "labels/00001.png", "train"),
        RawFile("00002", "images/00002.png", "labels/00002.png", "train"),
    ]


def test_synthia_listing(tmp_path):
    miniatures.write_synthia(tmp_path, numbers=(0,))
    expected = RawFile("0000000", "RGB/0000000.png", "GT/LABELS/0000000.png", "train")
    assert list_raw("synthia", tmp_path) == [expected]


def test_cityscapes_listing(tmp_path):
    miniatures.write_cityscapes(tmp_path, splits={"train": 1, "val": 1}, labelled=["val"])
    train, val = sorted(list_raw("cityscapes", tmp_path))
    assert train == (
        "trainstadt_000000_000000",
        "leftImg8bit/train/trainstadt/trainstadt_000000_000000_leftImg8bit.png",
        None,
        "train",
    )
    assert val.label == "gtFine/val/valstadt/valstadt_000000_000000_gtFine_labelIds.png"


def test_folder_listing_of_overlapping_splits(tmp_path):
    miniatures.write_folder(tmp_path)
    files = sorted(list_raw("folder", tmp_path))
    assert [(file.id, file.split) for file in files] == [
        ("a__001", "day"),
        ("a__002", "day"),
        ("b__003", "day"),
        ("b__003", "dusk"),
        ("b__004", "dusk"),
    ]
    assert files[0] == ("a__001", "images/a/001.jpg", "labels/a/001.png", "day")


def test_ids_hold_neither_slash_nor_dot(tmp_path):
    miniatures.write_folder(tmp_path, splits={"all": ("day.1/take.2",)})
    assert list_raw("folder", tmp_path)[0].id == "day_1__take_2"


def test_linked_folders_are_listed(tmp_path):
    miniatures.write_folder(tmp_path / "disk")
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    (tmp_path / "parts").mkdir()
    for name in ("labels", "splits", "classes.json"):
        (tmp_path / "parts" / name).symlink_to(tmp_path / "disk" / name)
    (tmp_path / "parts/images").mkdir()
    for name in ("a", "b"):
        (tmp_path / "parts/images" / name).symlink_to(tmp_path / "disk/images" / name)
    assert sorted(list_raw("folder", tmp_path / "data")) == sorted(list_raw("folder", tmp_path / "disk"))
    assert sorted(list_raw("folder", tmp_path / "parts")) == sorted(list_raw("folder", tmp_path / "disk"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_missing_folder_says_how_it_must_look(layout, tmp_path):
    with pytest.raises(BismapError) as caught:
        list_raw(layout, tmp_path / "nowhere")
    assert f"there is no folder {tmp_path / 'nowhere'}" in str(caught.value)
    assert describe(layout) in str(caught.value)


def test_missing_part_is_named(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(BismapError, match="lacks `labels`"):
        list_raw("gta5", tmp_path)


def test_unknown_layout():
    with pytest.raises(BismapError, match=r"unknown data set layout `kitti`: expected one of gta5"):
        describe("kitti")


def problems(root):
    return {problem.file: problem.text for problem in scan("folder", root).problems}


def test_names_that_do_not_fit_are_all_found(tmp_path):
    miniatures.write_folder(tmp_path, splits={"all": ("x/1", "x/2")})
    (tmp_path / "images/x/1.png").write_bytes((tmp_path / "images/x/1.jpg").read_bytes())
    (tmp_path / "labels/x/9.png").write_bytes(b"")
    (tmp_path / "splits/empty.txt").write_text("\n")
    (tmp_path / "splits/other.txt").write_text("x/1\nx/1\nx/2.jpg\n")
    found = problems(tmp_path)
    assert "duplicate" in found["images/x/1.png"]
    assert "label without image" in found["labels/x/9.png"]
    assert "empty split" in found["splits/empty.txt"]
    texts = [problem.text for problem in scan("folder", tmp_path).problems if "other" in problem.file]
    assert "names x/1 twice" in texts[0]
    assert "names x/2.jpg, but there is no image" in texts[1]


def test_different_paths_of_one_id_are_found(tmp_path):
    miniatures.write_folder(tmp_path, splits={"all": ("x/1", "x__1")})
    assert "duplicate id x__1" in problems(tmp_path)["images/x__1.jpg"]


def test_empty_split_of_cityscapes(tmp_path):
    miniatures.write_cityscapes(tmp_path)
    (tmp_path / "leftImg8bit/test/berlin").mkdir(parents=True)
    assert [problem.file for problem in scan("cityscapes", tmp_path).problems] == ["leftImg8bit/test"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"ignore": 3}, "`ignore` holds [3], but 0..4 are classes"),
        ({"ignore": [255, 256]}, "`ignore` must be a label value"),
        ({"palette": [[0, 0, 0]]}, "`palette` must hold 5 colours"),
        ({"palette": [[0, 0, 0.5]] * 5}, "`palette` must hold 5 colours"),
        ({"classes": ["a", "a"]}, "`classes` must be a list of 2 to 200 different names"),
        ({"classes": None}, "`classes` must be a list"),
    ],
)
def test_bad_class_file(tmp_path, change, complaint):
    miniatures.write_folder(tmp_path)
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BismapError) as caught:
        get_layout("folder").label_spec(tmp_path)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"), [("{", "cannot be read as JSON"), ("[]", "lacks"), ("{}", "lacks classes")]
)
def test_unreadable_class_file(tmp_path, text, complaint):
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(BismapError, match=complaint):
        get_layout("folder").label_spec(tmp_path)


def test_several_ignored_values(tmp_path):
    miniatures.write_folder(tmp_path, ignore=[11, 255])
    assert get_layout("folder").label_spec(tmp_path).label_map == {
        0: 0,
        1: 1,
        2: 2,
        3: 3,
        4: 4,
        11: 255,
        255: 255,
    }


def test_listing_is_fast(tmp_path):
    """GTA5 whole, 24,966 pairs, must take well under a second; a 25th of it here."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for number in range(1, 1001):
            (tmp_path / folder / f"{number:05d}.png").touch()
    start = time.process_time()
    assert len(list_raw("gta5", tmp_path)) == 1000
    assert time.process_time() - start < 0.05


def test_importing_layouts_loads_only_the_standard_library():
    code = (
        "import sys, bismap.data.layouts\n"
        "heavy = {'numpy', 'PIL', 'torch', 'pandas', 'imagecodecs'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
