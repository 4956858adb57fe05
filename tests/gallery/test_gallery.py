"""What the gallery's files hold, against numbers computed from what was put in."""

import base64
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bismap.data.classes import CITYSCAPES
from bismap.errors import BismapError
from bismap.gallery.palette import safe_colors
from bismap.gallery.site import ASSETS
from bismap.runner import Request, run
from bismap.store import Store
from tests.gallery.made import NAMES, ODD, RUNS, SIZE, TARGETS, make

SHOWN = (32, 24)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def out(made):
    return made.gallery()


def part(out: Path, name: str):
    """What a script hands to the page."""
    text = (out / "files" / f"{name}.js").read_text(encoding="ascii")
    head = "archive.deliver("
    assert text.startswith(head)
    assert text.endswith(");\n")
    told, value = json.loads(f"[{text[len(head) : -3]}]")
    assert told == name
    return value


def sections(out: Path) -> dict:
    return {section["key"]: section for section in part(out, "experiment")["sections"]}


def decoded(url: str) -> np.ndarray:
    head, data = url.split(",")
    assert head == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.mode == "L"
    return np.array(picture)


def shrunk(label: np.ndarray) -> np.ndarray:
    return label[1::2, 1::2]  # half the size: Pillow's nearest neighbour takes the later of two


def ious(pairs) -> list:
    """IoU of each class over pairs of truth and labels; None where the truth has none."""
    truth = np.concatenate([truth.ravel() for truth, _ in pairs])
    given = np.concatenate([given.ravel() for _, given in pairs])[truth != 255]
    truth = truth[truth != 255]
    found = []
    for c in range(len(NAMES)):
        union = ((truth == c) | (given == c)).sum()
        found.append(((truth == c) & (given == c)).sum() / union if (truth == c).any() else None)
    return found


def mean(values) -> float:
    return float(np.mean([value for value in values if value is not None]))


def test_sections_and_their_layers(out):
    found = sections(out)
    assert [*found] == ["evaluate", "adapt", "source"]
    keys = {key: [layer["key"] for layer in section["layers"]] for key, section in found.items()}
    predictions = [f"prediction/{name}" for name in RUNS]
    assert keys["evaluate"] == ["photograph", "truth", *predictions]
    assert keys["adapt"] == ["photograph", "truth", "labels/first/maps", *predictions, "score/first/maps"]
    assert keys["source"] == ["photograph", "stylized", "truth", "transferability/first"]
    assert [found[key]["total"] for key in found] == [4, 3, 5]
    assert len(found["source"]["images"]["id"]) == 3


@pytest.mark.parametrize("split", TARGETS)
def test_label_images_hold_the_labels(made, out, split):
    section = {"train": "adapt", "val": "evaluate"}[split]
    for image_id in TARGETS[split]:
        layers = part(out, f"{section}/labels/{image_id}")
        np.testing.assert_array_equal(decoded(layers["truth"]), shrunk(made.truth[image_id]))
        for name in RUNS:
            found = decoded(layers[f"prediction/{name}"])
            np.testing.assert_array_equal(found, shrunk(made.predictions[name, image_id]))
        assert ("labels/first/maps" in layers) == (split == "train")


def test_maps_hold_their_values(made, out):
    layer = sections(out)["adapt"]["layers"][-1]
    assert (layer["quantity"], layer["unit"]) == ("log density", "nat")
    everything = np.stack([*made.densities.values()])
    assert (everything < layer["low"]).mean() <= 0.005
    assert (everything > layer["high"]).mean() <= 0.005
    assert everything.min() < layer["low"] < layer["high"] < everything.max()
    for image_id, density in made.densities.items():
        found = decoded(part(out, f"adapt/maps/{image_id}")["score/first/maps"])
        values = layer["low"] + found / 255 * (layer["high"] - layer["low"])
        expected = shrunk(density).clip(layer["low"], layer["high"])
        assert abs(values - expected).max() <= (layer["high"] - layer["low"]) / 510 + 1e-9
    for image_id in sections(out)["source"]["images"]["id"]:
        found = decoded(part(out, f"source/maps/{image_id}")["transferability/first"])
        np.testing.assert_array_equal(found, shrunk(made.weights[image_id]))


def test_figures_of_images(made, out):
    images = sections(out)["adapt"]["images"]
    for place, image_id in enumerate(images["id"]):
        label, density = made.pseudo_labels[image_id], made.densities[image_id]
        assert images["labelled"]["labels/first/maps"][place] == pytest.approx((label != 255).mean(), abs=1e-4)
        assert images["mean"]["score/first/maps"][place] == pytest.approx(density.mean(), abs=1e-3)
        truth, given = made.truth[image_id], made.predictions["second", image_id]
        assert images["miou"]["second"][place] == pytest.approx(mean(ious([(truth, given)])), abs=1e-4)
        present = dict(zip(*[iter(images["present"][place])] * 2, strict=True))
        assert present == {c: round((truth == c).mean() * 10_000) for c in np.unique(truth).tolist() if c != 255}


def test_class_areas_of_images(made, out):
    rows = part(out, "evaluate/scores/first")
    for row, image_id in zip(rows, TARGETS["val"], strict=True):
        truth, given = made.truth[image_id], made.predictions["first", image_id]
        known = truth != 255
        expected = []
        for c in range(len(NAMES)):
            true, guess = known & (truth == c), known & (given == c)
            if (true | guess).any():
                expected += [c, true.sum(), (true & guess).sum(), (true | guess).sum()]
        assert row == expected


