"""Weight files: safetensors with one JSON entry that says what they hold. Opening one runs no code."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bismap.errors import BismapError
from bismap.models.network import DeepLabV3Plus, build_network

# one entry only: safetensors does not order several, which would make equal files differ
METADATA_KEY = "bismap"


def save_network(path: Path, net: DeepLabV3Plus, metadata: Mapping[str, Any]) -> None:
    """Write a network to ``path``.

    Args:
        path: the ``.safetensors`` file.
        net: the network; its settings are stored with it.
        metadata: JSON values; ``classes`` must be the class names in output order.

    Raises:
        BismapError: if the names do not match the outputs.
    """
    classes = list(metadata.get("classes", ()))
    if len(classes) != net.classes:
        raise BismapError(f"{path}: {len(classes)} class names for a network with {net.classes} outputs")
    save_tensors(path, net.state_dict(), {**metadata, "kind": "network", "settings": net.settings})


def save_backbone(path: Path, backbone: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write a backbone (of ``build_backbone``) to ``path``, with JSON ``metadata``."""
    save_tensors(path, backbone.state_dict(), {**metadata, "kind": "backbone", "settings": backbone.identity})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and JSON ``metadata`` to ``path``; equal contents give equal bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, path, {METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    path.chmod(0o644)  # safetensors writes files that only their owner can read


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON entry of a weight file: ``kind``, ``settings`` and what the writer added.

    Raises:
        BismapError: if the file is missing, damaged or not written by bismap.
    """
    try:
        with safe_open(path, framework="pt") as file:
            entry = (file.metadata() or {}).get(METADATA_KEY)
    except FileNotFoundError as error:
        raise BismapError(f"{path}: no such weight file") from error
    except (SafetensorError, OSError) as error:
        raise BismapError(_unreadable(path, error)) from error
    if entry is None:
        raise BismapError(f"{path}: no metadata of bismap in it; make it with `bismap import-checkpoint`")
    return json.loads(entry)


def load_network(path: Path, device: torch.device | str, classes: Sequence[str] | None = None) -> DeepLabV3Plus:
    """Read a network, in evaluation mode, channels last in memory. torch's random state is left alone.

    Args:
        path: file of :func:`save_network`.
        device: where the network lies.
        classes: the class names the caller works with; checked against the file's.

    Raises:
        BismapError: if the file is missing or damaged, holds another kind of network or other classes.
    """
    metadata = read_metadata(path)
    if metadata["kind"] != "network":
        raise BismapError(f"{path}: expected a network, found the weights of a {metadata['kind']}")
    if classes is not None and list(classes) != metadata["classes"]:
        raise BismapError(
            f"{path}: was trained for {len(metadata['classes'])} classes {metadata['classes']}, "
            f"but the data set has {len(classes)}: {list(classes)}"
        )
    with torch.device("meta"):
        net = build_network(metadata["settings"], len(metadata["classes"]))
    _load_strictly(net, path, device, assign=True)
    return net.to(memory_format=torch.channels_last).eval()


def load_backbone(net: nn.Module, path: Path) -> None:
    """Fill a backbone, or that of a network, from a file of exactly its tensors.

    Args:
        net: the network or backbone to fill, in place.
        path: ``.safetensors`` file of :func:`save_backbone`, as import-checkpoint and the `extractor` stage make it.

    Raises:
        BismapError: if the file is missing, damaged, or of another architecture.
    """
    backbone = net.backbone if isinstance(net, DeepLabV3Plus) else net
    metadata = read_metadata(path)
    if metadata["settings"] != backbone.identity:
        held = f"{metadata['kind']} {metadata['settings']}"
        raise BismapError(f"{path}: holds the {held}, but the backbone {backbone.identity} is configured")
    _load_strictly(backbone, path, "cpu", assign=False)


def file_sha256(path: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_strictly(module: nn.Module, path: Path, device: torch.device | str, assign: bool) -> None:
    try:
        tensors = load_file(path, str(device))
    except (SafetensorError, OSError) as error:
        raise BismapError(_unreadable(path, error)) from error
    problems = mismatches(module.state_dict(), tensors)
    if problems:
        raise BismapError(f"{path}: does not fit the network: {shortened(problems)}")
    module.load_state_dict(tensors, assign=assign)


def mismatches(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Every way in which ``found`` differs from ``expected`` in names and shapes, in words."""
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} has no place" for name in found if name not in expected]
    problems += [
        f"{name} is {list(found[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    return problems


def shortened(items: Sequence[str], limit: int = 8) -> str:
    """The first items as one line, and how many more there are."""
    more = f", and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def _unreadable(path: Path, error: Exception) -> str:
    return (
        f"{path}: cannot be read as safetensors ({error}): damaged, cut short or of another format. "
        "Delete it and make it again; foreign .pth and .pkl files need `bismap import-checkpoint`"
    )
