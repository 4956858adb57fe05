"""Tables and figures: what they ask for, and what is said before any job where something is missing."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.exceptions import WorkflowError
from workflow.plan import Plan, load_plan

from tests.workflow.runs import ROOT, snakemake, tiny_config, write_project

FIGURES = {
    "qualitative": "qualitative.runs",
    "label_comparison": "label_comparison.run",
    "feature_embedding": "feature_embedding.runs",
}


@pytest.fixture
def raw(tmp_path, monkeypatch) -> dict:
    """Configuration of a small `gta`, to be planned in a folder without data."""
    monkeypatch.chdir(tmp_path)
    return tiny_config("gta")


@pytest.fixture
def data(raw, tmp_path) -> None:
    """The data of the small `gta`."""
    write_project(tmp_path, "gta", raw)


def asked(table: str, exp: str = "gta") -> SimpleNamespace:
    return SimpleNamespace(exp=exp, table=table)


def settings(plan: Plan, table: str, exp: str = "gta") -> dict:
    return json.loads(plan.cfg("table")(asked(table, exp)))["settings"]


def test_table4_from_nothing_plans_every_run_it_shows(tmp_path):
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text())
    done = snakemake(tmp_path, "-n", "results/demo/tables/table4.md")
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    # gpa, gpa_stm, gpa_maps, gpa_stm_maps, bismap and two distillations; the first of these is in no row.
    assert (counts["table"], counts["train"], counts["evaluate"], counts["stylize"]) == ("1", "7", "6", "1")
    assert "Writing table4 (demo)" in done.stdout


def test_a_sweep_asks_for_its_variants_and_their_labels(raw):
    inputs = load_plan(raw).table_inputs(asked("table5"))
    assert inputs["evaluations"] == [
        *(f"results/{exp}/gpa_stm_maps.json" for exp in ("gta_delta0", "gta_delta50", "gta", "gta_delta150")),
        *(f"results/{exp}/gpa_stm_cas.json" for exp in ("gta_gap05", "gta", "gta_gap15", "gta_gap20")),
    ]
    assert inputs["qualities"][0] == "results/gta_delta0/gpa_stm/pseudo_labels/maps.json"
    assert inputs["qualities"][-1] == "results/gta_gap20/gpa_stm/pseudo_labels/cas.json"
    assert [Path(path).name for path in inputs["published"]] == ["published.csv"]


def test_the_thresholds_of_the_paper_are_those_of_its_variants():
    rows = settings(load_plan(yaml.safe_load((ROOT / "config.yaml").read_text())), "table5")["rows"]
    assert [row["threshold"] for row in rows] == [
        *({"density": value} for value in (0.0, 50.0, 100.0, 150.0)),
        *({"gap": value} for value in (0.5, 1.0, 1.5, 2.0)),
    ]


def test_seeds_are_asked_for_row_by_row(raw):
    raw["experiments"]["gta"]["table_seeds"] = [1, 5]
    plan = load_plan(raw)
    runs = [f"results/{exp}/gpa_stm_{name}.json" for name in ("cas", "ias", "maps") for exp in ("gta", "gta-s5")]
    assert plan.table_inputs(asked("table3"))["evaluations"] == runs
    assert settings(plan, "table3")["seeds"] == [1, 5]
    assert settings(plan, "table5")["rows"][0]["experiments"] == ["gta_delta0", "gta_delta0-s5"]
    alone = settings(plan, "table3", "gta-s5")
    assert (alone["seeds"], alone["rows"][0]["experiments"]) == ([5], ["gta-s5"])


def test_parts_of_a_run_are_its_own_and_its_teachers(raw):
    rows = settings(load_plan(raw), "table4")["rows"]
    assert [set(row["parts"]) for row in rows] == [
        {"stylized"},
        {"stylized", "transferability"},
        {"stylized", "maps"},
        {"stylized", "transferability", "maps"},
        {"stylized", "transferability", "maps", "consistency"},
        {"stylized", "transferability", "maps", "consistency", "distillation"},
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"rows": [{"label": "a", "run": "gpq"}]},
            "table4, row `a`: experiment `gta` has no run `gpq`: it has source_only",
        ),
        (
            {"rows": [{"label": "a", "run": "gpa", "variant": "delta7"}]},
            "table4, row `a`: there is no variant `delta7` of `gta`, which would be the experiment `gta_delta7`; "
            "known: delta0, delta50",
        ),
        (
            {"kind": "sweep"},
            "table4, row `baseline`: run `gpa` learns from no pseudo-labels, so that it has no threshold",
        ),
        ({"means": ["miou7"]}, r"table4.means: there is no mean `miou7` in subsets; known: miou19, miou16, miou13"),
        ({"published": "Table 9"}, "table4.published: published.csv has no source `Table 9`; known: BiSMAP Table 1"),
    ],
)
def test_what_a_table_names_wrongly_is_said_before_any_job(raw, change, message):
    raw["experiments"]["gta"]["tables"]["table4"] |= change
    with pytest.raises(WorkflowError) as error:
        load_plan(raw).table_inputs(asked("table4"))
    assert str(error.value).startswith(f"experiments.gta.tables.{message}")


def test_an_unknown_table_is_answered_with_the_known_ones(raw):
    with pytest.raises(WorkflowError, match="`gta` has no table `table9`: it has table1, table3, table4, table5"):
        load_plan(raw).table_inputs(asked("table9"))


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_of_an_unknown_run_names_the_setting(raw, figure):
    section, setting = FIGURES[figure].split(".")
    raw["experiments"]["gta"]["settings"][section] |= {setting: "gpq" if setting == "run" else ["gpa", "gpq"]}
    with pytest.raises(
        WorkflowError, match=f"gta.settings.{FIGURES[figure]}: experiment `gta` has no run `gpq`: it has"
    ):
        getattr(load_plan(raw), f"{figure}_inputs")(SimpleNamespace(exp="gta"))


def test_classes_that_the_target_lacks_are_named(raw, data):
    raw["experiments"]["gta"]["settings"]["feature_embedding"]["classes"] = ["car", "tram"]
    with pytest.raises(
        WorkflowError, match=r"gta\.settings\.feature_embedding\.classes: .* has no class tram; it has road"
    ):
        load_plan(raw).feature_embedding_inputs(SimpleNamespace(exp="gta"))


def test_a_figure_that_needs_a_truth_names_the_split_without_one(raw, data):
    shutil.rmtree("data/cityscapes/gtFine/val")
    Path("data/cityscapes/gtFine/val").mkdir()
    with pytest.raises(WorkflowError, match=r"no labels of split `val`.*experiments\.gta\.target\.evaluate"):
        load_plan(raw).feature_embedding_inputs(SimpleNamespace(exp="gta"))


def test_predictions_are_compared_without_a_truth_as_well(raw, data):
    shutil.rmtree("data/cityscapes/gtFine/val")
    inputs = load_plan(raw).qualitative_inputs(SimpleNamespace(exp="gta"))
    runs = ("source_only", "gpa", "bismap", "bismap_distilled")
    folders = [f"results/gta/{run}/predictions/val" for run in runs]
    assert inputs["predictions"] == [f"{folder}/{part}-of-2.csv" for folder in folders for part in (0, 1)]


def test_pseudo_labels_are_compared_without_a_truth_as_well(raw, data):
    shutil.rmtree("data/cityscapes/gtFine/train")
    inputs = load_plan(raw).label_comparison_inputs(SimpleNamespace(exp="gta"))
    folders = [f"results/gta/gpa_stm/pseudo_labels/{name}" for name in ("cas", "ias", "maps")]
    assert inputs["pseudo_labels"] == [f"{folder}/{part}-of-2.csv" for folder in folders for part in (0, 1)]


def test_only_what_a_table_shows_is_in_its_settings(raw):
    before = settings(load_plan(raw), "table3")
    raw["experiments"]["gta"]["settings"]["pseudo_labels"]["maps"] = {"density": 7.0, "share": None}
    raw["experiments"]["gta"]["tables"]["table4"]["caption"] = "Another"
    assert settings(load_plan(raw), "table3") == before
    assert settings(load_plan(raw), "table5")["rows"][2]["threshold"] == {"density": 7.0}
