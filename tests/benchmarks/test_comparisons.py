"""The comparisons of docs/performance.md run, at sizes that measure nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = {
    "gmm": ["--samples", "2000"],
    "densities": ["--size", "64", "32", "--pixels", "64"],
    "stylize": ["--width", "192"],
    "kmeans": ["--cells", "1000", "--iterations", "2"],
    "feature_store": ["--rows", "5000"],
    "images": ["--width", "256"],
    "planning": ["--images", "20"],
    "scaling": ["--shrink", "16", "--figure", "curves.svg"],
}


def test_every_comparison_is_here():
    listed = re.search(r"COMPARISONS = \((.*)\)", (BENCHMARKS / "all.py").read_text())
    assert re.findall(r'"(\w+)"', listed[1]) == list(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_comparison_runs(name, tmp_path):
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--rounds", "1", *SMALL[name]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    titles, rows = re.findall(r"^### .+", done.stdout, re.MULTILINE), re.findall(r"^\| .+", done.stdout, re.MULTILINE)
    assert titles
    assert len(rows) >= 2 * len(titles)
    figures = [path.name for path in tmp_path.iterdir() if "K-Means" in path.read_text()]
    assert figures == (["curves.svg"] if name == "scaling" else [])
