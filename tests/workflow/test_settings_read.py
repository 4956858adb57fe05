"""No stage is given a setting that it does not read: such a setting would rerun it for nothing."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bismap import cli, runner
from bismap.fingerprint import PACKAGE
from bismap.job import Job
from bismap.verbs import VERBS
from tests.workflow.runs import snakemake, targets

pytestmark = pytest.mark.slow

# What the six runs do not ask for.
OTHERS = ("posterior", "cas", "softmax", "ias")
MORE = [f"results/gta/gpa_stm/pseudo_labels/{name}{end}" for name in OTHERS for end in (".json", ".curve.csv")]
MORE += ["results/gta/tables/table1.md", *(f"results/gta/figures/figure{number}.png" for number in (4, 5, 6))]
MORE += ["results/gta/bismap/plots.csv"]
MORE += ["results/gta/gallery/index.html"]
# Trainings measure no IoU as they go unless told to.
WATCHED = ["--config", "settings={training: {validate_every: 3}}", "--", "results/gta/source_only/plots/validation.svg"]


class Recorder(dict):
    """Settings that note which of their leaves were looked at."""

    def __init__(self, values: dict, seen: set[str], path: str = "") -> None:
        super().__init__(values)
        self._seen, self._path = seen, path

    def __getitem__(self, name: str) -> Any:
        value, path = super().__getitem__(name), f"{self._path}{name}"
        if isinstance(value, dict) and value:
            return Recorder(value, self._seen, f"{path}.")
        self._seen.add(path)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:  # not the dict's own: `**settings` then goes through __getitem__
        return iter(list(super().keys()))

    def keys(self) -> list[str]:
        return list(self)

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self[name]) for name in self]

    def values(self) -> list[Any]:
        return [self[name] for name in self]


def leaves(values: dict, path: str = "") -> set[str]:
    found = set()
    for name, value in values.items():
        found |= leaves(value, f"{path}{name}.") if isinstance(value, dict) and value else {f"{path}{name}"}
    return found


def commands(folder: Path, *asked: str) -> dict[str, list[str]]:
    """A command for each stage that is asked for, and for each objective of the training."""
    text = snakemake(folder, "-n", "-p", "--forceall", *asked).stdout
    found = {}
    for line in re.findall(r"^Shell command: python -m bismap (.*)$", text, re.MULTILINE):
        words = shlex.split(line)
        objective = re.search(r'"objective": "(\w+)"', line)
        found.setdefault(f"{words[0]} {objective[1]}" if objective else words[0], words)
    return found


def elsewhere(words: list[str], folder: Path) -> list[str]:
    """The same command with its outputs, log and store in a folder of the test's own."""
    verb = VERBS[words[0].replace("-", "_")]
    private = {f"--{name.replace('_', '-')}" for name in verb.outputs} | {"--log"}
    pairs = zip(["", *words], words, strict=False)
    words = [str(folder / word) if before in private else word for before, word in pairs]
    return [*words, "--store", str(folder / ".store")]


def test_every_setting_that_a_stage_is_given_is_read(finish, tmp_path, monkeypatch):
    project = finish("gta")
    for asked in (MORE, WATCHED):
        snakemake(project, "--cores", "2", *asked)
    unread = {}
    for name, words in (commands(project, *WATCHED) | commands(project, *targets("gta"), *MORE)).items():
        monkeypatch.chdir(project)
        seen: set[str] = set()
        given: dict[str, Any] = {}

        def job(settings: dict, seen: set[str] = seen, given: dict[str, Any] = given, **rest: Any) -> Any:
            given.update(settings)
            return Job(settings=Recorder(settings, seen), **rest)

        with monkeypatch.context() as patch:
            patch.setattr(runner, "Job", job)
            assert cli.main(elsewhere(words, tmp_path / name)) == 0, name
        unread[name] = sorted(leaves(given) - seen)
    snakemake(project, "--cores", "2", "results/gta/source_only/model.safetensors")  # as other tests expect it
    assert len(unread) == len(VERBS)  # less the renderer and the weights, but three objectives
    assert not any(unread.values()), unread


def test_a_group_of_settings_taken_whole_is_read_field_by_field():
    """What goes into ``Class(**settings)`` counts as read above; here each field of such a class is looked for."""
    trees = [ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    taken = {
        node.func.id
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and any(item.arg is None for item in node.keywords)
    }
    fields = {
        (node.name, item.target.id)
        for node in nodes
        if isinstance(node, ast.ClassDef) and node.name in taken
        for item in node.body
        if isinstance(item, ast.AnnAssign)
    }
    assert {name for name, _ in fields} >= {"PretrainSettings", "Schedule", "Strong", "Jitter", "Consistency"}
    assert [f"{name}.{field}" for name, field in sorted(fields) if field not in read] == []
