"""Where jobs stand: finished, running, failed, dead, not begun; here and on other machines."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from bismap.locks import this_process
from bismap.status.asked import AskedJob
from bismap.status.survey import State, survey

from .standing import ELSEWHERE, Standing, step


@pytest.fixture
def demo(tmp_path):
    return Standing(tmp_path)


def only(demo):
    (job,) = survey(demo.folder).jobs
    return job


def test_nothing_begun(demo):
    found = survey(demo.folder)
    assert found.jobs == ()
    assert found.status == 5


def test_a_finished_job(demo):
    demo.finish("gpa/train", "demo/gpa/model.safetensors")
    job = only(demo)
    assert (job.group, job.stage, job.part, job.state) == ("gpa", "train", "", State.FINISHED)
    assert survey(demo.folder).status == 0


def test_a_job_whose_lock_a_living_process_holds_runs(demo):
    key = demo.log("gpa/train", step(110), step(120))
    with demo.store.lock("train", key):
        job = only(demo)
        assert survey(demo.folder).status == 3
    assert job.state is State.RUNNING
    assert (job.step.step, job.step.rate, job.since) == (120, 11.11, "2026-11-20 08:05:30")
    assert job.holder.startswith(f"process {os.getpid()} on ")


def _hold(demo, begun):
    key = demo.log("gpa/train", step(110))
    demo.save("train", key, 50, 100)
    with demo.store.lock("train", key):
        begun.set()
        time.sleep(60)


@pytest.mark.parametrize("asked_about", [True, False])
def test_a_killed_job_is_dead_and_goes_on_from_its_saved_step(demo, asked_about):
    begun = multiprocessing.Event()
    process = multiprocessing.Process(target=_hold, args=(demo, begun))
    process.start()
    assert begun.wait(30)
    assert only(demo).state is State.RUNNING
    os.kill(process.pid, signal.SIGKILL)
    if asked_about:
        process.join()
    else:  # a zombie, as a parent that never asks leaves it
        while b") Z" not in open(f"/proc/{process.pid}/stat", "rb").read():  # noqa: PTH123, SIM115
            time.sleep(0.01)
    job = only(demo)
    assert (job.state, job.saved) == (State.DEAD, 100)
    assert job.holder.startswith(f"process {process.pid} on ")
    assert survey(demo.folder).status == 4
    process.join()


def test_a_state_that_is_not_whole_does_not_count(demo):
    key = demo.log("gpa/train", step(110), owner=ELSEWHERE)
    demo.lock("train", key, ELSEWHERE, silent=200)
    demo.save("train", key, 50, 100)
    state = demo.store.state("train", key)
    (state / "step-00000100.pt").write_bytes(b"sta")
    (state / "step-00000150.json").write_text('{"st')
    assert only(demo).saved == 50


@pytest.mark.parametrize(("silent", "state"), [(20, State.RUNNING), (200, State.DEAD)])
def test_of_another_machine_the_touch_of_the_lock_tells(demo, silent, state):
    key = demo.log("gpa/train", step(110), owner=ELSEWHERE)
    demo.lock("train", key, ELSEWHERE, silent)
    job = only(demo)
    assert (job.state, job.holder) == (state, "process 4711 on node7")


def test_a_job_that_waits_for_another_names_who_works(demo):
    key = demo.log("gpa/train", "INFO waiting for another job that does the same work (node7)")
    demo.lock("train", key, ELSEWHERE)
    job = only(demo)
    assert (job.state, job.holder) == (State.RUNNING, "process 4711 on node7")


def test_a_failed_job_tells_its_error(demo):
    key = demo.log("gpa/train", step(110), "ERROR bismap train: the loss is not finite")
    demo.save("train", key, 100)
    job = only(demo)
    assert (job.state, job.said, job.saved) == (State.FAILED, "bismap train: the loss is not finite", 100)


def test_a_job_between_its_first_line_and_its_lock_runs(demo):
    demo.log("gpa/train")
    assert only(demo).state is State.RUNNING


def test_a_job_that_ended_without_a_word_is_dead(demo):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    demo.log("gpa/train", owner=f"{this_process().split()[0]} {gone.pid}")
    assert only(demo).state is State.DEAD


def test_of_another_machine_a_young_log_without_a_lock_is_a_start(demo):
    demo.log("gpa/train", owner=ELSEWHERE)
    assert only(demo).state is State.RUNNING
    old = time.time() - 100
    os.utime(demo.logs / "gpa" / "train.log", (old, old))
    assert only(demo).state is State.DEAD


def test_a_training_that_was_told_to_stop_is_dead_at_once(demo):
    key = demo.log("gpa/train", "WARNING stopped by signal 15 at step 120; state saved", owner=ELSEWHERE)
    demo.save("train", key, 120)
    job = only(demo)
    assert (job.state, job.saved) == (State.DEAD, 120)


def test_an_empty_log_is_a_start(demo):
    demo.log("gpa/train")
    (demo.logs / "gpa" / "train.log").write_text("")
    assert only(demo).state is State.RUNNING


def test_what_was_asked_for_and_has_no_log_is_not_begun(demo):
    jobs = [
        AskedJob("index", "datasets/game/index.log", "datasets/game/index.csv"),
        demo.finish("gpa/train", "demo/gpa/model.safetensors"),
        AskedJob("predict", "demo/gpa/predict/val/0-of-2.log", "demo/gpa/predictions/val/0-of-2.csv"),
    ]
    demo.ask(*jobs)
    demo.log("source_only/train", "ERROR bismap train: no", key="1")  # of an earlier command
    found = survey(demo.folder)
    assert [(job.group, job.stage, job.part, job.state) for job in found.jobs] == [
        ("game", "index", "", State.NOT_BEGUN),
        ("gpa", "train", "", State.FINISHED),
        ("gpa", "predict", "val/0-of-2", State.NOT_BEGUN),
        ("source_only", "train", "", State.FAILED),
    ]
    assert found.status == 5  # what nobody asked for any more has no say


@pytest.mark.parametrize(("owner", "status"), [(None, 3), (ELSEWHERE, 5)])
def test_between_two_jobs_a_living_snakemake_goes_on(demo, owner, status):
    todo = AskedJob("evaluate", "demo/gpa/evaluate.log", "demo/gpa.json")
    demo.ask(demo.finish("gpa/train", "demo/gpa/model.safetensors"), todo, owner=owner or this_process())
    assert survey(demo.folder).status == status


def test_what_a_living_snakemake_may_be_about_to_redo_is_not_the_end(demo):
    demo.ask(demo.finish("gpa/train", "demo/gpa/model.safetensors"), owner=this_process())
    assert survey(demo.folder).status == 3
    demo.log("gpa/train", "ERROR bismap train: no", key="1")
    assert survey(demo.folder).status == 3


def test_a_log_that_cannot_be_read_now_is_as_good_as_an_empty_one(demo):
    demo.ask(AskedJob("train", "demo/gpa/train.log", "demo/gpa/model.safetensors"))
    (demo.logs / "gpa" / "train.log").mkdir(parents=True)
    assert only(demo).state is State.RUNNING


def test_a_result_whose_public_path_was_removed_is_to_be_linked_again(demo):
    demo.ask(demo.finish("gpa/train", "demo/gpa/model.safetensors"))
    (demo.results / "demo/gpa/model.safetensors").unlink()
    assert only(demo).state is State.NOT_BEGUN


def test_a_result_without_its_log_is_finished(demo):
    demo.ask(demo.finish("gpa/train", "demo/gpa/model.safetensors"))
    (demo.logs / "gpa" / "train.log").unlink()
    assert only(demo).state is State.FINISHED


def test_damaged_notes_are_as_good_as_none(demo):
    demo.finish("gpa/train", "demo/gpa/model.safetensors")
    demo.ask(AskedJob("predict", "demo/gpa/predict.log", "x"))
    (demo.logs / "jobs.json").write_text((demo.logs / "jobs.json").read_text()[:30])
    assert only(demo).state is State.FINISHED


def test_looking_changes_nothing(demo):
    key = demo.log("gpa/train", step(110), owner=ELSEWHERE)
    demo.lock("train", key, ELSEWHERE, silent=200)
    demo.save("train", key, 100)
    demo.finish("gpa_stm/train", "demo/gpa_stm/model.safetensors", key="1")

    def seen():
        return {path: path.lstat().st_mtime_ns for path in demo.results.rglob("*")}

    before = seen()
    survey(demo.folder)
    assert seen() == before
