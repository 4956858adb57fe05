"""The table stage: which evaluation belongs to which row, and the same bytes every time."""

import json

import pytest

from bismap.errors import BismapError
from bismap.inspect.tables.published import PUBLISHED
from bismap.job import Job
from bismap.stages import table
from tests.inspect.tables.reports import evaluation, quality

SETTINGS = {
    "experiment": "demo", "name": "table5", "kind": "sweep", "caption": "Thresholds", "means": ["miou"],
    "published": None, "seeds": [0, 7],
    "rows": [
        {"label": "MAPs", "run": "m", "experiment": "demo", "experiments": ["demo", "demo-s7"],
         "threshold": {"share": 0.6}},
        {"label": "MAPs", "run": "m", "experiment": "demo_a", "experiments": ["demo_a", "demo_a-s7"],
         "threshold": {"share": 0.3}},
    ],
}  # fmt: skip
EVALUATIONS = [("demo", 0.5), ("demo-s7", 0.6), ("demo_a", 0.3), ("demo_a-s7", 0.4)]
QUALITIES = [(0.6, 0.8), (0.6, 0.9), (0.3, 1.0), (0.3, 1.0)]


def job(root, settings=SETTINGS, evaluations=EVALUATIONS, qualities=QUALITIES):
    out = root / "out"
    out.mkdir(parents=True)
    paths = {"evaluations": [], "qualities": []}
    reports = {
        "evaluations": [evaluation(name, "m", miou) for name, miou in evaluations],
        "qualities": [quality(*both) for both in qualities],
    }
    for kind, found in reports.items():
        for number, report in enumerate(found):
            paths[kind].append(root / f"{kind}{number}.json")
            paths[kind][-1].write_text(json.dumps(report))
    inputs = {kind: tuple(found) for kind, found in paths.items()} | {"published": (PUBLISHED,)}
    return Job(settings=settings, out=out, state=root, inputs=inputs)


def test_each_row_gets_its_own_seeds(tmp_path):
    one = job(tmp_path)
    table.run(one)
    assert (one.out / "table.md").read_text().splitlines()[4:6] == [
        "| MAPs | share 0.6 | 60.0 ± 0.0 | 85.0 ± 7.1 | **55.0** ± 7.1 |",
        "| MAPs | share 0.3 | 30.0 ± 0.0 | 100.0 ± 0.0 | 35.0 ± 7.1 |",
    ]


def test_the_same_input_gives_the_same_bytes(tmp_path):
    contents = []
    for name in ("a", "b"):
        one = job(tmp_path / name)
        table.run(one)
        contents.append({path.name: path.read_bytes() for path in one.out.iterdir()})
    assert set(contents[0]) == {"table.csv", "table.md", "table.tex"}
    assert contents[0] == contents[1]


def test_a_score_in_the_wrong_place_is_named(tmp_path):
    swapped = [EVALUATIONS[2], *EVALUATIONS[1:]]
    with pytest.raises(BismapError, match=r"evaluations0\.json: the score of demo_a/m, expected that of demo/m"):
        table.run(job(tmp_path, evaluations=swapped))


def test_a_missing_file_is_counted(tmp_path):
    with pytest.raises(BismapError, match="`qualities`: expected 4 files, one for each row and seed, got 3"):
        table.run(job(tmp_path, qualities=QUALITIES[:3]))


def test_an_unknown_source_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(BismapError, match="there is no source `Tab`; known: BiSMAP Table 1, BiSMAP Table 2"):
        table.run(job(tmp_path, settings=SETTINGS | {"published": "Tab"}))
