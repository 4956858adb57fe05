"""Which plots belong to a run: its own, and those of all runs behind it."""

from workflow.scope import Scope


def runs_behind(scope: Scope, run: str) -> list[str]:
    """The run, its teacher, the run that weighs its source pixels, and theirs; the first trained first.

    Raises:
        BismapError: if the experiment has no such run.
    """
    found: list[str] = []

    def visit(name: str) -> None:
        spec = scope.run(name)
        for other in (spec.transferability, spec.teacher):
            if other is not None:
                visit(other)
        if name not in found:
            found.append(name)

    visit(run)
    return found


def plot_paths(scope: Scope, run: str, truth: bool) -> list[str]:
    """Plots of the run and of those behind it, as paths within the experiment's folder.

    Args:
        truth: the target images that are adapted to have labels, with which pseudo-labels can be compared.

    Raises:
        BismapError: if the experiment has no such run.
    """
    specs = {name: scope.run(name) for name in runs_behind(scope, run)}
    judges = {spec.transferability for spec in specs.values()} - {None}
    paths = ["extractor/plots/clusters.png"] if judges else []
    for name in specs:
        students = [spec for spec in specs.values() if spec.teacher == name]
        paths.append(f"{name}/plots/learning_curves.svg")
        if scope.settings.training.validate_every is not None:
            paths.append(f"{name}/plots/validation.svg")
        # An overview needs predictions of all target images: those of a run on the way are made only to be learnt from.
        if name == run or any(spec.objective == "distill" for spec in students):
            paths.append(f"{name}/overview.png")
        if name in judges:
            paths.append(f"{name}/plots/transferability.svg")
        assignments = {spec.assignment for spec in students} - {None}
        paths += [f"{name}/plots/{plot}.svg" for plot in _of_labels(assignments, truth)]
    return paths


def _of_labels(assignments: set[str], truth: bool) -> list[str]:
    """Plots of a run by which assignments its labels are learnt."""
    wanted = {
        "mixtures": bool(assignments & {"maps", "posterior"}),
        "densities": "maps" in assignments,
        "label_curves": bool(assignments) and truth,
    }
    return [plot for plot, asked in wanted.items() if asked]
