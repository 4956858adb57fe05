"""Which plots belong to a run, what they are made from, and the report that gathers them."""

import base64
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import sync_playwright
from snakemake.exceptions import WorkflowError
from workflow.plan import load_plan
from workflow.settings import stage_settings

from bismap.config import check_config
from bismap.verbs import VERBS
from tests.workflow.runs import ROOT, planned, snakemake, tiny_config, write_project

RUN = SimpleNamespace(exp="gta", run="bismap_distilled")
OF_THE_METHOD = [
    "extractor/plots/clusters.png",
    "gpa/plots/learning_curves.svg",
    "gpa/plots/transferability.svg",
    "gpa_stm/plots/learning_curves.svg",
    "gpa_stm/plots/mixtures.svg",
    "gpa_stm/plots/densities.svg",
    "gpa_stm/plots/label_curves.svg",
    "bismap/plots/learning_curves.svg",
    "bismap/overview.png",
    "bismap_distilled_round1/plots/learning_curves.svg",
    "bismap_distilled_round1/overview.png",
    "bismap_distilled/plots/learning_curves.svg",
    "bismap_distilled/overview.png",
]
TARGET = "results/gta/bismap/plots.csv"
CHROMIUM = Path("/usr/bin/chromium")
RULES = (ROOT / "rules" / "plots.smk").read_text()


@pytest.fixture
def raw(tmp_path, monkeypatch) -> dict:
    """Configuration of a small `gta`, whose data lies in the current folder."""
    write_project(tmp_path, "gta")
    monkeypatch.chdir(tmp_path)
    return tiny_config("gta")


def plots(raw: dict, run: str = "bismap_distilled") -> list[str]:
    found = load_plan(raw).plots(SimpleNamespace(exp="gta", run=run))
    return [path.removeprefix("results/gta/") for path in found]


def test_the_plots_of_a_run_are_those_of_all_runs_behind_it(raw):
    assert plots(raw) == OF_THE_METHOD
    assert plots(raw, "source_only") == ["source_only/plots/learning_curves.svg", "source_only/overview.png"]
    assert plots(raw, "gpa_stm") == [*OF_THE_METHOD[:4], "gpa_stm/overview.png"]


def test_the_plots_follow_the_assignment(raw):
    assert [path for path in plots(raw, "gpa_stm_posterior") if path.startswith("gpa_stm/")] == [
        "gpa_stm/plots/learning_curves.svg", "gpa_stm/plots/mixtures.svg", "gpa_stm/plots/label_curves.svg",
    ]  # fmt: skip
    assert [path for path in plots(raw, "gpa_stm_cas") if path.startswith("gpa_stm/")] == [
        "gpa_stm/plots/learning_curves.svg", "gpa_stm/plots/label_curves.svg",
    ]  # fmt: skip


def test_iou_over_time_is_drawn_where_the_trainings_measure_it(raw):
    run = SimpleNamespace(exp="gta", run="gpa")
    with pytest.raises(WorkflowError, match=r"experiment `gta` measure no IoU.*settings\.training\.validate_every"):
        load_plan(raw).validated(run)
    raw["experiments"]["gta"]["settings"]["training"] = {"validate_every": 100}
    assert load_plan(raw).validated(run) == "results/gta/gpa/metrics.csv"
    assert plots(raw, "source_only") == [
        "source_only/plots/learning_curves.svg", "source_only/plots/validation.svg", "source_only/overview.png",
    ]  # fmt: skip


def test_iou_over_time_is_drawn_anew_when_something_else_was_measured(raw):
    run = SimpleNamespace(exp="gta", run="gpa")
    own = raw["experiments"]["gta"]
    seen = []
    for every, split in ((100, "val"), (50, "val"), (50, "train")):
        own["settings"]["training"] = {"validate_every": every}
        own["target"]["evaluate"] = split
        plan = load_plan(raw)
        seen.append(stage_settings("plot_validation", plan.config, plan.raw, run))
    size = raw["datasets"]["cityscapes"]["size"]
    assert seen == [
        {"every": every, "target": {"split": split, "size": size}}
        for every, split in ((100, "val"), (50, "val"), (50, "train"))
    ]


def test_a_target_without_labels_has_no_label_curves(raw):
    labels = Path("data", "cityscapes", "gtFine", "train")
    shutil.rmtree(labels)
    labels.mkdir()
    assert plots(raw) == [path for path in OF_THE_METHOD if "label_curves" not in path]
    with pytest.raises(WorkflowError, match=r"no labels of split `train`.*experiments\.gta\.target\.adapt"):
        load_plan(raw).label_curves(RUN)


