"""The study's own arithmetic: paired intervals, points between those of a curve, halves, and the watched renderer."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.workflow.runs import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import experiment
import stm_content
import stm_halves
import study_data
import study_tables

from bismap.demo.render import render_picture


def test_the_interval_is_that_of_a_paired_t_test():
    first, second = np.array([0.31, 0.35, 0.30, 0.33, 0.36]), np.array([0.29, 0.36, 0.27, 0.30, 0.33])
    low, high = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert study_tables.interval(first - second) == f"{50 * (low + high):+.1f} ± {50 * (high - low):.1f}"
    assert study_tables.interval([0.02]) == "+2.0"


def test_a_curve_is_read_between_its_points_and_not_beyond_them():
    curve = pd.DataFrame({"seed": [1, 1, 2, 2], "share": [0.6, 0.2, 0.3, 0.5], "miou": [0.3, 0.5, 0.8, 0.6]})
    found = study_tables.at_share(curve, 0.4, "miou")
    assert found[1] == pytest.approx(0.4)
    assert found[2] == pytest.approx(0.7)
    beyond = study_tables.at_share(curve, 0.55, "miou")
    assert beyond[1] == pytest.approx(0.325)
    assert np.isnan(beyond[2])


def test_rows_of_a_seed_that_is_there_are_replaced(tmp_path):
    path, keys = tmp_path / "table.csv", ["run", "seed"]
    study_data.replace(path, [{"run": "a", "seed": 1, "at": 5}, {"run": "a", "seed": 1, "at": 6}], keys)
    study_data.replace(path, [{"run": "a", "seed": 2, "at": 5}], keys)
    study_data.replace(path, [{"run": "a", "seed": 1, "at": 7}, {"run": "b", "seed": 1, "at": 5}], keys)
    assert path.read_text() == "run,seed,at\na,1,7\na,2,5\nb,1,5\n"


def test_a_table_compares_the_seeds_that_all_its_rows_have():
    runs = pd.DataFrame(
        [("x", 1, 0.2), ("x", 2, 0.3), ("x", 3, 0.4), ("y", 1, 0.25), ("y", 2, 0.35)], columns=["run", "seed", "miou"]
    ).assign(labelled_share=0.6)
    (table,) = study_tables._table("T", runs, {"x": "X", "y": "Y"}, {"less X": {"y": "x"}, "less Z": {"y": "z"}})
    assert "(2 seeds)" in table
    assert "| X | 60% | 25.0 |  |  |" in table
    assert "| Y | 60% | 30.0 | +5.0 ± 0.0 |  |" in table


def test_the_median_splits_as_evenly_as_values_allow():
    assert stm_halves.median(np.array([3.0, 1.0, 2.0]), np.array([5.0, 4.0, 1.0])) == 3.0  # 5 of 10 from 3 upwards
    assert stm_halves.median(np.array([0.0, 1.0]), np.array([9.0, 1.0])) == 1.0  # 1 of 10, rather than all


def test_distances_split_each_class_where_weights_would():
    class Table:
        ids, grid = ("a",), (1, 4)
        distances = np.array([[1.0, 2.0, 3.0, 4.0]])

    label = np.repeat(np.array([[0], [1]], np.uint8), 8, 1)
    label[1, :4] = 255  # of class 1 there are the cells 3 and 4 only
    high = stm_halves.by_distance(Table, {"a": label})("a", label)
    assert high[0].tolist() == [True] * 4 + [False] * 4
    assert high[1, 4:].tolist() == [True] * 2 + [False] * 2


def test_watching_changes_no_picture_and_notes_the_hills():
    plain = render_picture(3, "source", "train", 0, 96, 54)
    noted = 0
    with stm_content.watched() as watch:
        for index in range(4):
            image, labels = render_picture(3, "source", "train", index, 96, 54)
            assert watch.of_picture().shape == labels.shape
            noted += watch.of_picture().sum()
            if index == 0:
                np.testing.assert_array_equal(image, plain[0])
                np.testing.assert_array_equal(labels, plain[1])
        render_picture(3, "target", "train", 0, 96, 54)
        assert not watch.of_picture().any()  # the target has none of it
    assert 0 < noted < 4 * 96 * 54 / 2


def _runs(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["data", "experiment", "run", "seed", "miou"]).assign(labelled_share=0.5)


def test_thresholds_are_chosen_on_the_development_seed_alone_and_reported_on_others():
    runs = _runs(
        ("demo", "study", "gpa_stm_maps", 0, 0.30),
        ("demo", "share30", "gpa_stm_maps", 0, 0.31),
        ("demo", "study", "gpa_stm_cas", 0, 0.33),
        ("demo", "share80", "gpa_stm_cas", 0, 0.32),
        ("demo", "study", "gpa_stm_maps", 201, 0.50),
        ("demo", "share30", "gpa_stm_maps", 201, 0.20),
        ("demo", "study", "gpa_stm_cas", 201, 0.25),
        ("demo", "share80", "gpa_stm_cas", 201, 0.60),
        ("camvid", "share80", "gpa_stm_cas", 0, 0.99),
    )
    assert study_tables.chosen_thresholds(runs) == {"gpa_stm_maps": "share30", "gpa_stm_cas": "study"}
    table = next(text for text in study_tables.run_tables(runs) if text.startswith("**Table 3, demo**"))
    assert "| `maps` (30 %) | 50% | 20.0 |  |" in table
    assert "| `cas` (60 %) | 50% | 25.0 | +5.0 |" in table
    (tuning,) = study_tables.tuning_table(runs)
    assert "| `maps` | **31.0** | – | 30.0 | – |" in tuning


def test_densities_and_anchors_are_compared_at_each_share_and_over_all():
    gains = {"study": 0.01, "share30": 0.03}
    rows = [("demo", share, "gpa_stm_cas", seed, 0.2) for share in gains for seed in (201, 202)]
    rows += [("demo", share, "gpa_stm_maps", seed, 0.2 + gain) for share, gain in gains.items() for seed in (201, 202)]
    (table,) = (text for text in study_tables.run_tables(_runs(*rows)) if "at the same share" in text)
    assert "| 30 % | +3.0 ± 0.0 |\n| 60 % | +1.0 ± 0.0 |\n| mean of them | +2.0 ± 0.0 |" in table


def test_halves_are_compared_with_each_other_and_with_the_whole():
    halves = pd.DataFrame(
        [
            ("demo", "all pixels", half, seed, miou)
            for seed in (201, 202)
            for half, miou in (("high", 0.3), ("low", 0.1))
        ],
        columns=["data", "split", "half", "seed", "miou"],
    )
    runs = _runs(*(("demo", "study", "gpa", seed, 0.32) for seed in (201, 202, 203)))
    (table,) = study_tables.halves_table(halves, runs)
    assert "| demo | all pixels | 30.0 | 10.0 | 32.0 | +20.0 ± 0.0 | -2.0 ± 0.0 | 2 |" in table


def test_rows_of_table_4_are_compared_with_what_they_add_to_and_with_as_many_steps():
    scores = {"gpa": 0.2, "gpa_stm": 0.21, study_tables.ALONE: 0.24, "gpa_stm_maps": 0.26, "bismap": 0.25}
    runs = _runs(*(("demo", "study", run, 201, miou) for run, miou in scores.items()))
    (table,) = (text for text in study_tables.run_tables(runs) if text.startswith("**Table 4, demo**"))
    assert "| + STM, 400 steps more | 50% | 24.0 | +4.0 | +3.0 |  |  |" in table
    assert "| + STM + MAPs | 50% | 26.0 | +6.0 | +5.0 | +5.0 | +2.0 |" in table
    assert "| + consistency | 50% | 25.0 | +5.0 | -1.0 | +4.0 | +1.0 |" in table


def test_a_second_round_is_compared_with_the_first_by_seed():
    first = [("demo", "study", "gpa_stm_posterior", seed, 0.3) for seed in (0, 201, 202)]
    second = [("demo", "study", "gpa_stm_posterior_round2", seed, 0.3 + seed / 1e4) for seed in (201, 202)]
    (table,) = (text for text in study_tables.run_tables(_runs(*first, *second)) if text.startswith("**Second round"))
    assert "| second round | 50% | 32.0 | +2.0 ± 0.1 |" in table


def test_labels_of_a_second_round_are_those_of_the_first_rounds_model(tmp_path):
    for teacher, share in (("gpa_stm", 0.6), ("gpa_stm_maps", 0.7)):
        folder = tmp_path / teacher / "pseudo_labels"
        folder.mkdir(parents=True)
        (folder / "maps.json").write_text(f'{{"labelled_share": {share}}}')
    assert study_data._labelled_share(tmp_path / "gpa_stm_maps.json") == 0.6
    assert study_data._labelled_share(tmp_path / "gpa_stm_maps_round2.json") == 0.7
    assert study_data._labelled_share(tmp_path / "bismap.json") is None


def test_what_folders_give_goes_into_the_table_one_row_after_the_other(tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    table.write_text("data,seed,miou\ndemo,201,0.5\n")
    monkeypatch.setattr(sys, "argv", ["measure", "demo", "results/study_demo-s201", "results/study_demo-s202"])
    experiment.measure_each("", lambda done: [{"seed": int(done.folder.name[-3:]), "miou": 0.25}], table, ["seed"])
    assert table.read_text() == "data,seed,miou\ndemo,201,0.25\ndemo,202,0.25\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", ["study", "mixture_variants", "stm_content", "stm_halves", "ema_weights", "without_target"]
)
def test_a_script_of_the_study_starts_as_the_page_calls_it(script):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, f"benchmarks/{script}.py", "--help"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")
