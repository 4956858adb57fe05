"""Turning released foreign checkpoints into bismap's safetensors, with a full account of every tensor.

Kinds of file:

- ``torchvision``: ImageNet weights of torchvision's ResNet-50 or -101 -> backbone.
- ``simclr``: SimCLRv2 weights as a PyTorch state dict -> backbone; either with torchvision's names
  (``r101_1x_sk0.pth``) or ResNet-152 with selective kernels (``r152_1x_sk1.pth``), whose names are of no
  concern: its tensors are paired by order and shape.
- ``bismaps``: a DeepLab-V3+ of BiSMAP with 19 outputs -> network; the backbone is paired by name; pyramid,
  decoder and classifier by order and shape.
- ``proda``: a DeepLab-V2 of ProDA or CAG-UDA -> its backbone alone: its head does not fit a DeepLab-V3+.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bismap.data.classes import CITYSCAPES
from bismap.errors import BismapError
from bismap.models.backbones import SIMCLR_RESNET152, TORCHVISION_LAYERS, build_backbone
from bismap.models.foreign import StateDict, read_state_dicts
from bismap.models.matching import COUNTER, Unit, match_units, units
from bismap.models.network import build_network
from bismap.models.weights import file_sha256, save_tensors, shortened

PAPER_NETWORK = {
    "backbone": "resnet101",
    "output_stride": 16,
    "aspp_channels": 256,
    "aspp_rates": [6, 12, 18],
    "low_level_channels": 48,
    "decoder_channels": 256,
    "dropout": 0.1,
}
_POOLING_HINTS = ("pool", "avg", "global", "gap")


@dataclass(frozen=True)
class Report:
    """What became of every tensor of an import.

    Attributes:
        source: name of the foreign file; ``source_sha256`` its hash.
        kind: see the module.
        holds: "backbone" or "network", and ``settings`` which one.
        matched: our tensor -> its tensor in the file.
        dropped: tensors of the file that are known to have no place here (an image classifier).
        unused: other tensors of the file without a place.
        missing: our tensors without one in the file.
        notes: what a user should know.
        sha256: hash of the file written, for the configuration; empty when nothing was written.
    """

    source: str
    source_sha256: str
    kind: str
    holds: str
    settings: Mapping[str, Any]
    matched: Mapping[str, str]
    dropped: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    sha256: str = ""

    def __str__(self) -> str:
        lines = [
            f"{self.source} ({self.kind}): {self.holds} {self.settings['backbone']}",
            f"{len(self.matched)} tensors matched, {len(self.dropped)} dropped as expected, "
            f"{len(self.unused)} unused, {len(self.missing)} missing",
            *(f"unused: {name}" for name in self.unused),
            *(f"missing: {name}" for name in self.missing),
            *self.notes,
            f"sha256: {self.sha256}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Plan:
    """How one state dict of the file fills a network of ours."""

    holds: str
    settings: Mapping[str, Any]
    expected: Mapping[str, Tensor]
    pairs: Mapping[str, str]
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


def import_checkpoint(source: Path, kind: str, destination: Path, *, allow_unused: bool = False) -> Report:
    """Convert a foreign checkpoint; beside ``destination`` a ``.report.json`` accounts for every tensor.

    Args:
        source: the ``.pth`` or ``.pkl`` file. No code in it is executed.
        kind: "torchvision", "simclr", "bismaps" or "proda"; see the module.
        destination: the ``.safetensors`` file to write; replaced only by a whole one.
        allow_unused: accept tensors that have no place here.

    Returns:
        The account, as written to the JSON file.

    Raises:
        BismapError: for a refused or damaged file, one of another architecture, or unused tensors.
    """
    if kind not in _PLANNERS:
        raise BismapError(f"--kind {kind}: expected one of {', '.join(_PLANNERS)}")
    if destination.suffix != ".safetensors":
        raise BismapError(f"{destination}: the destination must end in .safetensors")
    states = read_state_dicts(source)
    plans = {place: _PLANNERS[kind](state) for place, state in states.items()}
    place = max(plans, key=lambda place: len(plans[place].pairs))
    plan = plans[place]
    report = _report(source, kind, plan, place, states)
    destination.parent.mkdir(parents=True, exist_ok=True)
    account = destination.with_suffix(".report.json")
    try:
        _accept(report, account, allow_unused)
        report = replace(report, sha256=_write(destination, plan, states[place], report))
    finally:
        account.write_text(json.dumps(asdict(report), indent=1, sort_keys=True) + "\n")
    return report


def _report(source: Path, kind: str, plan: _Plan, place: str, states: Mapping[str, StateDict]) -> Report:
    known = {*plan.pairs.values(), *plan.dropped}
    unused = [name for name in states[place] if name not in known]
    unused += [f"{other}/{name}" for other, state in states.items() if other != place for name in state]
    return Report(
        source=source.name,
        source_sha256=file_sha256(source),
        kind=kind,
        holds=plan.holds,
        settings=plan.settings,
        matched=dict(plan.pairs),
        dropped=plan.dropped,
        unused=tuple(name for name in unused if not _counts_batches(name)),
        missing=tuple(name for name in plan.expected if name not in plan.pairs and not _counts_batches(name)),
        notes=plan.notes,
    )


def _counts_batches(name: str) -> bool:
    """Counters of batch normalisation: absent from old files, of no use in evaluation."""
    return name.endswith(f".{COUNTER}")


def _accept(report: Report, account: Path, allow_unused: bool) -> None:
    """Raise unless every tensor of ours, and of theirs or it is allowed, has found its place."""
    summary = f"{report.source} as {report.kind}: {len(report.matched)} tensors match"
    if report.missing:
        raise BismapError(
            f"{summary}, but {len(report.missing)} of a {report.settings['backbone']} {report.holds} "
            f"are missing ({shortened(report.missing)}), and {len(report.unused)} of the file have no place "
            f"({shortened(report.unused)}). {' '.join(report.notes)} All names: {account}"
        )
    if report.unused and not allow_unused:
        raise BismapError(
            f"{summary}, but {len(report.unused)} of the file have no place ({shortened(report.unused)}). "
            f"{' '.join(report.notes)} If they may be left out, add --allow-unused. All names: {account}"
        )


def _write(destination: Path, plan: _Plan, state: StateDict, report: Report) -> str:
    tensors = {name: _converted(name, tensor, plan, state) for name, tensor in plan.expected.items()}
    metadata = {"kind": plan.holds, "settings": plan.settings, "source_sha256": report.source_sha256}
    part = destination.with_name(f".{destination.name}.part")
    save_tensors(part, tensors, {**metadata, **plan.metadata})
    part.replace(destination)
    return file_sha256(destination)


def _converted(name: str, expected: Tensor, plan: _Plan, state: StateDict) -> Tensor:
    if name not in plan.pairs:  # only counters of batch normalisation get this far
        return torch.zeros(expected.shape, dtype=expected.dtype)
    return state[plan.pairs[name]].to(expected.dtype)


def _plan_torchvision(state: StateDict) -> _Plan:
    return _backbone_by_name(state)


def _plan_simclr(state: StateDict) -> _Plan:
    return _selective_kernels(state) if _prefix(state) is None else _backbone_by_name(state)


def _plan_proda(state: StateDict) -> _Plan:
    plan = _backbone_by_name(state)
    note = (
        "A DeepLab-V2's head does not fit; its backbone, which strides in 1x1 convolutions and ends at "
        "stride 8, is a start for training here and nothing more."
    )
    return replace(plan, notes=(note,))


def _plan_bismaps(state: StateDict) -> _Plan:
    expected = _meta_network()
    backbone = _backbone_by_name(state)
    pairs = {f"backbone.{ours}": theirs for ours, theirs in backbone.pairs.items()}
    taken = set(pairs.values())
    rest = {name: tensor for name, tensor in state.items() if name not in taken}
    head = {name: tensor for name, tensor in expected.items() if not name.startswith("backbone.")}
    # the pyramid's 1x1 branch and its image pooling have equal shapes; pooling comes last in ours
    theirs = sorted(units(rest), key=_hints_at_pooling)
    pairs |= match_units(units(head), theirs)[0]
    complete = all(name in pairs or _counts_batches(name) for name in expected)
    note = (
        "A DeepLab-V3+ of BiSMAP with 19 outputs is expected. A DeepLab-V2 (ProDA, CAG-UDA) has another "
        "head, which cannot be used here; its backbone can: --kind proda --allow-unused."
    )
    names = {"classes": list(CITYSCAPES.names)}
    return _Plan("network", PAPER_NETWORK, expected, pairs, notes=() if complete else (note,), metadata=names)


def _hints_at_pooling(unit: Unit) -> bool:
    name = unit.names.get("conv.weight", "").lower()
    return any(hint in name for hint in _POOLING_HINTS)


def _prefix(state: StateDict) -> str | None:
    """What stands before torchvision's names in a state dict; None if they do not occur."""
    landmark = "layer4.0.conv2.weight"
    prefixes = [name.removesuffix(landmark) for name in state if name.endswith(landmark)]
    return min(prefixes, key=len, default=None)


