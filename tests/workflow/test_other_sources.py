"""What reruns where images or start weights come from somewhere else: leaves that no experiment on disk can flip."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torchvision
import yaml

from tests.fixtures.miniatures import write_gta5, write_synthia
from tests.workflow.leaves import of, with_followers
from tests.workflow.planner import Planner
from tests.workflow.runs import snakemake, targets, tiny_config

pytestmark = pytest.mark.slow

TARGETS = ["results/datasets/demo_game/index.csv", "results/datasets/gta5/index.csv",
           "results/weights/imagenet_resnet101.safetensors"]  # fmt: skip


def configuration() -> dict:
    raw = tiny_config("gta")
    raw["datasets"]["demo_game"]["render"] |= {"width": 64, "height": 36, "images": {"train": 2}}
    raw["weights"]["imagenet_resnet101"] |= {"file": "resnet101.pth", "sha256": None}
    return raw


@pytest.fixture(scope="module")
def planner(tmp_path_factory) -> Iterator[Planner]:
    folder = tmp_path_factory.mktemp("sources")
    write_gta5(folder / "data" / "gta5")
    write_synthia(folder / "data" / "synthia")
    torch.save(torchvision.models.resnet101(weights=None).state_dict(), folder / "resnet101.pth")
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(), sort_keys=False))
    snakemake(folder, "--cores", "2", *TARGETS)
    planner = Planner(folder, TARGETS)
    yield planner
    planner.close()


def jobs(planner: Planner, change: Callable[[dict], None]) -> set[str]:
    raw = copy.deepcopy(configuration())
    change(raw)
    path = planner.folder / "flipped.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return planner.jobs(path)


RENDER = {"domain": "target", "seed": 7, "width": 72, "height": 40, "images": {"train": 3}}


@pytest.mark.parametrize("leaf", RENDER)
def test_a_leaf_of_a_rendered_world_reruns_the_renderer_and_what_follows(planner, leaf):
    def change(raw: dict) -> None:
        raw["datasets"]["demo_game"]["render"][leaf] = RENDER[leaf]
        if leaf == "domain":
            raw["datasets"]["demo_game"]["layout"] = "cityscapes"  # as that world is written

    assert jobs(planner, change) == {"render:demo_game", "index:demo_game"}


def test_another_layout_is_indexed_anew(planner):
    def change(raw: dict) -> None:
        raw["datasets"]["gta5"] |= {"layout": "synthia", "root": "data/synthia", "missing_pairs": []}

    assert jobs(planner, change) == {"index:gta5"}


WEIGHTS = {"file": ("moved.pth", {"weights"}), "kind": ("simclr", {"weights"}), "sha256": ("0123", {"weights"}),
           "source": ("elsewhere", set())}  # fmt: skip


@pytest.mark.parametrize("leaf", WEIGHTS)
def test_a_leaf_of_a_weights_file(planner, leaf):
    value, expected = WEIGHTS[leaf]
    (planner.folder / "moved.pth").touch()

    def change(raw: dict) -> None:
        raw["weights"]["imagenet_resnet101"][leaf] = value

    assert jobs(planner, change) == expected


def test_an_extractor_from_a_weights_file(finish):
    folder: Path = finish("gta")
    raw = tiny_config("gta")
    (folder / "extractor.pth").touch()
    raw["weights"]["simclr_resnet152_sk"] |= {"file": "extractor.pth"}
    raw["experiments"]["gta"]["starts"]["simclr"] = "random"
    raw["experiments"]["gta"]["settings"]["extractor"] |= {
        "weights": "simclr_resnet152_sk",
        # Snakemake lays a second configuration over the first: what is to go must be set to nothing.
        "network": {"backbone": "simclr_resnet152", "width": None, "max_pool_padding": "same"},
        "output_stride": 32,
        "pretrain": None,
    }
    path = folder / "flipped.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    planner = Planner(folder, targets("gta"))
    try:
        expected = with_followers({"extractor", *of("train", ["bismap_distilled_round1", "bismap_distilled"])})
        assert planner.jobs(path) == {"weights"} | expected
    finally:
        planner.close()
        path.unlink()
        (folder / "extractor.pth").unlink()
