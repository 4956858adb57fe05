"""A job that runs on while others are started: it keeps to what it began with and undoes nothing of theirs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bismap import runner
from bismap.data.shards import files
from bismap.errors import BismapError
from bismap.job import Job
from bismap.runner import Request, run
from bismap.stages import stylize
from bismap.store import Store

PUBLIC = "results/gta/stylized/0-of-1.csv"


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results/.store")


@pytest.fixture
def start(tmp_path, store, monkeypatch) -> Callable[..., Path]:
    """Runs `stylize` with its work replaced by a function of the job; it makes a file of the setting's name."""

    def run_it(setting: str, meanwhile: Callable[[Job], object] = lambda job: None, **inputs: list[Path]) -> Path:
        def work(job: Job) -> None:
            meanwhile(job)
            (job.out / f"{setting}.png").write_text(setting)

        with monkeypatch.context() as patch:
            patch.setattr(stylize, "run", work)
            return run(Request("stylize", {"is": setting}, inputs, {"manifest": tmp_path / PUBLIC}), store)

    return run_it


def public_files(root: Path) -> list[str]:
    return [path.read_text() for path in files([root / PUBLIC], ".png").values()]


def test_a_job_that_ends_after_a_later_one_keeps_its_result_and_leaves_the_public_path(tmp_path, start, caplog):
    entry = start("old", meanwhile=lambda job: start("new"))
    assert public_files(tmp_path) == ["new"]
    assert "is left to a job that was started later" in caplog.text
    assert (entry / "old.png").is_file()
    start("old")
    assert public_files(tmp_path) == ["old"]


def test_a_job_reads_what_its_key_was_made_of_though_the_public_path_leads_elsewhere_now(tmp_path, start):
    start("first")
    seen = []

    def read(job: Job) -> None:
        start("second")  # relinks the first one's public path
        seen.extend(path.read_text() for path in files(job.input_list("source_index"), ".png").values())

    start("reader", meanwhile=read, source_index=[tmp_path / PUBLIC])
    assert public_files(tmp_path) == ["second"]
    assert seen == ["first"]


def test_code_that_was_edited_while_a_job_waited_does_not_make_its_result(start, store, monkeypatch):
    answers = iter(["as the key has it", "as it is now"])
    monkeypatch.setattr(runner, "code_now", lambda _: next(answers))
    with pytest.raises(BismapError, match="the code of stylize was edited while this job waited"):
        start("any")
    assert not list((store.root / "stylize").glob("*"))
