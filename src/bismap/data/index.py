"""The check of a whole data set before anything is trained, and the table of its images."""

import csv
import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bismap.data.layouts import LabelSpec, Layout, Listing, Problem, RawFile, get_layout, scan
from bismap.data.listing import cache_path
from bismap.data.measured_files import Measured, load_cache, measure_all, save_cache
from bismap.data.raw_labels import LabelMap, ranges
from bismap.errors import BismapError

log = logging.getLogger(__name__)

_SHOWN = 50  # problems printed, at most


class Row(NamedTuple):
    """A sound image of the index: its file, what was measured of image and label, and pixels per class."""

    file: RawFile
    image: Measured
    label: Measured | None
    pixels: tuple[int, ...]


class Index(NamedTuple):
    """A sound data set."""

    layout: str
    spec: LabelSpec
    rows: list[Row]


def check_dataset(
    layout: str, root: Path, missing_pairs: Collection[str], threads: int, cache_folder: Path | None
) -> Index:
    """Decodes every image and label of every split and checks that they fit each other.

    Args:
        layout: name of the layout.
        root: folder of the data set.
        missing_pairs: ids known to lack the image or the label, or to have a label of another size. Such a
            pair is left out; one on the list that is sound is used.
        threads: files decoded at a time.
        cache_folder: keeps what was measured, so that the next check reads only files that differ, and the list of
            very many problems; or None.

    Returns:
        Its images, sorted by id and split.

    Raises:
        BismapError: with all problems at once, by file.
    """
    kind = get_layout(layout)
    listing = scan(layout, root)
    known = frozenset(map(str, missing_pairs))
    excused = _excused_ids(kind, listing, known)
    spec, problems = _label_spec(kind, root)
    problems += _name_problems(kind, listing, known, excused)

    labelled = _labelled_splits(listing.files)
    files = [file for file in listing.files if not _lacks_label(kind, file, labelled) or file.id not in excused]
    measured, faults = _measure(kind, root, files, threads, cache_folder)
    problems += faults
    problems += _wrong_sizes(files, measured, excused)
    problems += _unknown_ids(files, measured, LabelMap(spec.label_map)) if spec else []
    if problems or not spec:
        raise BismapError(_report(root, problems, cache_folder))
    rows = _rows(files, measured, spec)
    lost = {file.split for file in listing.files} - {row.file.split for row in rows}
    if lost:
        text = "empty split: missing_pairs leaves out every image"
        raise BismapError(_report(root, [Problem(split, text) for split in lost], cache_folder))
    return Index(layout, spec, rows)


def _excused_ids(kind: Layout, listing: Listing, known: Collection[str]) -> frozenset[str]:
    """Ids of the data set that are on the list; where ids are numbers, leading zeros do not count."""

    def plain(name: str) -> str:
        return str(int(name)) if kind.first_number is not None and name.isdecimal() else name

    plain_known = set(map(plain, known))
    return frozenset(name for name in _all_ids(listing) if plain(name) in plain_known)


def _all_ids(listing: Listing) -> list[str]:
    """Ids of all images, and of all labels without image."""
    return [file.id for file in listing.files] + [problem.id for problem in listing.problems if problem.id]


def _label_spec(kind: Layout, root: Path) -> tuple[LabelSpec | None, list[Problem]]:
    try:
        return kind.label_spec(root), []
    except BismapError as error:
        return None, [Problem("classes.json", str(error).removeprefix(f"{root / 'classes.json'}: "))]


def _name_problems(
    kind: Layout, listing: Listing, known: Collection[str], excused: Collection[str]
) -> Iterator[Problem]:
    """What is wrong with the names of the files."""
    if not listing.files:
        yield Problem(".", f"not one image; it must look like this:\n{kind.description}")
    yield from (problem for problem in listing.problems if problem.id not in excused)
    labelled = _labelled_splits(listing.files)
    for file in listing.files:
        if _lacks_label(kind, file, labelled) and file.id not in excused:
            yield Problem(file.image, "image without label", file.id)
    if kind.first_number is not None:
        yield from _gaps(kind.required[0], kind.first_number, _all_ids(listing), known)


def _labelled_splits(files: Iterable[RawFile]) -> set[str]:
    return {file.split for file in files if file.label}


def _lacks_label(kind: Layout, file: RawFile, labelled: Collection[str]) -> bool:
    return not file.label and (kind.labels_required or file.split in labelled)


