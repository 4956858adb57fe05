"""The stage ``render`` and the layouts that it writes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bismap.demo import ids
from bismap.errors import BismapError
from bismap.job import Job
from bismap.stages import render

ACCEPTED = set(range(34))


def _run(out: Path, domain: str, images: dict[str, int], threads: int = 1, **others: int) -> Path:
    out.mkdir()
    settings = {"domain": domain, "seed": 7, "width": 64, "height": 36, "images": images} | others
    render.run(Job(settings=settings, out=out, state=out.parent, threads=threads))
    return out


def _digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_source_is_in_gta5_layout(tmp_path: Path) -> None:
    root = _run(tmp_path / "raw", "source", {"train": 12})
    names = [f"{k:05d}.png" for k in range(1, 13)]
    assert sorted(path.name for path in (root / "images").iterdir()) == names
    assert sorted(path.name for path in (root / "labels").iterdir()) == names
    sizes = set()
    for name in names:
        image, label = Image.open(root / "images" / name), Image.open(root / "labels" / name)
        assert (image.mode, label.mode) == ("RGB", "P")
        assert image.size == label.size
        assert set(np.unique(np.asarray(label)).tolist()) <= ACCEPTED
        assert label.getpalette()[3 * ids.ROAD : 3 * ids.ROAD + 3] == list(ids.COLORS[ids.ROAD])
        sizes.add(image.size)
    assert (64, 36) in sizes
    assert len(sizes) > 1
    assert max(abs(width - 64) for width, _ in sizes) <= 2
    assert max(abs(height - 36) for _, height in sizes) <= 2


def test_target_is_in_cityscapes_layout(tmp_path: Path) -> None:
    root = _run(tmp_path / "raw", "target", {"train": 4, "val": 2})
    for split, count in (("train", 4), ("val", 2)):
        images = sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))
        assert len(images) == count
        for image in images:
            city, name = image.parent.name, image.name.replace("leftImg8bit", "gtFine_labelIds")
            assert image.name.startswith(f"{city}_")
            label = Image.open(root / "gtFine" / split / city / name)
            assert label.mode == "L"
            assert label.size == Image.open(image).size == (64, 36)
            assert set(np.unique(np.asarray(label)).tolist()) <= ACCEPTED


def test_bytes_follow_from_the_settings(tmp_path: Path) -> None:
    first = _digests(_run(tmp_path / "a", "source", {"train": 3}))
    assert _digests(_run(tmp_path / "b", "source", {"train": 3})) == first
    assert _digests(_run(tmp_path / "c", "source", {"train": 3}, seed=8)) != first


def test_a_picture_does_not_depend_on_how_many_there_are_nor_on_the_processes(tmp_path: Path) -> None:
    few = _digests(_run(tmp_path / "few", "target", {"train": 2}))
    many = _digests(_run(tmp_path / "many", "target", {"val": 1, "train": 5}, threads=2))
    assert few.items() <= many.items()


@pytest.mark.parametrize(
    ("domain", "images", "others", "message"),
    [
        ("dusk", {"train": 1}, {}, "unknown domain `dusk`"),
        ("source", {"train": 1, "val": 1}, {}, "`train` alone"),
        ("target", {"train": 1, "val": 0}, {}, "no images for split val"),
        ("target", {"train": 1}, {"height": 8}, "64x8 is too small"),
    ],
)
def test_bad_settings_are_named(
    tmp_path: Path, domain: str, images: dict[str, int], others: dict[str, int], message: str
) -> None:
    with pytest.raises(BismapError, match=message):
        _run(tmp_path / "raw", domain, images, **others)
