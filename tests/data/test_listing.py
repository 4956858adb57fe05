"""What a data set goes by: another name for other content, the same for files that were only touched."""

import os

import numpy as np
import pytest
from PIL import Image

from bismap.data import listing as module
from bismap.data.layouts import list_raw
from bismap.data.listing import identity, stamped
from bismap.errors import BismapError
from bismap.job import Job
from bismap.stages.index import run
from tests.fixtures.miniatures import write_gta5

LAYOUT = "gta5"


@pytest.fixture
def world(tmp_path):
    """A small data set, its cache folder, and functions that name and that index it."""
    root, cache = tmp_path / "raw", tmp_path / "cache"
    write_gta5(root)

    def name() -> str:
        return identity(LAYOUT, root, stamped(LAYOUT, root, list_raw(LAYOUT, root)), cache)

    def index(listing: str, missing_pairs=()) -> None:
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        out.mkdir()
        settings = {"layout": LAYOUT, "missing_pairs": list(missing_pairs), "listing": listing}
        run(Job(settings, out, out, roots={"data": root, "cache": cache}))

    return root, name, index


def _touch(root, count=None):
    for path in sorted(root.rglob("*.png"))[:count]:
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


def _flip_a_pixel(path):
    """Other content in as many bytes."""
    pixels = np.array(Image.open(path))
    Image.fromarray(pixels).save(path, compress_level=0)
    before = path.stat().st_size
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(path, compress_level=0)
    assert path.stat().st_size == before


def test_the_name_stays_when_the_index_has_been_made(world):
    _, name, index = world
    before = name()
    index(before)
    assert name() == before


def test_touched_files_change_nothing(world):
    root, name, index = world
    before = name()
    index(before)
    _touch(root)
    assert name() == before
    index(before)  # asked for anew for another reason: goes by the same name, and knows the new times
    assert name() == before


def test_other_content_of_the_same_size_is_noticed(world):
    root, name, index = world
    image = sorted((root / "images").glob("*.png"))[0]
    _flip_a_pixel(image)
    before = name()
    index(before)
    _flip_a_pixel(image)
    assert name() != before


def test_other_content_is_noticed_after_an_index_that_failed(world):
    root, name, index = world
    images = sorted((root / "images").glob("*.png"))
    _flip_a_pixel(images[0])
    before = name()
    index(before)
    whole = images[1].read_bytes()
    _flip_a_pixel(images[0])
    images[1].write_bytes(bytes(len(whole)))
    with pytest.raises(BismapError, match="cannot be decoded"):
        index(name())
    images[1].write_bytes(whole)
    assert name() != before


def test_other_content_of_a_file_that_was_left_out_is_noticed(world):
    root, name, index = world
    image = sorted((root / "images").glob("*.png"))[0]
    (root / "labels" / image.name).unlink()
    _flip_a_pixel(image)
    before = name()
    index(before, missing_pairs=[image.stem])
    assert name() == before
    _flip_a_pixel(image)
    assert name() != before


@pytest.mark.parametrize("change", ["add", "remove"])
def test_added_and_removed_images_are_noticed(world, change):
    root, name, index = world
    before = name()
    index(before)
    last = max(path.stem for path in (root / "images").glob("*.png"))
    for folder in ("images", "labels"):
        path = root / folder / f"{last}.png"
        if change == "add":
            (root / folder / f"{int(last) + 1:05d}.png").write_bytes(path.read_bytes())
        else:
            path.unlink()
    assert name() != before


def test_many_touched_files_are_left_to_the_index(world, monkeypatch):
    root, name, index = world
    before = name()
    index(before)
    monkeypatch.setattr(module, "REREAD", 2)
    _touch(root, count=2)
    assert name() == before
    _touch(root)
    assert name() != before


def test_a_data_set_that_changed_after_the_plan_is_refused(world):
    root, name, index = world
    planned = name()
    _touch(root, count=1)
    with pytest.raises(BismapError, match="has changed since this job was planned"):
        index(planned)


def test_a_data_set_that_changes_under_the_check_is_refused(world, monkeypatch):
    root, name, index = world
    planned = name()
    check = run.__globals__["check_dataset"]

    def check_and_change(**arguments):
        found = check(**arguments)
        _touch(root, count=1)
        return found

    monkeypatch.setitem(run.__globals__, "check_dataset", check_and_change)
    with pytest.raises(BismapError, match="changed while they were checked"):
        index(planned)