def _gaps(folder: str, first: int, ids: Sequence[str], known: Collection[str]) -> Iterator[Problem]:
    """Runs of missing numbers: most often a part of the data set that was not downloaded or unpacked."""
    yield from (Problem(f"{folder}/{name}.png", "the name must be a number") for name in ids if not name.isdecimal())
    found = {int(name): len(name) for name in ids if name.isdecimal()}
    excused = {int(name) for name in known if name.isdecimal() and int(name) < max(found, default=0)}
    present = sorted(found.keys() | excused)
    for before, number in zip([first - 1, *present], present, strict=False):
        if number > before + 1:
            run = ranges((before + 1, number - 1)) if number - before <= 3 else f"{before + 1}-{number - 1}"
            name = f"{before + 1:0{max(found.values())}d}"
            text = f"missing ids {run} ({number - before - 1}): get them anew, or name them in missing_pairs"
            yield Problem(f"{folder}/{name}.png", text)


def _measure(
    kind: Layout, root: Path, files: Iterable[RawFile], threads: int, cache_folder: Path | None
) -> tuple[dict[str, Measured], list[Problem]]:
    path = cache_path(cache_folder, kind.name) if cache_folder else None
    cache = load_cache(path) if path else {}
    images = [file.image for file in files]
    labels = [file.label for file in files if file.label]
    found, faults = measure_all(root, images, labels, kind.encodings, threads, cache)
    if path:
        save_cache(path, found)
    measured = {name: entry for name, (_, entry) in found.items()}
    return measured, [Problem(name, text) for name, text in faults.items()]


def _differs(image: Measured | None, label: Measured | None) -> bool:
    both = image is not None and label is not None
    return both and (image.height, image.width) != (label.height, label.width)


def _wrong_sizes(
    files: Iterable[RawFile], measured: Mapping[str, Measured], excused: Collection[str]
) -> Iterator[Problem]:
    for file in _once(files):
        image, label = measured.get(file.image), measured.get(file.label or "")
        if _differs(image, label) and file.id not in excused:
            text = f"{label.width}x{label.height} pixels, but its image has {image.width}x{image.height}"
            yield Problem(file.label, text)


def _unknown_ids(files: Iterable[RawFile], measured: Mapping[str, Measured], label_map: LabelMap) -> Iterator[Problem]:
    for file in _once(files):
        label = measured.get(file.label or "")
        unknown = label_map.unknown(label.pixels) if label else []
        if unknown:
            yield Problem(file.label, label_map.complaint(unknown))


def _once(files: Iterable[RawFile]) -> list[RawFile]:
    """Each image once, however many splits it is in."""
    return list({file.id: file for file in files}.values())


def _report(root: Path, problems: Iterable[Problem], folder: Path | None) -> str:
    """What is wrong, by file; of very many problems the first, and in which file of ``folder`` all are."""
    unique = sorted({(problem.file, problem.text) for problem in problems})
    lines = [f"  {file}: {text}" for file, text in unique]
    if len(unique) > _SHOWN:
        where = ""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "problems.txt").write_text("\n".join(lines) + "\n")
            where = f"; all are listed in {folder / 'problems.txt'}"
        lines[_SHOWN:] = [f"  ... and {len(unique) - _SHOWN} more{where}"]
    many = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
    return f"{many} in the data set {root}; nothing is used until it is mended:\n" + "\n".join(lines)


def _rows(files: Iterable[RawFile], measured: Mapping[str, Measured], spec: LabelSpec) -> list[Row]:
    """The sound pairs, sorted by id and split."""
    label_map = LabelMap(spec.label_map)
    rows = []
    for file in sorted(files, key=lambda file: (file.id, file.split)):
        image, label = measured[file.image], measured[file.label] if file.label else None
        if not _differs(image, label):
            pixels = label_map.count(label.pixels if label else {}, len(spec.classes))
            rows.append(Row(file, image, label, pixels))
    return rows


def write_index(index: Index, folder: Path) -> None:
    """Writes index.csv, one line an image and split, and classes.json: what ``open_dataset`` reads."""
    classes, label_map = index.spec
    columns = ["id", "image", "label", "split", "height", "width", "image_sha256", "label_sha256"]
    columns += [f"pixels_{c}" for c in range(len(classes))]
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(_cells(row) for row in index.rows)
    description = {
        "layout": index.layout,
        "classes": classes.names,
        "palette": classes.colors,
        "label_map": {str(label): label_map[label] for label in sorted(label_map)},
    }
    (folder / "classes.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def _cells(row: Row) -> list[str | int]:
    file, image, label, pixels = row
    label_sha256 = label.sha256 if label else ""
    shared = [file.id, file.image, file.label or "", file.split, image.height, image.width]
    return [*shared, image.sha256, label_sha256, *pixels]


def log_summary(index: Index) -> None:
    """Logs images per split, and the classes without a single labelled pixel."""
    splits = Counter(row.file.split for row in index.rows)
    log.info("images: %s", ", ".join(f"{split} {count}" for split, count in sorted(splits.items())))
    totals = [sum(counts) for counts in zip(*(row.pixels for row in index.rows), strict=True)]
    absent = [name for name, total in zip(index.spec.classes.names, totals, strict=True) if not total]
    if absent:
        log.info("classes without a labelled pixel: %s", ", ".join(absent))
