"""Label curves: points as they stand in the table, and the configured threshold on them."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bismap.errors import BismapError
from bismap.plots.label_curves import LabelCurve, chosen_point, draw, read_label_curve
from bismap.stages.pseudo_label_curve import SHARES


def table(tmp_path, rows):
    path = tmp_path / "curve.csv"
    path.write_text("setting,share,region,labelled_share,accuracy,miou\n" + "\n".join(rows) + "\n")
    return path


def points(tmp_path):
    regions = ("all", "tail")
    return table(
        tmp_path,
        [f"{1 - k / 10},{k / 4},{r},{k / 5 + i / 100},{0.9 - k / 10},{k / 8}" for k in range(1, 5)
         for i, r in enumerate(regions)],
    )  # fmt: skip


def test_a_line_holds_the_points_of_its_region(tmp_path):
    curves = {"maps": read_label_curve(points(tmp_path)), "ias": read_label_curve(points(tmp_path))}
    figure = Figure()
    draw(figure, curves, {"maps": {"share": 0.5}, "ias": {"setting": 0.75}})
    assert [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes[:2]] == [
        "all pixels", "tail classes (the others)",
    ]  # fmt: skip
    line, circle = figure.axes[1].lines[:2]
    np.testing.assert_allclose(line.get_xdata(), [21, 41, 61, 81])
    np.testing.assert_allclose(line.get_ydata(), [80, 70, 60, 50])
    np.testing.assert_allclose(circle.get_xydata(), [[41, 70]])
    np.testing.assert_allclose(figure.axes[2].lines[0].get_ydata(), [12.5, 25, 37.5, 50])
    np.testing.assert_allclose(figure.axes[2].lines[3].get_xydata(), [[50, 31.25]])


CURVE = LabelCurve(np.array([8.0, 6, 4, 2]), np.array([0.2, 0.5, 0.7, 1]), {"accuracy": np.array([0.9, 0.8, 0.6, 0.5])})


@pytest.mark.parametrize(
    ("chosen", "point"),
    [
        ({"share": 0.5}, (0.5, 0.8)),  # the second of four equal steps
        ({"share": 0.625}, (0.6, 0.7)),
        ({"setting": 3}, (0.85, 0.55)),
        ({"setting": 8}, (0.2, 0.9)),
        ({"setting": 9}, (np.nan, np.nan)),
        ({"share": 0.1}, (np.nan, np.nan)),
    ],
)
def test_the_configured_threshold_lies_on_the_curve(chosen, point):
    np.testing.assert_allclose(chosen_point(CURVE, chosen, "accuracy"), point)


def test_a_setting_that_grows_with_the_share_is_found_too():
    grows = LabelCurve(CURVE.setting[::-1], CURVE.labelled, CURVE.quality)
    np.testing.assert_allclose(chosen_point(grows, {"setting": 3}, "accuracy"), (0.35, 0.85))


def test_the_points_of_a_curve_keep_equal_steps_of_the_pixels():
    """What `chosen_point` takes for granted of the stage that makes the curves."""
    np.testing.assert_allclose(SHARES, np.arange(1, len(SHARES) + 1) / len(SHARES))


def test_points_without_a_label_are_gaps(tmp_path):
    curve = read_label_curve(table(tmp_path, ["9,0.1,all,0,nan,0", "1,1,all,1,0.5,0.4"]))["all"]
    np.testing.assert_array_equal(curve.quality["accuracy"], [np.nan, 0.5])


def test_a_table_of_something_else_is_named(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("setting,share\n1,2\n")
    with pytest.raises(BismapError, match=r"other\.csv: expected the columns .*, region, .* missing"):
        read_label_curve(path)
