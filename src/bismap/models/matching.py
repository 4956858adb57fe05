"""Pairing a foreign state dict's tensors with ours where the names differ: by order, shape and role.

Tensors are grouped to units: a convolution with the batch normalisation that follows it, or a single layer. A
unit of ours takes the first unused foreign unit of the same shapes. That does not depend on how the other
author named the layers, only on networks being declared from input to output.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

COUNTER = "num_batches_tracked"  # absent from old files; plays no part in evaluation


@dataclass(frozen=True)
class Unit:
    """Tensors that belong together: role ("conv.weight", "norm.running_var", ...) -> full name and shape."""

    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]

    @property
    def signature(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Roles and shapes: equal for units that can take each other's place."""
        return tuple(sorted((role, shape) for role, _, shape in self.tensors))

    @property
    def names(self) -> dict[str, str]:
        """Role -> tensor name."""
        return {role: name for role, name, _ in self.tensors}


def units(state: Mapping[str, Tensor]) -> list[Unit]:
    """The units of a state dict, in its order."""
    layers: dict[str, dict[str, str]] = defaultdict(dict)
    for name in state:
        layer, _, suffix = name.rpartition(".")
        if suffix != COUNTER:
            layers[layer][suffix] = name
    found: list[list[tuple[str, str, tuple[int, ...]]]] = []
    for suffixes in layers.values():
        role = "norm" if "running_mean" in suffixes else "conv"
        entries = [(f"{role}.{suffix}", name, tuple(state[name].shape)) for suffix, name in suffixes.items()]
        if role == "norm" and found and _awaits_norm(found[-1], entries):
            found[-1] += entries
        else:
            found.append(entries)
    return [Unit(tuple(entries)) for entries in found]


def _awaits_norm(unit: Sequence[tuple[str, str, tuple[int, ...]]], norm: Sequence[tuple]) -> bool:
    roles = {role: shape for role, _, shape in unit}
    kernel = roles.get("conv.weight", ())
    return len(kernel) == 4 and "norm.weight" not in roles and kernel[0] == norm[0][2][0]


def match_units(ours: Iterable[Unit], theirs: Sequence[Unit]) -> tuple[dict[str, str], list[int]]:
    """First-come pairing of equal signatures.

    Returns:
        Our tensor name -> their tensor name for units that found a partner, and these partners' positions.
    """
    waiting: dict[tuple, deque[int]] = defaultdict(deque)
    for position, unit in enumerate(theirs):
        waiting[unit.signature].append(position)
    pairs: dict[str, str] = {}
    positions: list[int] = []
    for unit in ours:
        if waiting[unit.signature]:
            positions.append(waiting[unit.signature].popleft())
            partner = theirs[positions[-1]].names
            pairs |= {name: partner[role] for role, name in unit.names.items()}
    return pairs, positions
