"""What of a data set on disk is noticed: names, splits, sizes, times, and the files that give them meaning."""

import json

import pytest
import yaml
from PIL import Image
from workflow.raw import RawData

from bismap.config import load_config
from tests.workflow.runs import ROOT

CLASSES = {"classes": ["road", "sky"], "palette": [[0, 0, 0], [9, 9, 9]], "ignore": 255}


@pytest.fixture
def listing(tmp_path):
    """Folder of a data set of layout `folder`, and a function that gives its listing anew."""
    root = tmp_path / "data"
    for folder in ("images", "labels", "splits"):
        (root / folder).mkdir(parents=True)
    for stem in "abc":
        Image.new("RGB", (8, 8)).save(root / f"images/{stem}.png")
        Image.new("L", (8, 8)).save(root / f"labels/{stem}.png")
    (root / "splits/day.txt").write_text("a\nb\n")
    (root / "splits/dusk.txt").write_text("c\n")
    (root / "classes.json").write_text(json.dumps(CLASSES))
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["datasets"]["camvid"]["root"] = str(root)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw))
    return root, lambda: RawData(load_config(tmp_path / "config.yaml")).listing("camvid")


def _rename_a_class(root):
    (root / "classes.json").write_text(json.dumps(CLASSES | {"classes": ["road", "heaven"]}))


def _move_an_image_to_the_next_split(root):
    (root / "splits/day.txt").write_text("a\n")
    (root / "splits/dusk.txt").write_text("b\nc\n")


def _replace_a_label(root):
    Image.effect_noise((8, 8), 9).save(root / "labels/a.png")


def _remove_an_image(root):
    (root / "images/b.png").unlink()


def _break_a_link(root):
    (root / "images/b.png").unlink()
    (root / "images/b.png").symlink_to("nowhere.png")


@pytest.mark.parametrize(
    "change", [_rename_a_class, _move_an_image_to_the_next_split, _replace_a_label, _remove_an_image, _break_a_link]
)
def test_a_change_is_noticed(listing, change):
    root, list_again = listing
    before = list_again()
    assert list_again() == before
    change(root)
    assert list_again() != before
