"""What the documents promise is held by tests that exist, their links lead somewhere, and pages of stages are whole."""

import copy
import itertools
import re
import warnings
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any, get_args, get_origin
from urllib.parse import unquote, urlparse

import pytest
import yaml
from pydantic import BaseModel
from workflow.plan import SCORES
from workflow.raw import RawData
from workflow.settings import stage_settings, stage_setup

from bismap.config import Config, check_config
from bismap.config.model import Dataset, Experiment, Run, Weights
from bismap.config.settings import Settings
from bismap.config.tables import Table
from bismap.verbs import VERBS
from tests.documents import CONVENTION, NEEDS, ROOT, RUN, SHOWN, Page, pages, read_page, repository_files, slug_of

NAMED = re.compile(r"`(test_\w+)`")
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}
STAGES = ROOT / "docs" / "stages"
HEADINGS = ["What it does", "Why", "Equation", "Inputs", "Outputs", "Settings", "Look at it", "How it fails", "Cost"]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def test_every_test_that_a_document_names_exists():
    for page in pages():
        named = set(NAMED.findall(page.text))
        assert named <= TESTS, (page.name, sorted(named - TESTS))


def test_every_scenario_has_a_row_and_a_test():
    rows = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    assert all(NAMED.search(tests) for _, tests in rows)


# ---- Links and blocks of all pages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    broken = [fault for target in page.links() if (fault := _fault(page, target))]
    assert not broken, f"{page.name}:\n  " + "\n  ".join(broken)


def _fault(page: Page, target: str) -> str:
    """What is wrong with a link of a page; nothing if it is sound."""
    url = urlparse(target)
    if url.scheme in ("http", "https"):
        return "" if re.fullmatch(r"[\w-]+(\.[\w-]+)+(:\d+)?", url.netloc) else f"{target}: no host"
    if url.scheme or target.startswith("/"):
        return f"{target}: link to https://..., or to a file of this repository by its relative path"
    path = (page.path.parent / unquote(url.path)).resolve() if url.path else page.path
    if not path.is_relative_to(ROOT):
        return f"{target}: lies outside of the repository"
    name = path.relative_to(ROOT).as_posix()
    if not any(file == name or file.startswith(f"{name}/") for file in repository_files()):
        return f"{target}: git has no {name}"
    if url.fragment and path.suffix == ".md" and unquote(url.fragment) not in read_page(path).anchors():
        return f"{target}: {name} has no heading with this anchor"
    return ""


def test_faults_of_links_are_seen(tmp_path):
    page = read_page(ROOT / "docs" / "data.md")
    sound = [
        "https://example.org/a_(b)",
        "method.md",
        "../README.md#cite",
        "#camvid",
        "study",
        "../src/bismap/losses.py",
    ]
    assert [_fault(page, target) for target in sound] == [""] * len(sound)
    faulty = ["https://nowhere", "/etc/passwd", "file:///etc", "../../elsewhere.md", "Method.md", "method.md#nothing",
              "../results/.store"]  # fmt: skip
    assert all(_fault(page, target) for target in faulty)


