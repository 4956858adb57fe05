"""How long the first view of a gallery takes to appear, with as many images as Cityscapes has.

    python benchmarks/gallery.py [--adapt 2975] [--evaluate 500] [--size 256 128] [--rounds 5]

Makes a gallery of pictures with six runs and all layers, small ones unless told otherwise (the first view loads
thumbnails, whose size does not depend on that of the images), opens it in Chromium with an empty cache, and waits until
every card of the window and its thumbnail are there. Needs Playwright and /usr/bin/chromium.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from bismap.data.classes import CITYSCAPES
from bismap.data.dataset import Dataset, Item
from bismap.data.images import write_gray8, write_label
from bismap.data.raw_labels import LabelMap
from bismap.gallery.layers import Transferability
from bismap.gallery.site import Section, write_gallery

RUNS = ("source_only", "gpa", "gpa_stm", "bismap", "bismap_distilled_round1", "bismap_distilled")
Size = tuple[int, int]
KINDS = 12  # different pictures
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip
WINDOW = {"width": 1280, "height": 800}
SEEN = """() => {
    const seen = (card) => card.getBoundingClientRect().top < innerHeight;
    const cards = [...document.querySelectorAll(".card")].filter(seen);
    return cards.length > 0 && cards.every((card) => card.querySelector("img").complete) ? performance.now() : false;
}"""


def make_pictures(folder: Path, size: Size) -> list[dict[str, Path]]:
    """Some photographs with truth, predictions and a map of numbers."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(KINDS):
        files = {name: folder / f"{number}-{name}.png" for name in ("image", "truth", "map", *RUNS)}
        smooth = Image.fromarray(rng.integers(0, 255, (8, 16, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        smooth.save(files["image"])
        blocks = rng.choice(19, (4, 8), p=np.arange(19, 0, -1) / 190).astype(np.uint8)
        truth = blocks.repeat(size[1] // 4, 0).repeat(size[0] // 8, 1)
        write_label(files["truth"], truth, CITYSCAPES.palette())
        write_gray8(files["map"], np.asarray(smooth)[..., 0].copy())
        for run in RUNS:
            guess = np.where(rng.random(truth.shape) < 0.1, rng.integers(0, 19), truth).astype(np.uint8)
            write_label(files[run], guess, CITYSCAPES.palette())
        made.append(files)
    return made


def make_gallery(out: Path, pictures: list[dict[str, Path]], images: dict[str, int], size: Size) -> None:
    dataset = Dataset(CITYSCAPES, (), LabelMap({c: c for c in range(19)} | {255: 255}), ("palette",))
    sections = []
    for key, count in images.items():
        ids = [f"{key}_{number:06d}_000019" for number in range(count)]
        of = {image_id: pictures[number % KINDS] for number, image_id in enumerate(ids)}
        items = [Item(i, of[i]["image"], of[i]["truth"], key, size[1], size[0], (0,) * 19) for i in ids]
        labels = {f"prediction/{run}": {i: of[i][run] for i in ids} for run in RUNS}
        maps = {"score/gpa_stm/maps": Transferability({i: of[i]["map"] for i in ids}, "log density", "nat")}
        if key == "adapt":
            labels = {"labels/gpa_stm/maps": {i: of[i]["gpa_stm"] for i in ids}} | labels
        else:
            maps = {}
        titles = {name: name for name in (*labels, *maps)}
        sections.append(Section(key, f"Target, {key}", dataset, items, count, labels=labels, maps=maps, titles=titles))
    write_gallery(out, "large", sections, runs=RUNS, subsets={"miou19": []}, width=1024, threads=2)


def first_view(browser: Browser, page_file: Path, section: str) -> tuple[float, int]:
    """Milliseconds from the start of the navigation to the first view, and elements in the document."""
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.goto(f"file://{page_file}#section={section}", wait_until="commit")
    taken = page.wait_for_function(SEEN, polling="raf").json_value()
    elements = page.evaluate("document.querySelectorAll('*').length")
    context.close()
    return taken, elements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapt", type=int, default=2975, help="images of the split adapted to")
    parser.add_argument("--evaluate", type=int, default=500, help="images of the split that is scored")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), help="of the images, multiples of 8 and 4")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = make_pictures(folder, args.size)
        began = time.monotonic()
        make_gallery(folder / "gallery", pictures, {"evaluate": args.evaluate, "adapt": args.adapt}, args.size)
        files = [path for path in (folder / "gallery").rglob("*") if path.is_file()]
        print(f"gallery of {args.adapt} + {args.evaluate} images: {time.monotonic() - began:.0f} s, {len(files)} files")
        at_once = [path for path in files if path.name == "experiment.js" or path.parent.name in ("page", "gallery")]
        print(
            f"loaded before the first view, but for thumbnails: {sum(p.stat().st_size for p in at_once) / 1e6:.2f} MB"
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            for section in ("evaluate", "adapt"):
                taken, elements = zip(
                    *(first_view(browser, folder / "gallery/index.html", section) for _ in range(args.rounds)),
                    strict=True,
                )
                print(f"{section}: first view after {statistics.median(taken):.0f} ms (median of {args.rounds}, "
                      f"{min(taken):.0f} to {max(taken):.0f}), {elements[0]} elements")  # fmt: skip
            browser.close()


if __name__ == "__main__":
    main()