def _backbone_by_name(state: StateDict) -> _Plan:
    prefix = _prefix(state) or ""
    blocks = sum(1 for index in range(64) if f"{prefix}layer3.{index}.conv1.weight" in state)
    name = next((name for name, layers in TORCHVISION_LAYERS.items() if layers[2] == blocks), "resnet101")
    expected = _meta_backbone(name)
    pairs = {
        ours: prefix + ours
        for ours, tensor in expected.items()
        if prefix + ours in state and state[prefix + ours].shape == tensor.shape
    }
    dropped = tuple(name for name in state if name in (f"{prefix}fc.weight", f"{prefix}fc.bias"))
    return _Plan("backbone", {"backbone": name}, expected, pairs, dropped)


def _selective_kernels(state: StateDict) -> _Plan:
    expected = _meta_backbone(SIMCLR_RESNET152)
    theirs = units(state)
    settings = {"backbone": SIMCLR_RESNET152}
    for names in (list(expected), _shortcuts_last(expected)):
        pairs, positions = match_units(units({name: expected[name] for name in names}), theirs)
        if positions == sorted(positions):
            break
    else:
        note = "Its layers are declared in an unknown order, so that equal shapes cannot be told apart."
        return _Plan("backbone", settings, expected, {}, notes=(note,))
    dropped = tuple(name for name, tensor in state.items() if tensor.shape in ((1000, 2048), (1000,)))
    note = "Paired by order and shape: check max_pool_padding, which no tensor tells."
    return _Plan("backbone", settings, expected, pairs, dropped, (note,))


def _shortcuts_last(names: Mapping[str, Tensor]) -> list[str]:
    """The same names with each block's projection behind its other layers, as some networks declare them."""
    blocks = {name: ".".join(name.split(".")[:2]) for name in names}
    rank = {block: position for position, block in enumerate(dict.fromkeys(blocks.values()))}
    return sorted(names, key=lambda name: (rank[blocks[name]], ".shortcut." in name))


@cache
def _meta_backbone(name: str) -> dict[str, Tensor]:
    with torch.device("meta"):
        return build_backbone({"backbone": name, "max_pool_padding": "same"}, 32).state_dict()


@cache
def _meta_network() -> dict[str, Tensor]:
    with torch.device("meta"):
        return build_network(PAPER_NETWORK, len(CITYSCAPES.names)).state_dict()


_PLANNERS: dict[str, Callable[[StateDict], _Plan]] = {
    "torchvision": _plan_torchvision,
    "simclr": _plan_simclr,
    "bismaps": _plan_bismaps,
    "proda": _plan_proda,
}
