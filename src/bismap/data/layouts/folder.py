"""The user's own images: ``images/``, ``labels/``, split lists and a class file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bismap.data import IGNORE
from bismap.data.classes import ClassSet
from bismap.data.layouts.base import (
    LabelSpec,
    Layout,
    Listing,
    Problem,
    RawFile,
    by_stem,
    duplicate_ids,
    file_id,
    orphans,
    walk,
)
from bismap.errors import BismapError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_CLASSES = 200


def _stem(path: str) -> str:
    # images/train/a.jpg -> train/a
    return path.partition("/")[2].rpartition(".")[0]


def _scan(root: Path) -> Listing:
    images, image_problems = by_stem(walk(root, "images", IMAGE_SUFFIXES), _stem)
    labels, label_problems = by_stem(walk(root, "labels", (".png",)), _stem)
    problems = image_problems + label_problems + orphans(labels, images)
    files = []
    split_files = sorted(path for path in (root / "splits").glob("*.txt") if not path.name.startswith("."))
    for split_file in split_files:
        stems = list(_split_stems(split_file, images))
        if not stems:
            problems.append(Problem(f"splits/{split_file.name}", "empty split: list images, or remove the file"))
        for stem, problem in stems:
            if problem:
                problems.append(Problem(f"splits/{split_file.name}", problem))
            else:
                files.append(RawFile(file_id(stem), images[stem], labels.get(stem), split_file.stem))
    return Listing(files, problems + duplicate_ids(files))


def _split_stems(split_file: Path, images: dict[str, str]) -> Iterator[tuple[str, str | None]]:
    """Stems that a list names, each with what is wrong with it."""
    seen = set()
    for stem in filter(None, map(str.strip, split_file.read_text(encoding="utf-8-sig", errors="replace").splitlines())):
        if stem in seen:
            yield stem, f"names {stem} twice"
        elif stem not in images:
            yield (
                stem,
                f"names {stem}, but there is no image images/{stem}.jpg or .png (lines bear no suffix)",
            )
        else:
            yield stem, None
        seen.add(stem)


def _label_spec(root: Path) -> LabelSpec:
    path = root / "classes.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BismapError(f"{path}: cannot be read as JSON ({error})") from None
    faults = list(_faults(raw))
    if faults:
        raise BismapError(f"{path}: " + "; ".join(faults))
    names, colors = tuple(raw["classes"]), tuple(tuple(color) for color in raw["palette"])
    ignored = dict.fromkeys(_ignored(raw), IGNORE)
    return LabelSpec(ClassSet(names, colors), {**ignored, **{c: c for c in range(len(names))}})


def _ignored(raw: dict[str, Any]) -> list[int]:
    return raw["ignore"] if isinstance(raw["ignore"], list) else [raw["ignore"]]


def _faults(raw: Any) -> Iterator[str]:
    missing = {"classes", "palette", "ignore"} - set(raw) if isinstance(raw, dict) else {"an object"}
    if missing:
        yield f"lacks {', '.join(sorted(missing))}: expected `classes`, `palette` and `ignore`"
        return
    names, palette, ignored = raw["classes"], raw["palette"], _ignored(raw)
    if not _is_names(names):
        yield f"`classes` must be a list of 2 to {MAX_CLASSES} different names"
        return
    if not (isinstance(palette, list) and len(palette) == len(names) and all(map(_is_color, palette))):
        yield f"`palette` must hold {len(names)} colours [red, green, blue] of 0..255, one a class"
    if not all(_is_byte(value) for value in ignored):
        yield "`ignore` must be a label value of 0..255, or a list of such values"
    elif any(value < len(names) for value in ignored):
        yield f"`ignore` holds {sorted(ignored)}, but 0..{len(names) - 1} are classes"


def _is_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 2 <= len(value) <= MAX_CLASSES
        and all(isinstance(name, str) and name for name in value)
        and len(set(value)) == len(value)
    )


def _is_byte(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 255


def _is_color(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_byte, value))


FOLDER = Layout(
    name="folder",
    description=(
        "  images/**/NAME.jpg or .png   photographs, RGB, in any sub-folders\n"
        "  labels/**/NAME.png           8-bit grey or palettised PNG of class numbers, at the image's path;\n"
        "                               may be left out for a split that is used without labels\n"
        "  splits/{split}.txt           one image a line: its path in images/ without suffix (train/0001)\n"
        '  classes.json                 {"classes": [name, ...], "palette": [[red, green, blue], ...],\n'
        '                                "ignore": 255 or a list as [11, 255]}: what labels/ may hold, too'
    ),
    required=("images", "splits", "classes.json"),
    encodings=("grey", "palette"),
    scan=_scan,
    label_spec=_label_spec,
    keys=("classes.json", "splits/*.txt"),
)
