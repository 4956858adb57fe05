"""Imports of foreign checkpoints.

Each tensor of the files made here holds one number of its own, so that files of the real networks are small
and every pair shows.
"""

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import resnet50

from bismap.data.classes import CITYSCAPES
from bismap.errors import BismapError
from bismap.models import importing
from bismap.models.backbones import build_backbone
from bismap.models.importing import Report, import_checkpoint
from bismap.models.matching import COUNTER
from bismap.models.weights import file_sha256, read_metadata, save_tensors

StateDict = dict[str, Tensor]


def numbered(shapes: Mapping[str, Tensor]) -> StateDict:
    """A state dict in the given order: the n-th tensor holds the number n everywhere, stored once."""
    return {
        name: torch.full((), position, dtype=tensor.dtype).expand(tensor.shape)
        for position, (name, tensor) in enumerate(shapes.items())
    }


def meta(build: Any) -> StateDict:
    with torch.device("meta"):
        return build().state_dict()


@pytest.fixture(scope="module")
def resnet101() -> StateDict:
    return meta(lambda: build_backbone({"backbone": "resnet101"}, 16))


@pytest.fixture(scope="module")
def selective() -> StateDict:
    return meta(lambda: build_backbone({"backbone": importing.SIMCLR_RESNET152, "max_pool_padding": "same"}, 32))


