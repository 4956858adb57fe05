"""The extractor as a file."""

import pytest
import torch

from bismap.errors import BismapError
from bismap.extractor.network import Recipe, import_extractor, load_extractor, new_extractor, save_extractor
from bismap.models.backbones import build_backbone
from bismap.models.weights import load_backbone, save_backbone

SMALL = Recipe({"backbone": "small", "width": 2}, 16, "imagenet")


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 32, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_round_trip_gives_the_same_map(tmp_path, images):
    extractor = new_extractor(SMALL, 3, "cpu")
    extractor.backbone.eval()
    save_extractor(tmp_path / "model.safetensors", extractor)
    loaded = load_extractor(tmp_path / "model.safetensors", "cpu")
    assert loaded.recipe == SMALL
    assert loaded.map(images).shape == (2, loaded.dim, 2, 4)
    assert torch.equal(loaded.map(images), extractor.map(images))


def test_same_seed_same_file(tmp_path):
    state = torch.random.get_rng_state()
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        save_extractor(tmp_path / name, new_extractor(SMALL, seed, "cpu"))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_segmentation_backbone_can_start_from_it(tmp_path):
    save_extractor(tmp_path / "model.safetensors", new_extractor(SMALL, 3, "cpu"))
    load_backbone(build_backbone(SMALL.network, 16), tmp_path / "model.safetensors")


def test_inputs_are_normalised_as_the_recipe_says(images):
    for normalize, low, high in (("none", 0, 1), ("imagenet", -2.2, 2.7)):
        extractor = new_extractor(Recipe(SMALL.network, 16, normalize), 0, "cpu")
        seen = []
        extractor.backbone.register_forward_pre_hook(lambda _, x, seen=seen: seen.append(x[0]))
        extractor.map(images)
        assert low <= seen[0].min() < 0.05
        assert 0.95 < seen[0].max() <= high


def test_weights_of_another_network(tmp_path):
    path = tmp_path / "small.safetensors"
    save_extractor(path, new_extractor(SMALL, 3, "cpu"))
    wider = Recipe({"backbone": "small", "width": 4}, 16, "none")
    with pytest.raises(BismapError, match="holds the backbone"):
        import_extractor(path, wider, "cpu")


def test_files_of_others(tmp_path):
    save_backbone(tmp_path / "plain.safetensors", SMALL.build(), {})
    with pytest.raises(BismapError, match="says not how"):
        load_extractor(tmp_path / "plain.safetensors", "cpu")
    assert import_extractor(tmp_path / "plain.safetensors", SMALL, "cpu").recipe == SMALL
    with pytest.raises(BismapError, match="normalize: expected one of"):
        Recipe(SMALL.network, 16, "some")
