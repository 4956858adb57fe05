"""The gallery in a real browser: Debian's Chromium, from disk and over HTTP."""

import base64
import io
import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from PIL import Image

from tests.gallery.made import NAMES, ODD, PALETTE, SIZE, make

pytestmark = pytest.mark.slow

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    if not Path(CHROMIUM).exists() and os.environ.get("BISMAP_BROWSER") != "required":
        pytest.skip(f"there is no {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = make(tmp_path_factory.mktemp("browsed"), width=1000)
    made.gallery()
    return made


@pytest.fixture(scope="module")
def addresses(made) -> Iterator[dict[str, str]]:
    """Of the page, as opened through a link (as results are) and over HTTP."""
    folder = made.root / "gallery"
    linked = made.root / "public results"
    linked.mkdir()
    for name in ("index.html", "files"):
        (linked / name).symlink_to(folder / name)
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "disk": f"file://{quote(str(linked))}/index.html",
            "http": f"http://127.0.0.1:{server.server_port}/index.html",
        }
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def visit(browser, addresses):
    """Opens the page at a state; at the end there must have been no error and no failed request."""
    contexts, faults = [], []

    def opened(viewport=WIDE, over="disk", **state):
        context = browser.new_context(viewport=viewport, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: faults.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.append(f"{request.url[:200]}: {request.failure}"))
        page.on("response", lambda response: faults.append(response.url) if response.status >= 400 else None)
        page.goto(f"{addresses[over]}#{urlencode(state)}")
        if state.get("view") == "image":
            ready(page, state["id"])
        else:
            page.wait_for_selector(".list a, .matrix, .empty")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def ready(page, text: str) -> None:
    """Wait until a picture is drawn: image and layers."""
    page.wait_for_function("(text) => document.querySelector('.viewer')?.dataset.ready?.startsWith(text)", arg=text)


def canvas(page, side: str = "a") -> np.ndarray:
    """RGBA of what is laid over the photograph."""
    url = page.eval_on_selector(f".pane.{side} canvas", "(canvas) => canvas.toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA"))


def colored(label: np.ndarray) -> np.ndarray:
    """RGBA of a label image; transparent without label."""
    rgba = np.zeros((*label.shape, 4), np.uint8)
    for number, color in enumerate(PALETTE):
        rgba[label == number] = (*color, 255)
    return rgba


def state(page) -> dict[str, str]:
    return page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")


def ids(page) -> list[str]:
    return page.eval_on_selector_all(".list .id", "(all) => all.map((one) => one.textContent)")


@pytest.mark.parametrize("over", ["disk", "http"])
def test_layers_are_drawn_in_the_colours_of_their_classes(visit, made, over):
    page = visit(over=over, view="image", section="adapt", id="a1", a="prediction/second")
    np.testing.assert_array_equal(canvas(page), colored(made.predictions["second", "a1"]))
    for layer, label in (("truth", made.truth["a1"]), ("labels/first/maps", made.pseudo_labels["a1"])):
        page.select_option("#layer-a", layer)
        ready(page, f"a1 {layer}")
        np.testing.assert_array_equal(canvas(page), colored(label))
    page.select_option("#layer-a", "errors/labels/first/maps")
    ready(page, "a1 errors/labels/first/maps")
    truth, given = made.truth["a1"], made.pseudo_labels["a1"]
    wrong = (truth != given) & (truth != 255) & (given != 255)
    np.testing.assert_array_equal(canvas(page)[..., 3] == 255, wrong)
    page.select_option("#layer-a", "photograph")
    ready(page, "a1 photograph")
    assert page.locator(".pane.a canvas").is_hidden()
    assert page.eval_on_selector(".pane.a .photo", "(img) => img.naturalWidth") == SIZE[0]


def test_stylised_images_and_maps_of_the_source(visit, made):
    shown = sorted(path.stem for path in (made.root / "gallery/files/source/photographs").iterdir())[1]
    page = visit(view="image", section="source", id=shown, a="transferability/first", b="stylized")
    drawn = canvas(page)[..., :3]
    low, high = (made.weights[shown] == value for value in (0, 255))
    assert low.any()
    assert high.any()
    assert (drawn[low] == (68, 1, 84)).all()  # the ends of viridis
    assert (drawn[high] == (253, 231, 37)).all()
    assert page.eval_on_selector(".pane.b img.over", "(img) => img.naturalWidth") == SIZE[0]
    assert "weight in the source loss" in page.inner_text(".scale")


def test_what_lies_under_the_pointer_is_named(visit, made):
    page = visit(view="image", section="adapt", id="a0", a="prediction/first", b="score/first/maps")
    box = page.locator(".pane.a .frame").bounding_box()
    column, row = 33, 17
    spot = (box["x"] + (column + 0.5) / SIZE[0] * box["width"], box["y"] + (row + 0.5) / SIZE[1] * box["height"])
    page.mouse.move(*spot)
    truth, given = made.truth["a0"][row, column], made.predictions["first", "a0"][row, column]
    told = page.inner_text(".pane.a .probe")
    assert NAMES[given] in told
    assert NAMES[truth] in told
    assert ("✓" in told) == (truth == given)
    value = float(page.inner_text(".pane.b .probe").replace("−", "-").replace("≤", "").replace("≥", "").split()[0])
    assert value == pytest.approx(made.densities["a0"][row, column], abs=1.0)  # of 255 steps


