"""What one section says of another: names that must be known, runs that need each other, weights that must fit.

All of this reads the expanded configuration as it came, so that a wrong type elsewhere hides none of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bismap.config.problems import Problem, from_least, known, lookup, section

BACKBONES = ("resnet50", "resnet101", "small", "simclr_resnet152")
TORCHVISION = ("resnet50", "resnet101")
HELD = {
    "torchvision": TORCHVISION,
    "simclr": (*TORCHVISION, "simclr_resnet152"),
    "bismaps": (),  # whole networks, from which no backbone starts
    "proda": TORCHVISION,
}
"""Backbones that a file of weights of each kind can be of (``bismap.models.importing``)."""


def reference_problems(full: Mapping[str, Any]) -> Iterator[Problem]:
    """Every name in an experiment that stands for nothing, and everything named that does not fit."""
    for name, experiment in section(full, "experiments").items():
        for problem in _of_experiment(full, section(experiment)):
            yield problem._replace(location=("experiments", name, *problem.location))


def _of_experiment(full: Mapping[str, Any], experiment: Mapping[str, Any]) -> Iterator[Problem]:
    datasets, weights = full.get("datasets"), full.get("weights")
    yield from _runs(section(experiment, "runs"))
    yield from _shown(section(experiment, "runs"), lookup(experiment, "settings", "gallery", "runs"))
    # Where a whole section is missing, not every name that would stand in it is an error of its own.
    if isinstance(datasets, Mapping):
        yield from _datasets(datasets, experiment)
    if isinstance(weights, Mapping):
        yield from _starts(weights, experiment)
        yield from _extractor(weights, section(experiment, "settings", "extractor"))


def _datasets(datasets: Mapping[str, Any], experiment: Mapping[str, Any]) -> Iterator[Problem]:
    for side in ("source", "target"):
        dataset = lookup(experiment, side, "dataset")
        if isinstance(dataset, str) and dataset not in datasets:
            yield Problem((side, "dataset"), f"there is no data set `{dataset}`; {known(datasets)}")


def _runs(runs: Mapping[str, Any]) -> Iterator[Problem]:
    for name, run in runs.items():
        for role in ("teacher", "transferability"):
            other = lookup(run, role)
            if isinstance(other, str) and other not in runs:
                yield Problem(("runs", name, role), f"there is no run `{other}`; {known(runs)}")
    for circle in sorted(_circles(runs)):
        yield Problem(("runs",), f"runs need each other in a circle: {' -> '.join((*circle, circle[0]))}")


def _shown(runs: Mapping[str, Any], shown: Any) -> Iterator[Problem]:
    for run in shown if isinstance(shown, list) else []:
        if isinstance(run, str) and run not in runs:
            yield Problem(("settings", "gallery", "runs"), f"there is no run `{run}`; {known(runs)}")


def _circles(runs: Mapping[str, Any]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            found.add(from_least(path[path.index(name) :]))
        elif name not in done:
            for role in ("teacher", "transferability"):
                other = lookup(runs, name, role)
                if isinstance(other, str) and other in runs:
                    visit(other, (*path, name))
            done.add(name)

    for name in runs:
        visit(name, ())
    return found


def _starts(weights: Mapping[str, Any], experiment: Mapping[str, Any]) -> Iterator[Problem]:
    starts = section(experiment, "starts")
    inits = {init for run in section(experiment, "runs").values() if isinstance(init := lookup(run, "init"), str)}
    for init in sorted(inits - {"teacher", *starts}):
        yield Problem(("starts", init), "missing, but a run starts from it", missing=True)
    choices = (*weights, "extractor", "random")
    for init, start in starts.items():
        if not isinstance(start, str):
            continue
        if start not in choices:
            yield Problem(("starts", init), f"there are no weights `{start}`; {known(choices)}")
        elif init in inits and (text := _misfit(start, weights, section(experiment, "settings"))):
            yield Problem(("starts", init), text, combined=True)


def _extractor(weights: Mapping[str, Any], extractor: Mapping[str, Any]) -> Iterator[Problem]:
    name = lookup(extractor, "weights")
    if not isinstance(name, str):
        return
    if name not in weights:
        yield Problem(("settings", "extractor", "weights"), f"there are no weights `{name}`; {known(weights)}")
    elif text := _other_kind(name, weights, lookup(extractor, "network", "backbone")):
        yield Problem(("settings", "extractor", "weights"), text, combined=True)


def _misfit(start: str, weights: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    """Why the network's backbone cannot start from ``start``; None if nothing speaks against it."""
    network, own = section(settings, "network"), section(settings, "extractor", "network")
    if start in weights:
        return _other_kind(start, weights, lookup(network, "backbone"))
    return _other_network(own, network) if start == "extractor" else None


def _identity(network: Mapping[str, Any]) -> tuple[Any, Any]:
    """What decides whether the tensors of one backbone fit another."""
    backbone = lookup(network, "backbone")
    return backbone, lookup(network, "width") if backbone == "small" else None


def _other_network(own: Mapping[str, Any], network: Mapping[str, Any]) -> str | None:
    def words(identity: tuple[Any, Any]) -> str:
        return identity[0] + (f" of width {identity[1]}" if identity[1] is not None else "")

    ours, theirs = _identity(network), _identity(own)
    if ours == theirs or not (isinstance(ours[0], str) and isinstance(theirs[0], str)):
        return None
    return (
        f"the extractor's backbone is {words(theirs)} (settings.extractor.network), which does not fit the runs' "
        f"backbone {words(ours)} (settings.network)"
    )


def _other_kind(name: str, weights: Mapping[str, Any], backbone: Any) -> str | None:
    kind = lookup(weights, name, "kind")
    if kind not in list(HELD) or backbone not in BACKBONES or backbone in HELD[kind]:
        return None
    held = f"holds one of {', '.join(HELD[kind])}" if HELD[kind] else "holds a whole network"
    return f"`{name}` is of kind {kind}, which {held}: it does not fit the backbone {backbone}"
