"""Which labels and maps the gallery shows: those that its runs learn from."""

from workflow.scope import Scope


def assignments(scope: Scope) -> list[tuple[str, str]]:
    """Teacher and assignment of the pseudo-labels of the runs shown, each once, in the order of the runs."""
    runs = [scope.run(name) for name in scope.settings.gallery.runs]
    return list(dict.fromkeys((run.teacher, run.assignment) for run in runs if run.assignment))


def judges(scope: Scope) -> list[str]:
    """Runs whose class entropy weighs the source pixels of the runs shown, each once, in the order of the runs."""
    runs = [scope.run(name) for name in scope.settings.gallery.runs]
    return list(dict.fromkeys(run.transferability for run in runs if run.transferability))
