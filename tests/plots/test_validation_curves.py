"""IoU over a training: the table's columns in percent, drawn on the same axes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bismap.errors import BismapError
from bismap.plots.validation_curves import draw, read_validation


def table(tmp_path, text):
    path = tmp_path / "validation.csv"
    path.write_text(text)
    return path


def test_a_class_without_truth_is_left_out(tmp_path):
    curves = read_validation(table(tmp_path, "step,miou,road,sky\n5,0.5,0.5,\n10,0.25,0.25,\n"))
    assert {name: values.tolist() for name, values in curves.items()} == {
        "step": [5, 10], "miou": [50, 25], "road": [50, 25],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step,loss\n1,2\n", "miou missing"),
        ("step,miou,road\n1,,\n", "no pixel of any class"),
        ("step,miou,road\n1,0.5,x\n", "expected a number in column road"),
        ("step,miou,road\n,0.5,0.5\n", "expected a number in column step"),
        ("step,miou,road\n5,0.5,0.5\n10,0.5,\n", "expected a number in column road"),
        ("step,miou,road\n", "no row"),
    ],
)
def test_another_table_is_refused(tmp_path, text, said):
    with pytest.raises(BismapError, match=said):
        read_validation(table(tmp_path, text))


def test_each_class_has_a_panel_with_the_mean_behind_it(tmp_path):
    figure = Figure()
    draw(figure, read_validation(table(tmp_path, "step,miou,road,sky\n5,0.5,0.9,0.1\n10,0.6,0.8,0.4\n")), "9 images")
    mean, road, sky = (ax for ax in figure.axes if ax.lines)
    assert [len(ax.lines) for ax in (mean, road, sky)] == [1, 2, 2]
    behind, own = road.lines
    np.testing.assert_allclose(behind.get_ydata(), [50, 60])
    np.testing.assert_allclose(own.get_ydata(), [90, 80])
    assert mean.get_ylim() == road.get_ylim() == sky.get_ylim() == (0, 100)
    assert sky.get_xlim() == (0, 10)
    assert figure.get_supylabel() == "IoU on 9 images, %"
