"""JSON schema of config.yaml as it is written, for editors: shared values on top, overrides in experiments."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bismap.config.expand import SHARED
from bismap.config.model import Config


def json_schema() -> str:
    """The schema's text. It says which keys there are and what they may hold; ``check_config`` checks the rest.

    Whether something is missing shows only when shared values, those of `like` and an experiment's own are laid
    over each other, so nothing is required in these three.
    """
    schema = Config.model_json_schema()
    schema["description"] = "config.yaml as it is written"
    definitions = schema["$defs"]
    experiment = definitions["Experiment"]["properties"]
    for name in sorted(_reachable("Experiment", definitions)):
        definitions[name].pop("required", None)
    schema["properties"] |= {name: experiment[name] | {"description": _SHARED[name]} for name in SHARED}
    experiment["like"] = {"type": "string", "description": "experiment whose values this one takes over"}
    for node in _nodes(schema):
        if "patternProperties" in node:
            node["additionalProperties"] = False  # other names are no names
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


_SHARED = {
    "settings": "settings shared by all experiments, each of which may override single values",
    "runs": "runs shared by all experiments, each of which may override single values or add runs",
    "tables": "tables shared by all experiments, each of which may override single values or add tables",
}


def _reachable(name: str, definitions: Mapping[str, Any]) -> set[str]:
    """Names of a definition and of all that it refers to."""
    found, todo = set(), [name]
    while todo:
        current = todo.pop()
        if current not in found:
            found.add(current)
            todo += [node["$ref"].rpartition("/")[2] for node in _nodes(definitions[current]) if "$ref" in node]
    return found


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _nodes(child)
