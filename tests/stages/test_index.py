import csv
import json
import logging
from pathlib import Path

import pytest

from bismap.errors import BismapError
from bismap.job import Job
from bismap.stages.index import run
from tests.fixtures import miniatures

CAMVID = Path(__file__).parents[2] / "data/camvid"
SETTINGS = {"layout": "gta5", "missing_pairs": []}


def run_index(out, root, settings=SETTINGS, **roots):
    out.mkdir()
    run(Job(settings=settings, out=out, state=out, roots={"data": root, **roots}, threads=2))
    return out


def test_index_table(tmp_path):
    raw = miniatures.write_gta5(tmp_path / "raw")
    out = run_index(tmp_path / "out", tmp_path / "raw")
    with (out / "index.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["id"] for row in rows] == sorted(raw)
    assert list(rows[0])[:8] == [
        "id",
        "image",
        "label",
        "split",
        "height",
        "width",
        "image_sha256",
        "label_sha256",
    ]
    assert list(rows[0])[8:] == [f"pixels_{c}" for c in range(19)]
    for row in rows:
        assert (row["image"], row["label"]) == (f"images/{row['id']}.png", f"labels/{row['id']}.png")
        assert int(row["pixels_0"]) == (raw[row["id"]] == miniatures.CITYSCAPES_ROAD).sum()
    assert len({(row["height"], row["width"]) for row in rows}) > 1


def test_class_file(tmp_path):
    miniatures.write_folder(tmp_path / "raw", ignore=[11, 255])
    out = run_index(tmp_path / "out", tmp_path / "raw", {"layout": "folder", "missing_pairs": []})
    description = json.loads((out / "classes.json").read_text())
    assert description["layout"] == "folder"
    assert description["classes"] == list(miniatures.FOLDER_CLASSES)
    assert description["label_map"] == {"0": 0, "1": 1, "2": 2, "3": 3, "4": 4, "11": 255, "255": 255}


def test_same_bytes_wherever_the_data_lies_and_with_a_cache(tmp_path):
    miniatures.write_gta5(tmp_path / "raw")
    (tmp_path / "linked").symlink_to(tmp_path / "raw")
    cache = tmp_path / "cache"
    outs = [
        run_index(tmp_path / "1", tmp_path / "raw"),
        run_index(tmp_path / "2", tmp_path / "linked", cache=cache),
        run_index(tmp_path / "3", tmp_path / "linked", cache=cache),
    ]
    assert len({tuple((out / name).read_bytes() for name in ("index.csv", "classes.json")) for out in outs}) == 1
    assert sorted(path.name for path in outs[0].iterdir()) == ["classes.json", "index.csv"]


def test_bad_data_leaves_nothing(tmp_path):
    miniatures.write_gta5(tmp_path / "raw")
    (tmp_path / "raw/labels/00002.png").unlink()
    with pytest.raises(BismapError, match="image without label"):
        run_index(tmp_path / "out", tmp_path / "raw")
    assert not any((tmp_path / "out").iterdir())


def test_classes_that_never_occur_are_told(tmp_path, caplog):
    miniatures.write_synthia(tmp_path / "raw")
    with caplog.at_level(logging.INFO):
        run_index(tmp_path / "out", tmp_path / "raw", {"layout": "synthia", "missing_pairs": []})
    assert "images: train 4" in caplog.text
    assert "classes without a labelled pixel: terrain, truck, train" in caplog.text


@pytest.mark.skipif(not CAMVID.is_dir(), reason="needs data/camvid")
def test_camvid(tmp_path):
    settings = {"layout": "folder", "missing_pairs": []}
    out = run_index(tmp_path / "out", CAMVID, settings)
    with (out / "index.csv").open(newline="") as lines:
        splits = [row["split"] for row in csv.DictReader(lines)]
    assert [splits.count(name) for name in ("day_train", "dusk_adapt", "dusk_eval")] == [305, 62, 62]
