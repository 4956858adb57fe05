"""What would stop an experiment only after days of training: found from names before it runs."""

import re
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bismap.data.layouts import describe, get_layout
from bismap.errors import BismapError
from workflow.raw import RawData
from workflow.scope import Scope

_HEAD = 16 * 2**20  # bytes; an old file of torch.save begins with the names of its tensors
_BLOCKS = re.compile(rb"layer3\.(\d+)\.conv1\.weight")
_BACKBONES = {6: "resnet50", 23: "resnet101"}  # by the blocks of layer3


def has_labels(scope: Scope, raw: RawData, role: str) -> bool:
    """True if an image of the split of a role (source, adapt, evaluate) has a label.

    Raises:
        BismapError: if the data set or the split is missing.
    """
    name, split = scope.dataset(role), scope.split(role)
    raw.count(name, split)  # says what is missing, if the folder or the split is
    return bool(raw.dataset(name).render) or any(file.label for file in raw.files(name) if file.split == split)


def check_labels(scope: Scope, raw: RawData, role: str) -> None:
    """Check that the split of a role (source, adapt, evaluate) has labels; `index` names single ones that lack.

    Raises:
        BismapError: if not one image has a label, or the data set is missing.
    """
    if has_labels(scope, raw, role):
        return
    name, split = scope.dataset(role), scope.split(role)
    dataset = raw.dataset(name)
    setting = "source.split" if role == "source" else f"target.{role}"
    raise BismapError(
        f"data set `{name}` has no labels of split `{split}` in {raw.root(name)}, but they are needed "
        f"(setting experiments.{scope.base}.{setting}).\nIt must look like this:\n{describe(dataset.layout)}"
    )


def check_validated(scope: Scope) -> None:
    """Check that trainings measure IoU as they go.

    Raises:
        BismapError: if they do not.
    """
    if scope.settings.training.validate_every is None:
        raise BismapError(
            f"the trainings of experiment `{scope.base}` measure no IoU as they go: set "
            "`settings.training.validate_every` (they are trained again then, to the same models, and what reads "
            "these is made anew)"
        )


def check_classes(scope: Scope, raw: RawData) -> None:
    """Check that source and target have the same classes.

    Raises:
        BismapError: with the classes of both, if they differ; or if a data set is missing.
    """
    ours, theirs = (_classes(scope, raw, role) for role in ("source", "adapt"))
    if ours != theirs:
        raise BismapError(
            f"source and target of experiment `{scope.base}` differ in their classes, which must be the same in the "
            f"same order:\n  {scope.source_dataset} has {len(ours)}: {', '.join(ours)}\n"
            f"  {scope.target_dataset} has {len(theirs)}: {', '.join(theirs)}"
        )


def check_subsets(scope: Scope, raw: RawData) -> None:
    """Check that the classes of each mean IoU exist.

    Raises:
        BismapError: naming those that do not, and all there are.
    """
    for subset, members in scope.experiment.subsets.items():
        check_named_classes(scope, raw, f"subsets.{subset}", members)


def check_named_classes(scope: Scope, raw: RawData, setting: str, members: Sequence[str]) -> None:
    """Check that the target has the classes that a setting of the experiment names.

    Raises:
        BismapError: naming the setting, those that do not exist, and all there are.
    """
    names = _classes(scope, raw, "evaluate")
    if unknown := [member for member in members if member not in names]:
        raise BismapError(
            f"experiments.{scope.base}.{setting}: data set `{scope.target_dataset}` has no class "
            f"{', '.join(unknown)}; it has {', '.join(names)}"
        )


def check_class_values(scope: Scope, raw: RawData) -> None:
    """Check that settings that hold a value for each class hold as many as there are classes.

    Raises:
        BismapError: naming the setting, and how many it has and needs.
    """
    settings, names = scope.settings, _classes(scope, raw, "source")
    given = {
        "features.pool.keep": settings.features.pool.keep if settings.features.pool else None,
        "class_entropy.constants": settings.class_entropy.constants,
    }
    for setting, values in given.items():
        if values is not None and len(values) != len(names):
            raise BismapError(
                f"experiments.{scope.base}.settings.{setting}: {len(values)} values, but data set "
                f"`{scope.source_dataset}` has {len(names)} classes: {', '.join(names)}"
            )


def check_weights(raw: RawData, name: str, backbone: str, setting: str) -> None:
    """Check that a weights file, where it lies there, holds the backbone that ``setting`` asks for.

    Raises:
        BismapError: if the names of its tensors are those of another.
    """
    weights = raw.config.weights[name]
    held = _held_backbone(Path(weights.file), weights.kind)
    if held not in (None, backbone):
        raise BismapError(
            f"weights `{name}`: {weights.file} holds a {held}, but the backbone is {backbone} (setting {setting})"
        )


def _classes(scope: Scope, raw: RawData, role: str) -> tuple[str, ...]:
    name = scope.dataset(role)
    raw.count(name, scope.split(role))  # as above
    layout = get_layout(raw.dataset(name).layout)
    return layout.label_spec(Path(raw.root(name))).classes.names


@cache
def _held_backbone(path: Path, kind: str) -> str | None:
    """The backbone whose tensors a file of torch.save names; None where that cannot be told."""
    names = _names(path) if path.is_file() else b""
    blocks = set(_BLOCKS.findall(names))
    if blocks:
        return _BACKBONES.get(len(blocks))
    # The one network that is told by order and shape instead of names (``bismap.models.importing``).
    return "simclr_resnet152" if kind == "simclr" and b".weight" in names else None


def _names(path: Path) -> bytes:
    """The part of a file of torch.save that holds the names of its tensors; nothing of it is executed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    except zipfile.BadZipFile:
        with path.open("rb") as file:
            return file.read(_HEAD)
