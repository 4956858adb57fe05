"""The camera, the dice, shadows and walls."""

import math

import pytest

from bismap.demo.camera import Camera
from bismap.demo.canvas import Canvas
from bismap.demo.dice import Dice
from bismap.demo.shadows import convex_hull
from bismap.demo.view import Light, Panel, View

CAMERA = Camera.looking(200, 100, field_of_view=90.0, horizon=0.4, above=1.5)


def test_the_field_of_view_spans_the_picture() -> None:
    assert CAMERA.point(10.0, 0.0, 10.0)[0] == pytest.approx(200)
    assert CAMERA.point(-10.0, 0.0, 10.0)[0] == pytest.approx(0)


def test_what_is_as_high_as_the_camera_is_seen_at_the_horizon() -> None:
    assert CAMERA.point(3.0, 1.5, 7.0)[1] == pytest.approx(40)
    assert CAMERA.point(0.0, 0.0, 1e9)[1] == pytest.approx(40)


def test_forked_dice_do_not_move_what_follows() -> None:
    one, two = Dice(5), Dice(5)
    fork = one.fork()
    two.fork()
    for _ in range(10):
        fork.uniform(0, 1)
    assert one.uniform(0, 1) == two.uniform(0, 1)


def test_picks_follow_the_weights() -> None:
    dice = Dice(1)
    picked = [dice.pick({"a": 0.2, "b": 0.8, "c": 0.0}) for _ in range(2000)]
    assert 0.16 < picked.count("a") / 2000 < 0.24
    assert "c" not in picked


def test_whole_numbers_reach_both_ends() -> None:
    dice = Dice(2)
    assert {dice.whole(1, 3) for _ in range(100)} == {1, 2, 3}


def test_hull_leaves_out_what_is_inside() -> None:
    square = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]
    assert set(convex_hull([*square, (1.0, 1.0), (1.0, 0.0)])) == set(square)


def test_a_wall_is_cut_at_the_near_plane() -> None:
    view = View(Canvas(200, 100, (0, 0, 0), 100.0), CAMERA, Light((0.0, 1.0, 0.0), 0.0))
    panel = Panel(view, (4.0, -5.0), (4.0, 15.0))
    assert panel.z(panel.low) == pytest.approx(CAMERA.near)
    assert not panel.hidden
    assert Panel(view, (4.0, -5.0), (4.0, 1.0)).hidden


def test_the_side_toward_the_sun_is_brighter() -> None:
    toward = (math.sqrt(0.5), math.sqrt(0.5), 0.0)
    light = Light(toward, 0.8)
    assert light.on(1, 0, 0) > light.on(-1, 0, 0)
    assert light.drift(2.0) == pytest.approx((-2.0, 0.0))