def test_links_headings_and_blocks_are_found(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(
        "# Own *words*, two\n[a](b.md) ![c](d.svg) [`e`](f.md#g) `[no](code)` <https://h.org/i>\n## x\n## x\n"
        '<img src="j.png">\n```sh needs=data\n# no heading\n[no](link)\n```\n```python\n1\n```\n'
    )
    page = read_page(file)
    assert page.links() == ["b.md", "d.svg", "f.md#g", "j.png", "https://h.org/i"]
    assert page.anchors() == {"own-words-two", "x", "x-1"}
    assert [(block.line, block.language, block.marks, block.is_run) for block in page.blocks] == [
        (6, "sh", ("needs=data",), False),
        (10, "python", (), True),
    ]
    assert slug_of("EM step, 300,000 x 256, K = 8, `diagonal`") == "em-step-300000-x-256-k--8-diagonal"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_block_has_a_known_mark(page):
    for block in page.blocks:
        what = f"{page.name}, line {block.line}: ```{' '.join([block.language, *block.marks])}"
        known = {f"needs={need}" for need in NEEDS} if block.language in RUN else set()
        assert block.language in (*RUN, *SHOWN), f"{what}: no language of {CONVENTION}"
        assert set(block.marks) <= known, f"{what}: a mark that {CONVENTION} does not have"
        assert len(block.marks) <= 1, f"{what}: one mark is enough"


def test_the_page_on_writing_lists_the_marks():
    rows = re.findall(r"^\| `needs=(\w+)` \|", (ROOT / CONVENTION).read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(NEEDS)


def test_no_page_names_a_place_of_one_machine():
    for page in pages():
        assert not re.search(r"(?<![\w.])/(work|home|root|Users)/", page.text), page.name


# ---- Pages of the stages --------------------------------------------------------------------------------------------


def _stage_page(stage: str) -> Page:
    return read_page(STAGES / f"{stage}.md")


def test_every_stage_has_a_page_and_every_page_a_stage():
    found = {path.stem for path in STAGES.glob("*.md")} - {"README"}
    assert found == set(VERBS), f"each stage needs its docs/stages/STAGE.md, made as {CONVENTION} says"


def test_the_index_links_every_page():
    assert {f"{stage}.md" for stage in VERBS} <= set(read_page(STAGES / "README.md").links())


@pytest.mark.parametrize("stage", VERBS)
def test_pages_of_stages_have_the_same_headings(stage):
    page = _stage_page(stage)
    assert page.headings(1) == [f"`{stage}`"]
    assert page.headings(2) == HEADINGS
    for heading in HEADINGS:
        assert page.section(heading).strip(), heading
    assert any(block.language in RUN for block in page.blocks)


@pytest.mark.parametrize("stage", VERBS)
def test_pages_of_stages_name_their_flags(stage):
    page, verb = _stage_page(stage), VERBS[stage]
    for heading, flags in (("Inputs", verb.inputs), ("Outputs", verb.outputs)):
        found = set(re.findall(r"`--([a-z-]+)`", page.section(heading)))
        assert found == {flag.replace("_", "-") for flag in flags}, heading


@pytest.mark.parametrize("stage", VERBS)
def test_pages_of_stages_name_the_settings_that_they_read(stage):
    named = _named_settings(_stage_page(stage))
    assert sorted(_settings_read()[stage] - named.keys()) == []


@pytest.mark.parametrize("page", [page for page in pages() if page.path.parent == STAGES], ids=lambda page: page.name)
def test_pages_of_stages_name_no_setting_that_does_not_exist(page):
    sections = "|".join(Settings.model_fields)
    spans = re.findall(rf"`((?:{sections}|datasets|runs|weights|tables|experiments)\.[\w.{{}},]+)`", page.text)
    files = re.compile(r"\.(zarr|csv|json|png|npy|safetensors|py|md)\b")
    mentioned = {name for span in spans if not files.search(span) for name in _expanded(span)}
    if page.path.stem in VERBS:
        mentioned |= _named_settings(page).keys()
    prefixes = {name.rsplit(".", n)[0] for name in ALL_SETTINGS for n in range(name.count(".") + 1)}
    assert sorted(mentioned - prefixes) == []


@pytest.mark.parametrize("stage", VERBS)
def test_defaults_on_pages_of_stages_are_those_of_config_yaml(stage):
    for name, default in _named_settings(_stage_page(stage)).items():
        if name.split(".")[0] in Settings.model_fields:
            value: Any = CONFIG["settings"]
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            assert yaml.safe_load(default) == value, name


def _leaves(model: type[BaseModel], path: str) -> Iterator[str]:
    """Paths of a model's settings; lists and tables of values are one."""
    for name, field in model.model_fields.items():
        types = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in types if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None or get_origin(field.annotation) is tuple:
            yield path + name
        elif not (inner in (Settings, Run, Table) and path == ""):
            yield from _leaves(inner, f"{path}{name}.")


ALL_SETTINGS = {
    "rerun_on_new_packages",
    *_leaves(Settings, ""),
    *_leaves(Experiment, ""),
    *_leaves(Run, "runs.{run}."),
    *_leaves(Table, "tables.{table}."),
    *_leaves(Dataset, "datasets.{dataset}."),
    *_leaves(Weights, "weights.{weights}."),
}
"""All there are, as pages name them: of a stage below ``settings``, of an experiment, a run, a table, a data set ..."""


def _named_settings(page: Page) -> dict[str, str]:
    """The settings of the table on a stage's page, and the default that it gives each."""
    found = {}
    for name, defaults in re.findall(r"^\| `([^`]+)` \|[^|]*\| ([^|]*) \|", page.section("Settings"), re.MULTILINE):
        names = _expanded(name)
        values = [value.strip(" `") for value in (defaults.split("; ") if len(names) > 1 else [defaults])]
        values = values * len(names) if len(values) == 1 else values
        assert len(values) == len(names), f"{page.name}: {name} needs one default, or each one, semicolons between"
        found |= dict(zip(names, values, strict=True))
    return found


def _expanded(name: str) -> list[str]:
    """``a.{b,c}`` as ``a.b`` and ``a.c``; ``{run}`` stays."""
    parts = re.split(r"\{([\w.]+(?:,[\w.]+)+)\}", name)
    choices = [part.split(",") if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


@cache
def _settings_read() -> dict[str, set[str]]:
    """Of each stage, the settings whose change alters what it is given, found by changing one after the other."""
    config = _demo()
    found, before = {stage: set[str]() for stage in VERBS}, _given(config)
    for name in ALL_SETTINGS - {"source.dataset", "target.dataset"}:  # every stage is told, by its inputs
        changed = copy.deepcopy(config)
        _change(changed, name)
        after = _given(changed)
        for stage in VERBS:
            if before[stage] != after[stage]:
                found[stage].add(name)
    return found


def _demo() -> Config:
    """`demo`, which is rendered and so can be asked without data, with the one group of settings that it lacks."""
    raw = copy.deepcopy(CONFIG)
    variants = {name: spec for name, spec in raw["experiments"].items() if name.startswith("demo_share")}
    raw["experiments"] = {"demo": raw["experiments"]["demo"], **variants}
    raw["experiments"]["demo"]["settings"]["features"]["pool"] = {"size": 9, "keep": [0.5] * 19}
    return check_config(raw)


def _change(config: Config, name: str) -> None:
    """Give a setting of `demo` another value, sound or not, wherever it stands."""
    experiment, (first, *rest) = config.experiments["demo"], name.split(".")
    groups = {"datasets": config.datasets, "weights": config.weights}
    groups |= {"runs": experiment.runs, "tables": experiment.tables}
    if first in groups:
        owners: list[Any] = list(groups[first].values())
        *path, last = rest[1:]
    else:
        owners = [experiment.settings if first in Settings.model_fields else experiment]
        owners = [config] if first in Config.model_fields else owners
        *path, last = first, *rest
    for part in path:
        owners = [inner for owner in owners if (inner := getattr(owner, part)) is not None]
    for owner in owners:
        owner.__dict__[last] = _another(getattr(owner, last))


def _another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}_other"
        case dict():
            return {name: _another(item) for name, item in value.items()}
        case tuple() if value:
            return (_another(value[0]), *value[1:])
        case tuple():
            return ("other",)
    return 1


def _given(config: Config) -> dict[str, list[Any]]:
    """What each stage is given, for some of all that may ask for it; the error, where that is nothing."""
    choices = {
        "dataset": ["demo_game", "demo_photo"],
        "weights": list(config.weights),
        "run": ["gpa", "bismap", "bismap_distilled"],
        "domain": ["source", "target"],
        "split": ["train", "val"],
        "assignment": list(SCORES),
        "table": ["table4", "table5"],
    }
    combinations = [
        SimpleNamespace(exp="demo", **{name: values[turn % len(values)] for name, values in choices.items()})
        for turn in range(max(map(len, choices.values())))
    ]
    raw = RawData(config)
    with warnings.catch_warnings(action="ignore"):  # of pydantic, about values of other types
        return {stage: [_asked(stage, config, raw, wildcards) for wildcards in combinations] for stage in VERBS}


def _asked(stage: str, config: Config, raw: RawData, wildcards: Any) -> Any:
    # Of the setup, all stages are told where data lies and which device to take, if they need one.
    shared = {"roots", "images"} if VERBS[stage].gpu else {"roots", "images", "device"}
    try:
        setup = stage_setup(stage, config, raw, wildcards)
        settings = stage_settings(stage, config, raw, wildcards)
    except Exception as error:  # a value that makes no sense was looked at, too
        return repr(error)
    return settings, {name: value for name, value in setup.items() if name not in shared}