def test_an_unknown_run_is_answered_with_those_there_are(raw):
    with pytest.raises(WorkflowError, match="no run `bismpa`: it has source_only"):
        plots(raw, "bismpa")


def test_the_list_is_given_its_paths_in_the_order_of_its_files(raw):
    plan = load_plan(raw)
    assert stage_settings("plots", plan.config, plan.raw, RUN) == {"paths": OF_THE_METHOD}


def test_the_curves_come_in_the_order_of_their_settings(raw):
    raw["experiments"]["gta"]["settings"]["plots"] = {"assignments": ["softmax", "ias", "maps"]}
    plan = load_plan(raw)
    curves = [Path(path).name for path in plan.label_curves(RUN)]
    assert curves == ["softmax.curve.csv", "ias.curve.csv", "maps.curve.csv"]
    assert stage_settings("plot_label_curves", plan.config, plan.raw, RUN) == {
        "assignments": [["softmax", {"setting": 0.9}], ["ias", {"setting": 0.2}], ["maps", {"share": 0.6}]]
    }
    assert stage_settings("plot_densities", plan.config, plan.raw, RUN) == {"threshold": {"share": 0.6}}


def test_an_assignment_named_twice_is_refused():
    raw = tiny_config("gta")
    raw["settings"]["plots"]["assignments"] = ["maps", "maps"]
    with pytest.raises(Exception, match=r"settings\.plots\.assignments.*twice"):
        check_config(raw)


def test_every_plot_is_in_the_report_with_a_caption():
    for rule in (name for name in VERBS if name.startswith("plot_")):
        body = RULES.split(f"\nrule {rule}:")[1].split("\nrule ")[0]
        assert re.search(r"plot=report\(", body), rule
        assert f'caption="../workflow/report/{rule}.rst"' in body
        caption = (ROOT / "workflow" / "report" / f"{rule}.rst").read_text()
        assert "**Look for**" in caption, rule
        assert "**Trouble:**" in caption, rule


def test_a_plot_asks_for_what_it_is_made_from_and_no_more(tmp_path):
    write_project(tmp_path, "gta")
    assert planned(tmp_path, "results/gta/gpa/plots/learning_curves.svg") == {
        "index", "stylize", "train", "plot_learning_curves",
    }  # fmt: skip


@pytest.fixture(scope="module")
def report(finish) -> Path:
    """The report of a finished experiment."""
    folder = finish("gta")
    snakemake(folder, "--cores", "2", TARGET)
    style = ["--report-stylesheet", str(ROOT / "workflow" / "report" / "report.css")]
    snakemake(folder, "--report", "report.html", *style, TARGET)
    return folder / "report.html"


@pytest.mark.slow
def test_the_report_holds_every_plot_and_its_caption(report):
    results = report.parent / "results" / "gta"
    listed = [line.split(",")[0] for line in (report.parent / TARGET).read_text().splitlines()[1:]]
    assert listed == OF_THE_METHOD[: OF_THE_METHOD.index("bismap/overview.png") + 1]
    text = report.read_text()
    for path in listed:
        assert base64.b64encode((results / path).read_bytes()).decode() in text, path
    said = re.sub(r"\W+", " ", text)
    captions = {path.name: path.read_text() for path in (ROOT / "workflow" / "report").glob("plot_*.rst")}
    del captions["plot_validation.rst"]  # trainings here do not measure it
    for name, caption in captions.items():
        assert re.sub(r"\W+", " ", caption[:40]).strip() in said, name


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium")
def test_the_report_opens_without_a_network_and_shows_pictures_from_their_top(report):
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        page = browser.new_context(offline=True, viewport={"width": 1280, "height": 300}).new_page()
        asked, errors = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(report.as_uri())
        for category in ("Training", "Transferability", "Prototypes", "Pseudo-labels", "Overview"):
            page.get_by_text("Results", exact=False).first.wait_for()
            page.get_by_text(category, exact=True).first.click()
            page.locator("table a").first.click()
            picture = page.locator("img").last
            picture.wait_for()
            assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400, category
            assert picture.bounding_box()["y"] >= 0, category
            page.goto(report.as_uri())
        browser.close()
    assert errors == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {report.as_uri()}