def test_both_sides_zoom_and_move_together(visit):
    page = visit(view="image", section="evaluate", id="b0", a="prediction/first", b="prediction/second")
    place = "(sheet) => { const m = new DOMMatrix(getComputedStyle(sheet).transform); return [m.a, m.e, m.f]; }"
    whole = page.eval_on_selector(".pane.a .sheet", place)
    box = page.locator(".pane.b .frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.wheel(0, -600)
    page.wait_for_function("location.hash.includes('zoom')")
    left, right = (page.eval_on_selector(f".pane.{side} .sheet", place) for side in "ab")
    assert left == pytest.approx(right, abs=0.5)
    assert left[0] > 2 * whole[0]
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4 + 30, box["y"] + box["height"] / 4 + 10)
    page.mouse.up()
    moved = [page.eval_on_selector(f".pane.{side} .sheet", place) for side in "ab"]
    assert moved[0] == pytest.approx(moved[1], abs=0.5)
    assert moved[0][1] > left[1] + 5
    page.click("#whole")
    page.wait_for_function("!location.hash.includes('zoom')")
    assert page.eval_on_selector(".pane.a .sheet", place) == pytest.approx(whole, abs=0.5)


def test_a_link_opens_image_layers_zoom_and_blend(visit):
    shown = {"view": "image", "section": "adapt", "id": "a2", "a": "truth", "b": "score/first/maps", "blend": "40",
             "zoom": "4", "x": "0.25", "y": "0.75"}  # fmt: skip
    page = visit(**shown)
    assert state(page) == shown
    assert page.eval_on_selector(".pane.a canvas", "(one) => getComputedStyle(one).opacity") == "0.4"
    assert page.input_value("#layer-b") == "score/first/maps"
    frame, sheet = (page.locator(f".pane.a {one}").bounding_box() for one in (".frame", ".sheet"))
    middle = (frame["x"] + frame["width"] / 2 - sheet["x"]) / sheet["width"]
    assert middle == pytest.approx(0.25, abs=0.01)
    assert sheet["width"] == pytest.approx(4 * frame["width"], rel=0.35)  # the frame may be wider than the image


def test_blending_fades_the_layer_and_is_remembered(visit):
    page = visit(view="image", section="evaluate", id="b1")
    page.fill("#blend", "20")
    assert page.eval_on_selector(".pane.a canvas", "(one) => getComputedStyle(one).opacity") == "0.2"
    page.wait_for_function("location.hash.includes('blend=20')")


def test_back_and_forward(visit):
    page = visit(section="evaluate")
    page.click(".card >> nth=1")
    ready(page, "b1")
    page.keyboard.press("ArrowRight")
    ready(page, "b2")
    page.go_back()
    ready(page, "b1")
    page.go_back()
    page.wait_for_selector(".card")
    page.go_forward()
    ready(page, "b1")