@pytest.fixture
def light(monkeypatch) -> None:
    """Write only the first number of each tensor: these networks have up to 91 million."""

    def save_first(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
        save_tensors(path, {name: tensor.reshape(-1)[:1] for name, tensor in tensors.items()}, metadata)

    monkeypatch.setattr(importing, "save_tensors", save_first)


@pytest.fixture
def run(tmp_path):
    """Save ``content`` as a checkpoint, import it; gives the report and the file written."""

    def call(content: Any, kind: str, **options: Any) -> tuple[Report, Path]:
        torch.save(content, tmp_path / "foreign.pth")
        destination = tmp_path / "weights" / "ours.safetensors"
        return import_checkpoint(tmp_path / "foreign.pth", kind, destination, **options), destination

    return call


def assert_pairs(path: Path, content: StateDict, pairs: Mapping[str, str]) -> None:
    """Every tensor of ours holds the number of the partner that ``pairs`` (ours -> theirs) names."""
    written = load_file(path)
    assert {name for name in written if not name.endswith(COUNTER)} == set(pairs)
    for ours, theirs in pairs.items():
        assert written[ours].reshape(-1)[0] == content[theirs].reshape(-1)[0], (ours, theirs)


@pytest.mark.usefixtures("light")
def test_torchvision_file_fills_a_backbone(run):
    content = numbered(meta(resnet50))
    for name in [name for name in content if name.endswith(COUNTER)]:  # files older than torch 0.4.1
        del content[name]
    report, path = run(content, "torchvision")
    assert report.dropped == ("fc.weight", "fc.bias")
    assert (report.unused, report.missing) == ((), ())
    assert read_metadata(path)["settings"] == {"backbone": "resnet50"}
    assert_pairs(path, content, {name: name for name in content if not name.startswith("fc.")})
    assert load_file(path)["bn1.num_batches_tracked"] == 0
    assert report.sha256 == file_sha256(path)


@pytest.mark.usefixtures("light")
def test_simclr_resnet101_under_state_dict_and_module(run, resnet101):
    content = numbered({f"module.{name}": tensor for name, tensor in resnet101.items()})
    report, path = run({"state_dict": content, "epoch": 800, "best": np.float64(0.7)}, "simclr")
    assert (report.holds, dict(report.settings)) == ("backbone", {"backbone": "resnet101"})
    pairs = {name: f"module.{name}" for name in resnet101 if not name.endswith(COUNTER)}
    assert_pairs(path, content, pairs)


def foreign_names(names: list[str]) -> dict[str, str]:
    """Our name -> a name that says nothing, in another author's manner."""
    layers: dict[str, int] = {}
    for name in names:
        layers.setdefault(name.rpartition(".")[0], len(layers))
    return {name: f"net.{layers[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}" for name in names}


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("shortcut_last", [False, True])
def test_selective_kernels_are_paired_whatever_their_names(run, selective, shortcut_last):
    names = list(selective)
    if shortcut_last:
        blocks = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
        names.sort(key=lambda name: (blocks.index(".".join(name.split(".")[:2])), "shortcut" in name))
    foreign = foreign_names(names)
    content = numbered({foreign[name]: selective[name] for name in names})
    content |= {"fc.weight": torch.zeros(1).expand(1000, 2048), "fc.bias": torch.zeros(1000)}
    report, path = run({"resnet": content}, "simclr")
    assert report.dropped == ("fc.weight", "fc.bias")
    assert read_metadata(path)["settings"] == {"backbone": importing.SIMCLR_RESNET152}
    assert_pairs(path, content, {ours: theirs for ours, theirs in foreign.items() if not ours.endswith(COUNTER)})


def test_selective_kernels_in_an_unknown_order_are_refused(run, selective):
    names = list(selective)
    names.sort(key=lambda name: not name.startswith("layer4.2.reduce"))
    foreign = foreign_names(names)
    content = numbered({foreign[name]: selective[name] for name in names})
    with pytest.raises(BismapError, match="declared in an unknown order"):
        run(content, "simclr")


CONV, NORM = "atrous_conv", "bn"
HEAD = {  # our layer -> another author's, in that author's order of declaration
    "aspp.branches.0.0": f"aspp.aspp1.{CONV}",
    "aspp.branches.0.1": f"aspp.aspp1.{NORM}",
    "aspp.branches.1.0": f"aspp.aspp2.{CONV}",
    "aspp.branches.1.1": f"aspp.aspp2.{NORM}",
    "aspp.branches.2.0": f"aspp.aspp3.{CONV}",
    "aspp.branches.2.1": f"aspp.aspp3.{NORM}",
    "aspp.branches.3.0": f"aspp.aspp4.{CONV}",
    "aspp.branches.3.1": f"aspp.aspp4.{NORM}",
    "aspp.pooling.0": "aspp.global_avg_pool.1",
    "aspp.pooling.1": "aspp.global_avg_pool.2",
    "aspp.projection.0": "aspp.conv1",
    "aspp.projection.1": "aspp.bn1",
    "decoder.low_level.0": "decoder.conv1",
    "decoder.low_level.1": "decoder.bn1",
    "decoder.refine.0.0": "decoder.last_conv.0",
    "decoder.refine.0.1": "decoder.last_conv.1",
    "decoder.refine.1.0": "decoder.last_conv.3",
    "decoder.refine.1.1": "decoder.last_conv.4",
    "classifier.1": "decoder.last_conv.7",
}


def bismaps_content(paper_net, pooling_first: bool = False) -> tuple[StateDict, dict[str, str]]:
    ours = paper_net.state_dict()
    layers = sorted(HEAD, key=lambda layer: not layer.startswith("aspp.pooling")) if pooling_first else HEAD
    pairs = {name: name for name in ours if name.startswith("backbone.")}
    for layer in layers:
        suffixes = [name.removeprefix(layer) for name in ours if name.startswith(f"{layer}.")]
        pairs |= {layer + suffix: HEAD[layer] + suffix for suffix in suffixes}
    return numbered({theirs: ours[name] for name, theirs in pairs.items()}), pairs


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("pooling_first", [False, True])
def test_bismaps_file_fills_the_network(run, paper_net, pooling_first):
    content, pairs = bismaps_content(paper_net, pooling_first)
    report, path = run({"iter": 90000, "DeepLab": {"model_state": content}}, "bismaps")
    assert (report.unused, report.missing) == ((), ())
    metadata = read_metadata(path)
    assert (metadata["kind"], metadata["classes"]) == ("network", list(CITYSCAPES.names))
    assert metadata["settings"] == paper_net.settings
    assert_pairs(path, content, {ours: theirs for ours, theirs in pairs.items() if not ours.endswith(COUNTER)})


@pytest.mark.usefixtures("light")
def test_unused_tensors_are_listed_and_must_be_allowed(run, tmp_path, paper_net):
    content, _ = bismaps_content(paper_net)
    file = {
        "net": content | {"projector.weight": torch.zeros(3)},
        "optimizer": {"state": [torch.zeros(2)], "m": {"a": torch.zeros(2)}},
    }
    with pytest.raises(BismapError, match=r"2 of the file have no place \(projector.weight, optimizer/m/a\)"):
        run(file, "bismaps")
    assert not list((tmp_path / "weights").glob("*.safetensors"))
    account = json.loads((tmp_path / "weights" / "ours.report.json").read_text())
    assert account["unused"] == ["projector.weight", "optimizer/m/a"]
    assert account["sha256"] == ""
    report, path = run(file, "bismaps", allow_unused=True)
    assert report.unused == ("projector.weight", "optimizer/m/a")
    assert json.loads((tmp_path / "weights" / "ours.report.json").read_text())["sha256"] == file_sha256(path)
    assert "2 unused" in str(report)


def deeplab_v2(resnet101: StateDict) -> StateDict:
    head = {
        "layer5.conv2d_list.0.0.weight": torch.empty(256, 2048, 1, 1, device="meta"),
        "layer5.conv2d_list.0.0.bias": torch.empty(256, device="meta"),
        "layer5.head.1.weight": torch.empty(19, 256, 1, 1, device="meta"),
    }
    return numbered(resnet101 | head)


def test_deeplab_v2_is_no_network_of_ours(run, resnet101):
    with pytest.raises(BismapError, match=r"29 of a resnet101 network are missing|are missing") as error:
        run({"ResNet101": {"model_state": deeplab_v2(resnet101)}}, "bismaps")
    for part in (
        "DeepLab-V2 (ProDA, CAG-UDA)",
        "layer5.conv2d_list.0.0.weight",
        "--kind proda --allow-unused",
    ):
        assert part in str(error.value)


@pytest.mark.usefixtures("light")
def test_deeplab_v2_gives_its_backbone(run, resnet101):
    file = {"ResNet101": {"model_state": deeplab_v2(resnet101)}}
    with pytest.raises(BismapError, match=r"DeepLab-V2's head does not fit.*--allow-unused"):
        run(file, "proda")
    report, path = run(file, "proda", allow_unused=True)
    assert len(report.unused) == 3
    assert_pairs(path, file["ResNet101"]["model_state"], {n: n for n in resnet101 if not n.endswith(COUNTER)})


def test_tensor_of_another_shape_is_missing(run, resnet101):
    content = numbered(resnet101) | {"conv1.weight": torch.zeros(64, 4, 7, 7)}
    with pytest.raises(BismapError, match=r"are missing \(conv1.weight\).*no place \(conv1.weight\)"):
        run(content, "simclr")


class Payload:
    """Runs a command when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.marker}",)


def pickled(protocol: int) -> Callable[[Any, Path], None]:
    return lambda content, path: path.write_bytes(pickle.dumps(content, protocol))


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        (torch.save, "refused, because opening it would run code: it holds `posix.system`"),
        (pickled(2), "refused, because opening it would run code: it holds `posix.system`"),
        (pickled(5), "cannot be read safely"),
    ],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_file_with_code_is_refused_and_not_run(tmp_path, dump, message):
    source, marker = tmp_path / "evil.pkl", tmp_path / "executed"
    dump({"state_dict": {"conv1.weight": 1.0}, "extra": Payload(marker)}, source)
    with pytest.raises(BismapError, match=f"evil.pkl: {message}"):
        import_checkpoint(source, "torchvision", tmp_path / "ours.safetensors")
    assert not marker.exists()
    assert not (tmp_path / "ours.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "cut.pth").write_bytes(content)
    with pytest.raises(BismapError, match=r"cut\.pth: cannot be read safely"):
        import_checkpoint(tmp_path / "cut.pth", "torchvision", tmp_path / "ours.safetensors")


def test_legacy_files_are_read(tmp_path, resnet101):
    content = {name: torch.zeros(1).expand(t.shape) for name, t in resnet101.items() if name == "bn1.weight"}
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(BismapError, match="1 tensors match, but"):
        import_checkpoint(tmp_path / "old.pth", "torchvision", tmp_path / "ours.safetensors")


@pytest.mark.parametrize(
    ("source", "kind", "destination", "message"),
    [
        ("none.pth", "torchvision", "o.safetensors", r"none\.pth: no such file"),
        ("none.pth", "caffe", "o.safetensors", "expected one of torchvision, simclr, bismaps, proda"),
        ("none.pth", "simclr", "o.pth", r"must end in \.safetensors"),
    ],
)
def test_bad_requests_are_named(tmp_path, source, kind, destination, message):
    with pytest.raises(BismapError, match=message):
        import_checkpoint(tmp_path / source, kind, tmp_path / destination)


def test_file_without_tensors_is_named(run):
    with pytest.raises(BismapError, match="no named tensors found"):
        run({"epoch": 3}, "torchvision")
