"""Stage ``gallery``: pages that show a whole experiment."""

from collections.abc import Sequence

from bismap.data.dataset import Dataset, Item, open_dataset
from bismap.data.shards import files
from bismap.gallery.layers import Map, Scores, Set, Transferability, deal
from bismap.gallery.site import PREDICTION, Section, write_gallery
from bismap.inspect.overview import choose_items
from bismap.job import Job


def run(job: Job) -> None:
    """Write ``index.html`` and the folder ``files``."""
    cfg = job.settings
    sections = [*_target_sections(job), _source_section(job)]
    write_gallery(
        job.out,
        cfg["experiment"],
        sections,
        runs=cfg["runs"],
        subsets=cfg["subsets"],
        width=cfg["width"],
        threads=job.threads,
    )


def _target_sections(job: Job) -> list[Section]:
    """The split that scores the runs, and the one adapted to, which has the pseudo-labels (one may be both)."""
    cfg, dataset = job.settings, open_dataset(job.input("target_index"), job.root("target"))
    adapt, evaluate = cfg["target"]["adapt"], cfg["target"]["evaluate"]
    items = {split: dataset.items(split) for split in (adapt, evaluate)}
    ids = {split: [item.id for item in found] for split, found in items.items()}
    predictions = _predictions(job, ids)

    layers = [(f"{teacher}/{assignment}", f"{teacher}, {assignment}") for teacher, assignment in cfg["assignments"]]
    wanted = [(title, ids[adapt]) for _, title in layers]
    given = deal(job.input_list("pseudo_labels"), [(f"pseudo-labels of {title}", of) for title, of in wanted])
    scored = deal(job.input_list("scores"), [(f"scores of {title}", of) for title, of in wanted])

    labels = {f"labels/{key}": found.files for (key, _), found in zip(layers, given, strict=True)}
    maps: dict[str, Map] = {f"score/{key}": Scores.of(found) for (key, _), found in zip(layers, scored, strict=True)}
    titles = {f"labels/{key}": f"Pseudo-labels ({title})" for key, title in layers}
    for key, title in layers:
        titles[f"score/{key}"] = f"{maps[f'score/{key}'].quantity.capitalize()} ({title})"
    adapted = _target_section(
        "adapt", f"Target, {adapt}", dataset, items[adapt], labels | predictions[adapt], maps, titles
    )
    if adapt == evaluate:
        return [adapted]
    return [
        _target_section("evaluate", f"Target, {evaluate}", dataset, items[evaluate], predictions[evaluate], {}, {}),
        adapted,
    ]


def _target_section(
    key: str,
    title: str,
    dataset: Dataset,
    items: Sequence[Item],
    labels: dict[str, dict],
    maps: dict[str, Map],
    titles: dict[str, str],
) -> Section:
    named = {layer: f"Prediction of {layer.split('/', 1)[1]}" for layer in labels if layer.startswith(f"{PREDICTION}/")}
    return Section(key, title, dataset, items, len(items), labels=labels, maps=maps, titles=titles | named)


def _predictions(job: Job, ids: dict[str, list[str]]) -> dict[str, dict]:
    """Split -> layer -> files."""
    runs = job.settings["runs"]
    wanted = [(f"predictions of {run} for `{split}`", ids[split]) for run in runs for split in ids]
    dealt = iter(deal(job.input_list("predictions"), wanted))
    found: dict[str, dict] = {split: {} for split in ids}
    for run in runs:
        for split in ids:
            found[split][f"{PREDICTION}/{run}"] = next(dealt).files
    return found


def _source_section(job: Job) -> Section:
    cfg, dataset = job.settings, open_dataset(job.input("source_index"), job.root("source"))
    split = cfg["source"]["split"]
    items = dataset.items(split)
    ids = [item.id for item in items]
    judges = cfg["judges"]
    dealt: list[Set] = deal(job.input_list("transferability"), [(f"transferability of {run}", ids) for run in judges])
    return Section(
        "source",
        f"Source, {split}",
        dataset,
        choose_items(items, cfg["source_images"], cfg["seed"]),
        len(items),
        stylized=files(job.input_list("stylized"), ".png"),
        maps={f"transferability/{run}": Transferability(one.files) for run, one in zip(judges, dealt, strict=True)},
        titles={f"transferability/{run}": f"Transferability ({run})" for run in judges},
    )