def test_keys(visit):
    page = visit(view="image", section="evaluate", id="b0", a="prediction/first")
    for key, layers in (("e", "errors/prediction/first"), ("e", "prediction/first"), ("t", "truth"), ("c", "truth")):
        page.keyboard.press(key)
        ready(page, f"b0 {layers}")
    other = state(page)["b"]
    page.keyboard.press("x")
    ready(page, f"b0 {other} truth")
    page.keyboard.press("Shift+ArrowDown")
    ready(page, f"b0 {other} prediction/first")
    page.keyboard.press("c")
    page.keyboard.press("+")
    page.wait_for_function("location.hash.includes('zoom=1.5')")
    page.keyboard.press("0")
    page.keyboard.down(" ")
    assert page.eval_on_selector(".pane.a canvas", "(one) => getComputedStyle(one).opacity") == "0"
    page.keyboard.up(" ")
    page.keyboard.press("p")
    page.wait_for_function("location.hash.includes('safe=1')")
    page.keyboard.press("?")
    assert page.locator(".help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".help").is_hidden()
    page.keyboard.press("Escape")
    page.wait_for_selector(".card")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    ready(page, "b1")


def test_the_safe_palette_recolours(visit, made):
    page = visit(view="image", section="evaluate", id="b2", a="truth", safe=1)
    drawn, truth = canvas(page), made.truth["b2"]
    assert (drawn[truth == 0][:, :3] == (120, 80, 160)).all()


def test_a_class_alone(visit, made):
    page = visit(view="image", section="evaluate", id="b0", a="truth")
    page.click("#class-2")
    page.wait_for_function("location.hash.includes('only=2')")
    page.wait_for_function("document.querySelector('#class-2').ariaPressed === 'true'")
    np.testing.assert_array_equal(canvas(page)[..., 3] == 255, made.truth["b0"] == 2)


def test_sorting_and_filters(visit, made):
    page = visit(section="evaluate", list="table", run="first")
    assert ids(page) == ["b0", "b1", "b2", ODD]

    def miou(image_id: str) -> float:
        truth, given = made.truth[image_id], made.predictions["first", image_id]
        known = truth != 255
        both = [((truth == c) & (given == c)).sum() / (((truth == c) | (given == c)) & known).sum()
                for c in np.unique(truth[known])]  # fmt: skip
        return float(np.mean(both))

    ranked = sorted(["b0", "b1", "b2", ODD], key=miou, reverse=True)
    page.click("thead button:has-text('mIoU')")
    page.wait_for_selector("th[aria-sort=descending]")
    assert ids(page) == ranked
    page.click("thead button:has-text('mIoU')")
    page.wait_for_selector("th[aria-sort=ascending]")
    assert ids(page) == ranked[::-1]
    limit = 100 * (miou(ranked[1]) + miou(ranked[2])) / 2
    page.select_option("#by", "miou")
    page.wait_for_function("location.hash.includes('by=miou')")
    page.fill("#limit", f"{limit:.3f}")
    page.wait_for_function("document.querySelectorAll('.list .id').length === 2")
    assert ids(page) == ranked[:1:-1]
    page.fill("#limit", "")
    page.fill("#find", "B1")
    page.wait_for_function("document.querySelectorAll('.list .id').length === 1")
    assert ids(page) == ["b1"]
    assert page.evaluate("document.activeElement.id") == "find"
    page.fill("#find", "nothing like it")
    page.wait_for_selector("text=No image passes")


def test_a_class_leads_to_the_images_where_it_fails_most(visit, made):
    page = visit(view="classes", section="evaluate", versus="first")
    cell = page.locator(".matrix tbody tr", has_text="tree").locator("a").nth(1)  # the second run
    everything = [(made.truth[i], made.predictions["second", i]) for i in ("b0", "b1", "b2", ODD)]
    hit = sum(((t == 2) & (g == 2)).sum() for t, g in everything)
    either = sum((((t == 2) | (g == 2)) & (t != 255)).sum() for t, g in everything)
    assert cell.locator("b").inner_text() == f"{100 * hit / either:.1f}"
    cell.click()
    page.wait_for_selector(".card")

    def wrong(i: str) -> int:
        truth, given = made.truth[i], made.predictions["second", i]
        return int((((truth == 2) != (given == 2)) & (truth != 255)).sum())

    assert ids(page) == sorted(["b0", "b1", "b2", ODD], key=wrong, reverse=True)
    worst = ids(page)[0]
    page.click(".card >> nth=0")
    ready(page, f"{worst} errors/prediction/second prediction/second")


def test_odd_names_are_text(visit):
    page = visit(section="evaluate")
    page.click(f".card >> nth={3}")
    ready(page, ODD)
    assert page.inner_text("h2") == ODD
    assert page.evaluate("window.hacked") is None
    assert NAMES[3] in page.inner_text("table.classes")
    assert page.evaluate("document.querySelector('.photo').naturalWidth") == SIZE[0]


@pytest.mark.parametrize(
    "shown",
    [
        {"section": "adapt"},
        {"section": "adapt", "list": "table", "versus": "first", "class": 1},
        {"view": "classes", "section": "evaluate"},
        {"view": "image", "section": "adapt", "id": "a0", "b": "score/first/maps"},
    ],
)
def test_a_telephone_needs_no_scrolling_aside(visit, shown):
    page = visit(viewport=NARROW, **shown)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_every_picture_has_words(visit):
    page = visit(view="image", section="adapt", id="a0", a="prediction/first", b="score/first/maps")
    page.wait_for_selector(".pane.b canvas[aria-label]")
    assert page.get_attribute(".pane.a canvas", "aria-label").startswith("Prediction of first of a0: classes ")
    assert "mean" in page.get_attribute(".pane.b canvas", "aria-label")
    for view in ({"section": "adapt"}, {"section": "source", "list": "table"}):
        page = visit(**view)
        words = page.eval_on_selector_all("img", "(all) => all.map((one) => one.alt)")
        assert words
        assert all(words)


def test_without_truth(browser, visit, tmp_path):
    make(tmp_path, truth=False).gallery()
    page = visit(section="evaluate")
    page.goto(f"file://{tmp_path}/gallery/index.html#view=image&section=evaluate&id=b0&b=photograph")
    ready(page, "b0 prediction/second")
    offered = page.eval_on_selector_all("#layer-a option", "(all) => all.map((one) => one.value)")
    assert offered == ["photograph", "prediction/first", "prediction/second"]
    page.click("#tab-classes")
    page.wait_for_selector("text=no truth to measure")


def test_a_damaged_copy_says_so(browser, made, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(made.root / "gallery", folder)
    (folder / "files" / "evaluate" / "labels" / "b0.js").unlink()
    page = browser.new_page()
    page.goto(f"file://{folder}/index.html#view=image&section=evaluate&id=b0")
    page.wait_for_selector("text=evaluate/labels/b0.js is missing or damaged")
    (folder / "files" / "experiment.js").unlink()
    page.reload()
    page.wait_for_selector("text=experiment.js is missing or damaged")
    page.close()
