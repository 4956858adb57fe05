"""Weight files: round trips, strictness and the errors of bad files."""

import pytest
import torch
from safetensors.torch import save_file

from bismap.errors import BismapError
from bismap.models.backbones import build_backbone
from bismap.models.network import build_network
from bismap.models.weights import (
    load_backbone,
    load_network,
    read_metadata,
    save_backbone,
    save_network,
    save_tensors,
)

NAMES = ["road", "sky", "car"]


@pytest.fixture
def saved(tmp_path, small_net):
    path = tmp_path / "model.safetensors"
    save_network(path, small_net, {"classes": NAMES, "step": 7})
    return path


def test_network_round_trip(saved, small_net):
    state = torch.random.get_rng_state()
    net = load_network(saved, "cpu", NAMES)
    assert torch.equal(torch.random.get_rng_state(), state)
    x = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(net(x), small_net(x))
    assert not net.training
    assert (net.settings, net.classes) == (small_net.settings, 3)
    assert all(p.requires_grad and p.device.type == "cpu" for p in net.parameters())


def test_metadata_tells_what_the_file_holds(saved, small_settings):
    metadata = read_metadata(saved)
    assert metadata == {"kind": "network", "settings": small_settings, "classes": NAMES, "step": 7}


def test_equal_networks_give_equal_files(tmp_path, saved, small_net):
    again = tmp_path / "again.safetensors"
    save_network(again, small_net, {"step": 7, "classes": NAMES})
    assert again.read_bytes() == saved.read_bytes()


def test_other_classes_are_refused_with_both_lists(saved):
    with pytest.raises(BismapError, match=r"3 classes \['road', 'sky', 'car'\], but the data set has 2"):
        load_network(saved, "cpu", NAMES[:2])


def test_class_names_must_match_the_outputs(tmp_path, small_net):
    with pytest.raises(BismapError, match="2 class names for a network with 3 outputs"):
        save_network(tmp_path / "m.safetensors", small_net, {"classes": NAMES[:2]})


def test_damaged_file_is_named(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(BismapError, match=r"model\.safetensors: cannot be read as safetensors"):
        load_network(saved, "cpu")


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(BismapError, match="no such weight file"):
        load_network(tmp_path / "none.safetensors", "cpu")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, foreign)
    with pytest.raises(BismapError, match="no metadata of bismap"):
        load_network(foreign, "cpu")


def test_missing_and_surplus_tensors_are_named(tmp_path, small_net):
    path = tmp_path / "backbone.safetensors"
    tensors = {k: v.contiguous() for k, v in small_net.backbone.state_dict().items()}
    tensors["extra"] = tensors.pop("bn1.bias")
    tensors["bn1.weight"] = torch.zeros(9)
    save_tensors(path, tensors, {"kind": "backbone", "settings": small_net.backbone.identity})
    with pytest.raises(
        BismapError, match=r"bn1.bias is missing, extra has no place, bn1.weight is \[9\], expected \[4\]"
    ):
        load_backbone(small_net, path)


@pytest.fixture
def backbone_file(tmp_path):
    path = tmp_path / "backbone.safetensors"
    save_backbone(path, build_backbone({"backbone": "small", "width": 4}, 32), {})
    return path


def test_backbone_at_stride_32_starts_a_network_at_16(backbone_file, small_settings):
    net = build_network(small_settings, 3)
    head = [p.clone() for p in net.head_parameters()]
    load_backbone(net, backbone_file)
    other = build_backbone({"backbone": "small", "width": 4}, 16)
    load_backbone(other, backbone_file)
    assert all(torch.equal(a, b) for a, b in zip(net.backbone.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(net.head_parameters(), head, strict=True))


def test_other_backbone_is_refused_with_both(backbone_file):
    wider = build_backbone({"backbone": "small", "width": 5}, 16)
    with pytest.raises(BismapError, match=r"'width': 4.* but the backbone .*'width': 5.* is configured"):
        load_backbone(wider, backbone_file)


def test_network_file_is_no_backbone_and_vice_versa(saved, backbone_file, small_net):
    with pytest.raises(BismapError, match="holds the network"):
        load_backbone(small_net, saved)
    with pytest.raises(BismapError, match="expected a network, found the weights of a backbone"):
        load_network(backbone_file, "cpu")


def test_missing_weights_are_named(tmp_path, small_net):
    path = tmp_path / "imagenet.safetensors"
    with pytest.raises(BismapError, match=f"{path}: no such weight file"):
        load_backbone(small_net, path)
