"""Code fingerprints: real edits change them, cosmetic ones do not; imports point one way."""

import ast
from pathlib import Path

import pytest

from bismap import fingerprint as fp
from bismap.verbs import VERBS

STAGES = [f"bismap.stages.{verb}" for verb in VERBS]


def _package(root: Path, **modules: str) -> None:
    package = root / "bismap"
    (package / "stages").mkdir(parents=True)
    for name in ("__init__", "stages/__init__"):
        (package / f"{name}.py").write_text("")
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Use a small package in place of the real one; returns a function that edits and re-reads it."""
    _package(
        tmp_path,
        helper='"""Doc."""\n\ndef f(x):\n    """Doc of f."""\n    return x + 1\n',
        user="from bismap import helper\n",
        lazy="def g():\n    from .helper import f\n    return f(1)\n",
        other="y = 2\n",
    )
    monkeypatch.setattr(fp, "PACKAGE", tmp_path / "bismap")

    def read(module: str, **edits: str) -> str:
        for name, text in edits.items():
            (tmp_path / "bismap" / f"{name}.py").write_text(text)
        fp.forget()
        return fp.fingerprint(f"bismap.{module}")

    yield read
    fp.forget()


@pytest.mark.parametrize("module", ["helper", "user", "lazy"])
def test_an_edit_changes_all_that_import_it(copy, module):
    before = copy(module)
    assert copy(module, helper="def f(x):\n    return x + 2\n") != before


def test_an_edit_elsewhere_changes_nothing(copy):
    before = copy("user")
    assert copy("user", other="y = 3\n") == before


def test_how_models_are_scored_is_no_part_of_the_code_that_trains_them():
    assert not [name for name in fp.closure("bismap.stages.train") if name.startswith("bismap.evaluation")]
    assert "bismap.evaluation.confusion" in fp.closure("bismap.stages.evaluate")


def test_assets_of_a_package_belong_to_all_that_import_it(copy, tmp_path):
    assets = tmp_path / "bismap" / "page" / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "__init__.py").write_text("")
    (assets.parent / "writer.py").write_text("z = 1\n")
    edits = {"user": "from bismap.page import writer\n"}
    without, other = copy("user", **edits), copy("other")
    (assets / "page.js").write_text("one();")
    before = copy("user")
    (assets / "page.js").write_text("two();")
    after = copy("user")
    assert len({without, before, after}) == 3
    (assets / ".page.js.swp").write_text("what an editor leaves")
    (assets / ".idea").mkdir()
    assert copy("user") == after
    assert copy("other") == other


def test_comments_docstrings_and_formatting_change_nothing(copy):
    before = copy("user")
    assert copy("user", helper='# why\ndef f( x ):\n    "Other."\n    return (x + 1)\n') == before


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_the_configuration_the_command_line_or_the_store(stage):
    forbidden = (
        "bismap.config",
        "bismap.cli",
        "bismap.store",
        "bismap.runner",
        "bismap.verbs",
        "bismap.code",
    )
    assert not [name for name in fp.closure(stage) if name.startswith(forbidden)]
    assert not fp.foreign_imports(stage) & {"yaml", "pydantic"}


ROOMS_BELOW_TRAINING = (
    "data",
    "stylize",
    "prototypes",
    "transferability",
    "pseudo_labels",
    "losses",
    "models",
)


def test_data_and_numerics_do_not_import_training_or_stages():
    modules = [
        ".".join(path.relative_to(fp.PACKAGE.parent).with_suffix("").parts)
        for path in fp.PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    ]
    below = [name for name in modules if name.split(".")[1] in ROOMS_BELOW_TRAINING]
    assert below
    for module in below:
        above = {n for n in fp.imports(module) if n.startswith(("bismap.training", "bismap.stages"))}
        assert not above, module


def test_the_library_knows_nothing_of_snakemake():
    for path in fp.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.split(".")[0] in ("snakemake", "workflow")], path


def test_observers_are_there_and_no_part_of_what_they_watch():
    for name in fp.OBSERVERS:
        assert fp._exists(name), name
    for stage in ("train", "extractor"):
        assert not fp.closure(f"bismap.stages.{stage}") & fp.OBSERVERS
    assert "bismap.progress" in fp.imports("bismap.training.trainer")
