"""Finished small experiments, made once for all tests of the workflow; whoever changes one puts it back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.runs import snakemake, targets, write_project


@pytest.fixture(scope="session")
def finish(tmp_path_factory) -> Callable[[str], Path]:
    """A function that returns the project folder of a finished experiment; its name has a space and an accent."""
    made: dict[str, Path] = {}

    def of(experiment: str) -> Path:
        if experiment not in made:
            folder = tmp_path_factory.mktemp("finished") / "my räume"
            write_project(folder, experiment)
            snakemake(folder, "--cores", "2", *targets(experiment))
            made[experiment] = folder
        return made[experiment]

    return of
