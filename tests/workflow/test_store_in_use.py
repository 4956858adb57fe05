"""The store as the workflow uses it: changed back, shared, and after a failed re-run."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from bismap.store import Store
from tests.workflow.runs import snakemake, targets, tiny_config

pytestmark = pytest.mark.slow

DISTILLED = Path("results/gta/bismap_distilled.json")


@pytest.fixture
def project(finish):
    """A finished experiment; its configuration and results are put back."""
    folder = finish("gta")
    yield folder
    configure(folder, tiny_config("gta"))
    snakemake(folder, "--cores", "2", "--rerun-incomplete", *targets("gta"))


def configure(folder: Path, raw: dict) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))


def made(folder: Path) -> Counter:
    """Number of finished entries by stage."""
    return Counter(path.parent.name for path in (folder / "results/.store").glob("[!.]*/*"))


def training(raw: dict) -> dict:
    return raw["experiments"]["gta"]["settings"]["training"]


def test_a_setting_changed_back_finds_its_results_again(project):
    before, at_first = (project / DISTILLED).read_bytes(), made(project)
    raw = tiny_config("gta")
    training(raw)["distill"]["lr"] = 0.04
    configure(project, raw)
    snakemake(project, "--cores", "2", str(DISTILLED))
    changed = made(project)
    assert changed - at_first == Counter(train=2, predict=4, evaluate=1)
    assert (project / DISTILLED).read_bytes() != before
    configure(project, tiny_config("gta"))
    snakemake(project, "--cores", "2", str(DISTILLED))
    assert (project / DISTILLED).read_bytes() == before
    assert made(project) == changed
    assert "already in the store" in (project / "results/logs/gta/bismap_distilled/train.log").read_text()


def test_two_experiments_that_agree_share_their_work(project):
    at_first = made(project)
    raw = tiny_config("gta")
    raw["experiments"]["twin"] = {"like": "gta"}
    configure(project, raw)
    snakemake(project, "--cores", "2", "results/twin/bismap_distilled.json")
    assert made(project) - at_first == Counter(evaluate=1)  # it holds the experiment's name


def test_a_failed_rerun_leaves_the_last_good_result_reachable(project):
    public = project / "results/gta/bismap/model.safetensors"
    before = public.read_bytes()
    raw = tiny_config("gta")
    training(raw)["retrain"]["lr"] = 1.0e30
    configure(project, raw)
    done = snakemake(project, "--cores", "2", str(DISTILLED), check=False)
    assert done.returncode != 0
    assert not public.exists()
    last = Store(project / "results/.store").last_good(public)
    assert last.read_bytes() == before
    log = (project / "results/logs/gta/bismap/train.log").read_text()
    assert "not finite" in log
    assert "the last good result of results/gta/bismap/model.safetensors is still at" in log
