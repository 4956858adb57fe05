"""What is wrong with a configuration, and where."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Location = tuple[int | str, ...]
"""Keys from the top of the configuration down to a value."""


class Problem(NamedTuple):
    """One error.

    Attributes:
        location: of the value in the expanded configuration.
        text: what was expected, and what was found.
        missing: there is no value at the location, but there must be one.
        combined: the value is not wrong in itself: it does not fit others of the same experiment.
    """

    location: Location
    text: str
    missing: bool = False
    combined: bool = False


def lookup(node: Any, *path: int | str) -> Any:
    """The value at ``path`` below ``node``, a configuration not checked yet; None where the path breaks off."""
    for part in path:
        if not isinstance(node, Mapping):
            return None
        node = node.get(part)
    return node


def section(node: Any, *path: int | str) -> Mapping[Any, Any]:
    """The mapping at ``path`` below ``node``; an empty one where there is none."""
    found = lookup(node, *path)
    return found if isinstance(found, Mapping) else {}


def known(names: Any) -> str:
    """The names to choose from, as the end of a message."""
    return f"known: {', '.join(map(str, names)) or 'none'}"


def from_least(circle: Sequence[str]) -> tuple[str, ...]:
    """A circle of names, begun at the first in the alphabet: the same wherever it was entered."""
    first = circle.index(min(circle))
    return (*circle[first:], *circle[:first])
