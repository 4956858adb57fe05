"""Learning curves: columns as they stand in the table, and their running mean."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bismap.errors import BismapError
from bismap.plots.learning_curves import draw, is_wide, read_curves, smoothed, window_of

HEAD = "step,lr,loss,source_ce,unlabelled_crops"


def table(tmp_path, *rows, head=HEAD):
    path = tmp_path / "metrics.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_point_of_the_running_mean_is_the_mean_of_those_around_it():
    values = np.random.default_rng(0).normal(size=23)
    expected = [values[max(place - 2, 0) : place + 3].mean() for place in range(23)]
    np.testing.assert_allclose(smoothed(values, 5), expected)
    np.testing.assert_array_equal(smoothed(values, 1), values)


@pytest.mark.parametrize(("rows", "window"), [(12, 1), (39, 1), (40, 3), (100, 5), (1800, 91)])
def test_the_window_is_odd_and_a_twentieth_of_the_rows(rows, window):
    assert window_of(rows) == window


def test_a_logarithmic_axis_needs_positive_values_far_apart():
    assert is_wide(np.array([0.01, 1.0]))
    assert not is_wide(np.array([0.1, 1.0]))
    assert not is_wide(np.array([0.0, 1.0]))


def test_a_count_that_stays_0_is_left_out(tmp_path):
    assert list(read_curves(table(tmp_path, "10,1,2,3,0", "20,1,2,3,0"))) == ["step", "lr", "loss", "source_ce"]
    assert list(read_curves(table(tmp_path, "10,1,2,3,0", "20,1,2,3,4")))[-1] == "unlabelled_crops"


def test_a_panel_holds_its_column(tmp_path):
    rows = [f"{10 * k},{0.1 / k},{3 / k},{2 + k % 2},0" for k in range(1, 13)]
    figure = Figure()
    draw(figure, read_curves(table(tmp_path, *rows)))
    panels = {ax.get_title(loc="left") or ax.get_title(): ax for ax in figure.axes if ax.lines}
    assert list(panels) == ["loss, all terms weighted", "source cross-entropy", "learning rate of the backbone"]
    (line,) = panels["source cross-entropy"].lines
    np.testing.assert_array_equal(line.get_xdata(), 10 * np.arange(1, 13))
    np.testing.assert_array_equal(line.get_ydata(), 2 + np.arange(1, 13) % 2)


def test_a_long_training_is_drawn_faint_below_its_running_mean(tmp_path):
    figure = Figure()
    draw(figure, read_curves(table(tmp_path, *(f"{k},0.1,{3 + k % 7},1,0" for k in range(1, 101)))))
    raw, mean = figure.axes[0].lines
    assert raw.get_alpha() < 1
    np.testing.assert_allclose(mean.get_ydata()[50], np.mean([3 + k % 7 for k in range(49, 54)]))


@pytest.mark.parametrize(
    ("head", "rows", "message"),
    [
        (HEAD, [], "no row"),
        (HEAD, ["10,1,2,3,0", "20,1"], "line 3: expected 5 values"),
        (HEAD, ["10,1,oops,3,0"], "a number in column loss, found `oops`"),
        ("step,lr", ["10,1"], "loss missing"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, head, rows, message):
    path = table(tmp_path, *rows, head=head)
    with pytest.raises(BismapError, match=message) as error:
        read_curves(path)
    assert str(path) in str(error.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(BismapError, match=r"none\.csv: cannot be read"):
        read_curves(tmp_path / "none.csv")
