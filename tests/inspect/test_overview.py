import numpy as np
from PIL import Image

from bismap.inspect.colormap import VIRIDIS, colorize
from bismap.inspect.overview import choose_items
from bismap.inspect.sheet import EMPTY, GAP, MARGIN, Row, Section, draw_sheet


class Named:
    def __init__(self, name):
        self.id = name


def panel(color, size=(120, 60)):
    return Image.new("RGB", size, color)


def colours_of(sheet):
    return {tuple(color) for color in np.unique(np.asarray(sheet).reshape(-1, 3), axis=0).tolist()}


def test_viridis_runs_from_purple_to_yellow_and_gets_lighter():
    np.testing.assert_array_equal(colorize(np.array([[0, 255]], np.uint8))[0], [[68, 1, 84], [253, 231, 37]])
    lightness = VIRIDIS @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness[::5]) > 0).all()


def test_choice_depends_on_seed_and_ids_alone():
    items = [Named(f"{i:03d}") for i in range(50)]
    chosen = [item.id for item in choose_items(items, 5, 0)]
    assert chosen == sorted(chosen)
    assert chosen == [item.id for item in choose_items(items[::-1], 5, 0)]
    assert chosen != [item.id for item in choose_items(items, 5, 1)]
    assert len(choose_items(items[:3], 5, 0)) == 3


def test_sheet_holds_every_panel_and_colour_of_the_legend():
    rows = (Row("one", (panel((250, 1, 1)), panel((1, 250, 1)))), Row("two", (panel((1, 1, 250)), None)))
    sections = [
        Section("Target images", ("a", "b"), rows),
        Section("Source images", ("c",), (Row("x", (panel((9, 9, 9)),)),)),
    ]
    sheet = draw_sheet(sections, [("road", (128, 64, 128)), ("car", (0, 0, 142))], 120)
    assert sheet.width == 2 * MARGIN + 2 * 120 + GAP
    wanted = {(250, 1, 1), (1, 250, 1), (1, 1, 250), (9, 9, 9), (128, 64, 128), (0, 0, 142), EMPTY}
    assert wanted <= colours_of(sheet)


def test_only_a_section_with_a_scale_has_a_colour_bar():
    rows = (Row("x", (panel((9, 9, 9)),)),)
    for scale, expected in ((None, False), ("weight", True)):
        sheet = draw_sheet([Section("Source", ("map",), rows, scale)], [("road", (1, 2, 3))], 120)
        assert (tuple(VIRIDIS[0].tolist()) in colours_of(sheet)) is expected
