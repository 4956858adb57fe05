"""Lay the shared values and those of `like` under each experiment's own, and remember who wrote what."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from bismap.config.problems import Location, Problem, from_least, known, section

SHARED = ("settings", "runs", "tables")
"""Sections that all experiments share."""


@dataclass(frozen=True)
class Expanded:
    """A configuration with everything written out into each experiment.

    Attributes:
        raw: the configuration as written.
        full: the same, expanded.
        chains: of each experiment, its own name and those it is `like`, the nearest first.
        broken: experiments whose chain breaks off: they lack what they would inherit.
        problems: what is wrong with `like` and with the shared sections, by written location.
    """

    raw: Mapping[str, Any]
    full: dict[str, Any]
    chains: Mapping[str, Sequence[str]]
    broken: frozenset[str]
    problems: tuple[Problem, ...]

    def written(self, problem: Problem) -> Location | None:
        """Where the user wrote the value at fault, or should write the one that is missing.

        None for what only follows from a `like` or a shared section that is itself at fault.
        """
        if len(problem.location) < 3 or problem.location[0] != "experiments":
            return problem.location
        name, *inner = problem.location[1:]
        if name in self.broken and (problem.missing or problem.combined):
            return None
        if problem.missing and inner[0] in SHARED and not isinstance(self.raw.get(inner[0]), Mapping):
            return None if inner[0] in self.raw else (inner[0],)
        layers = list(self._layers(name, inner[0]))
        if problem.missing:
            # What the lowest layer that has the section leaves out, all experiments above it lack.
            found = [where for where, layer in reversed(layers) if _has(layer, inner[:-1])]
        else:
            found = [where for where, layer in layers if _has(layer, inner)]
        return (*found[0], *inner) if found else problem.location

    def _layers(self, name: str, part: int | str) -> Iterator[tuple[Location, Mapping[Any, Any]]]:
        """Location and content of what an experiment's ``part`` is made of, its own first."""
        for step in self.chains.get(name, ()):
            yield ("experiments", step), section(self.raw, "experiments", step)
        if part in SHARED:
            yield (), {shared: section(self.raw, shared) for shared in SHARED}


def expand(raw: Mapping[str, Any]) -> Expanded:
    """Write ``settings`` and ``runs`` out into each experiment, the experiment's own values on top."""
    full = {name: deepcopy(value) for name, value in raw.items() if name not in SHARED}
    problems = [
        Problem((name,), f"expected a mapping (got {raw[name]!r})")
        for name in SHARED
        if not isinstance(raw.get(name, {}), Mapping)
    ]
    written = {name: value for name, value in section(raw, "experiments").items() if isinstance(value, Mapping)}
    chains, broken = {}, set()
    for name in written:
        chains[name], fault = _chain(name, section(raw, "experiments"))
        if fault:
            broken.add(name)
            problems.append(fault)
        own: dict[str, Any] = {}
        for step in reversed(chains[name]):
            own = merge(own, {key: value for key, value in written[step].items() if key != "like"})
        shared = {key: merge(section(raw, key), own.get(key, {})) for key in SHARED}
        full["experiments"][name] = {**own, **shared}
    return Expanded(raw, full, chains, frozenset(broken), tuple(problems))


def _chain(name: str, experiments: Mapping[str, Any]) -> tuple[list[str], Problem | None]:
    """Names of ``name`` and what it is `like`, the nearest first, as far as they go; and why they break off."""
    chain = [name]
    while (parent := experiments[chain[-1]].get("like")) is not None:
        where = ("experiments", chain[-1], "like")
        if not isinstance(parent, str) or parent not in experiments:
            return chain, Problem(where, f"there is no experiment `{parent}`; {known(experiments)}")
        if not isinstance(experiments[parent], Mapping):
            return chain, Problem(where, f"experiment `{parent}` is no mapping")
        if parent in chain:
            circle = from_least(chain[chain.index(parent) :])
            where = ("experiments", circle[-1], "like")
            return chain, Problem(where, f"goes round in a circle: {' -> '.join((*circle, circle[0]))}")
        chain.append(parent)
    return chain, None


def merge(base: Any, override: Any) -> Any:
    """``override`` laid over ``base``: mappings key by key, everything else replaced whole."""
    if isinstance(base, Mapping) and isinstance(override, Mapping):
        return {
            key: merge(base[key], override[key]) if key in base and key in override else deepcopy(value)
            for key, value in {**base, **override}.items()
        }
    return deepcopy(override)


def _has(node: Any, path: Sequence[int | str]) -> bool:
    for part in path:
        if not isinstance(node, Mapping):
            return True  # within a value that is replaced whole
        if part not in node:
            return False
        node = node[part]
    return True
