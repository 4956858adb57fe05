"""plot_label_curves: quality of pseudo-labels against the share labelled, of several assignments."""

from bismap.job import Job
from bismap.plots.label_curves import draw, read_label_curve
from bismap.plots.style import svg


def run(job: Job) -> None:
    """Write label_curves.svg; the curves come in the order of ``assignments``."""
    chosen = dict(job.settings["assignments"])
    curves = dict(zip(chosen, map(read_label_curve, job.input_list("curves")), strict=True))
    with svg(job.out / "label_curves.svg", 6.2) as figure:
        draw(figure, curves, chosen)
