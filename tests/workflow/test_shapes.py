"""The answer does not depend on the machine's shape: 1, 3 or 8 parts, one core or two."""

from pathlib import Path

import pytest
import yaml

from bismap.store import sha256_file
from tests.fixtures.miniatures import write_cityscapes, write_gta5
from tests.workflow.runs import snakemake, targets, tiny_config

pytestmark = pytest.mark.slow

IMAGES = 8
BY_IMAGE = ("stylized", "gpa/transferability", "gpa_stm/densities", "gpa_stm/pseudo_labels/maps",
            "bismap/predictions/train", "bismap/predictions/val")  # fmt: skip
WHOLE = ("extractor/model.safetensors", "extractor/target_prototypes.csv", "extractor/source_distances.csv",
         "gpa/class_entropy.csv", "gpa_stm/source_prototypes.csv", "bismap/overview.png",
         *(f"{run}/model.safetensors" for run in ("gpa", "gpa_stm", "bismap", "bismap_distilled")))  # fmt: skip


def artifacts(folder: Path, shard_images: int, cores: int) -> dict[str, str]:
    """Hash of each artifact of the small experiment made in parts of so many images, parts left out of the names."""
    raw = tiny_config("gta")
    raw["experiments"]["gta"]["shard_images"] = shard_images
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    write_gta5(folder / "data/gta5", range(1, IMAGES + 1))
    write_cityscapes(folder / "data/cityscapes", {"train": IMAGES, "val": IMAGES})
    snakemake(folder, "--cores", str(cores), *targets("gta"))
    results = folder / "results/gta"
    found = {name: sha256_file(results / name) for name in WHOLE}
    for kind in BY_IMAGE:
        found |= {f"{kind}/{path.name}": sha256_file(path) for path in (results / kind).glob("*/*.png")}
    return found


def test_any_number_of_parts_and_workers_gives_the_same_bytes(tmp_path):
    one = artifacts(tmp_path / "one", IMAGES, cores=1)
    assert len(one) == len(WHOLE) + 7 * IMAGES  # densities are two pictures an image
    assert artifacts(tmp_path / "three", 3, cores=2) == one
    assert artifacts(tmp_path / "eight", 1, cores=2) == one
