"""Reading foreign PyTorch files without running their code, and finding the state dicts inside them."""

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bismap.errors import BismapError

StateDict = dict[str, Tensor]

# numpy numbers (a best score, say) are common in training checkpoints and can hold nothing but data
_NUMPY_NUMBERS = [
    np._core.multiarray.scalar,
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool")),
]


def read_state_dicts(path: Path) -> dict[str, StateDict]:
    """All state dicts of a ``.pth`` or ``.pkl`` file written by ``torch.save``.

    Nothing in the file is executed (``weights_only``); zip files are mapped, not read into memory.

    Returns:
        Place in the file (keys joined by "/", "" for the top) -> names and tensors in the file's order,
        without the prefix ``module.`` of parallel training.

    Raises:
        BismapError: if the file is missing, holds objects other than tensors and plain data, is damaged, or
            has no named tensors.
    """
    found = {place: _without_wrapper(tensors) for place, tensors in _walk(_load(path), ()) if tensors}
    if not found:
        raise BismapError(f"{path}: no named tensors found; expected a PyTorch state dict")
    return found


def _load(path: Path) -> Any:
    if not path.is_file():
        raise BismapError(f"{path}: no such file")
    try:
        with torch.serialization.safe_globals(_NUMPY_NUMBERS):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise BismapError(_refusal(path, str(error))) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise BismapError(_unreadable(path)) from error


def _refusal(path: Path, message: str) -> str:
    name = re.search(r"GLOBAL ([\w.]+)", message)
    if name is None:
        return _unreadable(path)
    return (
        f"{path}: refused, because opening it would run code: it holds `{name.group(1)}`, and only tensors "
        "and plain data are accepted. If you trust its author, open it elsewhere and save its state dict "
        "alone with torch.save"
    )


def _unreadable(path: Path) -> str:
    return (
        f"{path}: cannot be read safely: damaged, or not written by torch.save. Fetch it again, or save its "
        "state dict alone with torch.save"
    )


def _walk(node: Any, place: tuple[str, ...]) -> Iterator[tuple[str, StateDict]]:
    if isinstance(node, Mapping):
        yield "/".join(place), {str(key): value for key, value in node.items() if isinstance(value, Tensor)}
        children = node.items()
    elif isinstance(node, list | tuple):
        children = enumerate(node)
    else:
        return
    for key, child in children:
        yield from _walk(child, (*place, str(key)))


def _without_wrapper(tensors: StateDict) -> StateDict:
    prefix = "module."
    while all(name.startswith(prefix) for name in tensors):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors
