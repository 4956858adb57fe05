"""Does content that only the source world has get lower weights than content that both have?

    python benchmarks/stm_content.py GAME FOLDER [FOLDER ...]

FOLDER is a rendered experiment, e.g. results/demo or results/study_demo-s201, with `gpa/transferability`; GAME is its
source data set (demo_game, study_game). Its scenes are drawn again, and the pixels noted of what the target world never
shows: the kinds of tree, vehicle and building that the source alone lists, hills, and diamonds among the signs. Printed
are the mean weights (Eq. 9) of those pixels and of the others of the same class, pooled over folders, and the
difference, each folder's one value, with its 95 % interval. `all` weighs each class by its pixels of the source alone.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from study_tables import interval, markdown

from bismap.data import shards
from bismap.data.dataset import Item, open_dataset
from bismap.data.images import read_gray8, resize_label
from bismap.demo import furniture, rows, scene, traffic, vegetation
from bismap.demo.canvas import SUPERSAMPLING, Canvas
from bismap.demo.domains import SOURCE, TARGET
from bismap.demo.render import render_picture

FACADES, VEHICLES = (set(getattr(SOURCE, kinds)) - set(getattr(TARGET, kinds)) for kinds in ("facades", "vehicles"))
# Of the trees that is the palm, drawn by a function of its own.


class Watch:
    """Notes which drawing pixels were last painted by what the source alone has."""

    def __init__(self) -> None:
        self.canvas: Canvas
        self.mask: np.ndarray
        self._inner: np.ndarray | None = None

    def begin(self, canvas: Canvas) -> None:
        self.canvas, self.mask = canvas, np.zeros((canvas.height, canvas.width), bool)

    def thing(self, draw: Callable[..., object], *args: object) -> None:
        """Draw what both worlds have; parts of it may be the source's `alone`."""
        self._inner = np.zeros_like(self.mask)
        changed = self._changed(draw, *args)
        self.mask = np.where(changed, self._inner, self.mask)
        self._inner = None

    def alone(self, draw: Callable[..., object], *args: object, **named: object) -> None:
        changed = self._changed(draw, *args, **named)
        noted = self.mask if self._inner is None else self._inner
        noted |= changed

    def _changed(self, draw: Callable[..., object], *args: object, **named: object) -> np.ndarray:
        before = np.array(self.canvas.image)
        draw(*args, **named)
        return (before != np.asarray(self.canvas.image)).any(2)

    def of_picture(self) -> np.ndarray:
        """The mask at the picture's size, as `Canvas.finish` takes labels."""
        middle = SUPERSAMPLING // 2
        return self.mask[middle::SUPERSAMPLING, middle::SUPERSAMPLING]


@contextmanager
def watched() -> Iterator[Watch]:
    """The renderer with a watch on what it draws."""
    watch, own = Watch(), (scene._things, traffic.draw_car, rows.draw_building)

    class WatchedCanvas(Canvas):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            watch.begin(self)

    def things(*args: object) -> Iterator:
        for found in own[0](*args):
            yield replace(found, draw=lambda view, dice, draw=found.draw: watch.thing(draw, view, dice))

    def car(*args: object, kind: str, **named: object) -> None:
        (watch.alone if kind in VEHICLES else _call)(own[1], *args, kind=kind, **named)

    def building(*args: object, building: object, **named: object) -> None:
        (watch.alone if building.kind in FACADES else _call)(own[2], *args, building=building, **named)

    def as_alone(draw: Callable[..., object]) -> Callable[..., None]:
        return lambda *args: watch.alone(draw, *args)

    def as_thing(draw: Callable[..., object]) -> Callable[..., None]:
        return lambda *args: watch.thing(draw, *args)

    with ExitStack() as patches:
        for module, name, new in (
            (scene, "Canvas", WatchedCanvas),
            (scene, "_things", things),
            (traffic, "draw_car", car),
            (rows, "draw_building", building),
            (vegetation, "_draw_palm", as_alone(vegetation._draw_palm)),
            (scene, "paint_hills", as_alone(scene.paint_hills)),
            (scene, "draw_skyline", as_thing(scene.draw_skyline)),
            (scene, "paint_ground", as_thing(scene.paint_ground)),
            (scene, "_draw_bonnet", as_thing(scene._draw_bonnet)),
        ):
            patches.enter_context(mock.patch.object(module, name, new))
        plates = {"diamond": as_alone(furniture._PLATES["diamond"])}
        patches.enter_context(mock.patch.dict(furniture._PLATES, plates))
        yield watch


def _call(draw: Callable[..., object], *args: object, **named: object) -> None:
    draw(*args, **named)


def sums_of(folder: Path, game: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pixels and sum of weights ``[2, C, 2]`` of one experiment: of both worlds' content, of the source's alone."""
    seed = re.search(r"-s(\d+)$", folder.name)
    made = folder.parent / "datasets" / (game + (seed[0] if seed else ""))
    dataset = open_dataset(made / "index.csv", made / "raw")
    weights = shards.files(sorted((folder / "gpa/transferability").glob("*.csv")), ".png")
    found = np.zeros((2, len(dataset.classes), 2))
    with watched() as watch:
        for number, item in enumerate(dataset.items("train")):
            alone = _mask(watch, int(seed[1]) if seed else 0, number, item)
            weight = read_gray8(weights[item.id]) / 255
            size = weight.shape[::-1]
            label = resize_label(dataset.read_label(item), size)
            alone = resize_label(alone.astype(np.uint8), size)
            for place in (0, 1):
                for c in np.unique(label[(label != 255) & (alone == place)]):
                    chosen = (label == c) & (alone == place)
                    found[place, c] += chosen.sum(), weight[chosen].sum()
    return found, dataset.classes.names


def _mask(watch: Watch, seed: int, number: int, item: Item) -> np.ndarray:
    render_picture(seed, "source", "train", number, item.width, item.height)
    return watch.of_picture()


def differences(sums: np.ndarray) -> dict[int | str, float]:
    """Mean weight of the source's own content less that of the others, by class that has both, and over them."""
    both = np.flatnonzero((sums[:, :, 0] > 0).all(0))
    mean = sums[:, both, 1] / sums[:, both, 0]
    found: dict[int | str, float] = dict(zip(both.tolist(), (mean[1] - mean[0]).tolist(), strict=True))
    found["all"] = float(np.average(mean[1] - mean[0], weights=sums[1, both, 0]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game")
    parser.add_argument("folders", type=Path, nargs="+")
    args = parser.parse_args()
    each = [sums_of(folder, args.game) for folder in args.folders]
    names, pooled = each[0][1], np.sum([sums for sums, _ in each], 0)
    gaps = [differences(sums) for sums, _ in each]
    lines = []
    for c in differences(pooled):
        mine = [gap[c] for gap in gaps if c in gap]
        pixels, total = (pooled[..., k].sum(1) if c == "all" else pooled[:, c, k] for k in (0, 1))
        shown = ["", ""] if c == "all" else [f"{100 * one:.1f}" for one in total / pixels]
        share = pixels[1] / pixels.sum()
        lines.append([c if c == "all" else names[c], f"{share:.1%}", *shown, interval(mine), str(len(mine))])
    head = ["class", "share of the source's own", "weight of common", "weight of its own", "difference", "folders"]
    print(markdown(head, lines))


if __name__ == "__main__":
    main()