def test_scores_over_a_split_are_over_all_its_pixels(made, out):
    for name in RUNS:
        pairs = [(made.truth[i], made.predictions[name, i]) for i in TARGETS["val"]]
        found = sections(out)["evaluate"]["runs"][name]
        assert found["iou"] == pytest.approx(ious(pairs), abs=1e-6)
        assert found["miou"]["miou"] == pytest.approx(mean(ious(pairs)), abs=1e-6)
        assert found["miou"]["miou2"] == pytest.approx(mean([ious(pairs)[0], ious(pairs)[2]]), abs=1e-6)
        truth = np.stack([made.truth[i] for i in TARGETS["val"]])
        assert found["truth"] == pytest.approx([(truth == c).sum() / (truth != 255).sum() for c in range(4)], abs=1e-6)


def test_pictures_are_no_wider_than_asked_for(out):
    pictures = [*(out / "files").rglob("*.jpg")]
    assert len(pictures) == 2 * (3 + 4 + 3) + 3  # photographs and thumbnails, stylised ones of the source
    assert {Image.open(path).size for path in pictures} == {SHOWN}
    assert sections(out)["adapt"]["images"]["size"] == [[*SHOWN]] * 3


def test_small_images_are_not_enlarged(tmp_path):
    out = make(tmp_path, width=1000).gallery()
    assert {Image.open(path).size for path in (out / "files").rglob("*.jpg")} == {SIZE}


def test_names_cannot_leave_their_script(out):
    for path in (out / "files").rglob("*.js"):
        if path.parent.name != "page":
            assert "<" not in path.read_text(encoding="ascii")
    assert part(out, "experiment")["classes"][3] == NAMES[3]
    assert (out / "files" / "evaluate" / "photographs" / f"{ODD}.jpg").is_file()


def test_the_page_loads_nothing_from_elsewhere():
    for path in ASSETS.iterdir():
        text = path.read_text()
        assert "http:" not in text
        assert "https:" not in text
        assert "fetch(" not in text


def test_equal_work_gives_equal_bytes(made, out):
    def digests(folder: Path) -> dict:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert digests(made.gallery("again", threads=3)) == digests(out)


def test_without_truth_there_is_nothing_to_compare_with(tmp_path):
    made = make(tmp_path, truth=False)
    out = made.gallery()
    for key in ("evaluate", "adapt"):
        section = sections(out)[key]
        assert "truth" not in [layer["key"] for layer in section["layers"]]
        assert section["runs"] == section["images"]["miou"] == {}
        place, image_id = 1, section["images"]["id"][1]
        classes = section["images"]["present"][place][::2]
        assert classes == np.unique(made.predictions["second", image_id]).tolist()  # by the last run
    assert not (out / "files" / "evaluate" / "scores").exists()


def test_one_split_may_be_adapted_to_and_scored(tmp_path):
    both = {"adapt": "train", "evaluate": "train"}
    found = sections(make(tmp_path, targets={"train": TARGETS["train"]}, target=both).gallery())
    assert [*found] == ["adapt", "source"]
    assert found["adapt"]["runs"].keys() == set(RUNS)


@pytest.mark.parametrize("name", ["predictions", "pseudo_labels", "scores", "transferability"])
def test_a_missing_part_is_named(made, name):
    files = made.inputs[name]
    made.inputs[name] = files[:-1]
    try:
        with pytest.raises(BismapError, match=r"images have no file"):
            made.gallery(f"without_{name}")
    finally:
        made.inputs[name] = files


def test_a_manifest_too_many_is_named(made):
    files = made.inputs["pseudo_labels"]
    made.inputs["pseudo_labels"] = (*files, *files)
    try:
        with pytest.raises(BismapError, match="a manifest more"):
            made.gallery("more")
    finally:
        made.inputs["pseudo_labels"] = files


def test_a_label_that_is_no_class_is_named(tmp_path):
    made = make(tmp_path)
    path = next((tmp_path / "second" / "val").rglob("b1.png"))
    picture = Image.open(path)
    picture.putpixel((9, 9), 77)
    picture.save(path)
    with pytest.raises(BismapError, match="b1: given labels hold id 77"):
        made.gallery()


def test_the_public_page_finds_its_files(made, tmp_path):
    public = tmp_path / "results" / "made" / "gallery" / "index.html"
    roots = {"source": str(made.root / "source"), "target": str(made.root / "target")}
    request = Request("gallery", made.settings, made.inputs, {"page": public}, setup={"roots": roots})
    entry = run(request, Store(tmp_path / "results" / ".store"))
    assert public.resolve() == entry / "index.html"
    assert (public.parent / "files" / "experiment.js").resolve() == entry / "files" / "experiment.js"
    public.unlink()  # as Snakemake does before it makes it anew
    assert (entry / "index.html").is_file()


# Severity 1 [Machado et al. 2009], and OKLab [Ottosson 2020].
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
LMS = [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.68069955, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
LAB = [
    [0.21045426, 0.79361779, -0.00407205],
    [1.9779985, -2.4285922, 0.45059371],
    [0.02590404, 0.78277177, -0.80867577],
]


def least_distance(colors, sight: str) -> float:
    values = np.array(colors) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1)
    lab = np.cbrt(seen @ np.array(LMS).T) @ np.array(LAB).T
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return float(apart[~np.eye(len(lab), dtype=bool)].min())


@pytest.mark.parametrize("sight", SIGHT)
def test_safe_colours_stay_apart_for_every_eye(sight):
    safe = least_distance(safe_colors(19), sight)
    assert safe > 0.08
    assert safe > 1.5 * least_distance(CITYSCAPES.colors, sight)


def test_more_classes_than_safe_colours():
    assert safe_colors(45)[40] == safe_colors(45)[0]
