"""The stages that draw the paper's figures: what is in them, and the same bytes whatever the shards."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bismap.data.images import write_label
from bismap.errors import BismapError
from bismap.inspect.figures import embedding
from bismap.stages import feature_embedding, label_comparison, qualitative

from .small_domains import NAMES, SIZE, make_domain, make_job, publish
from .small_models import make_model

GREEN, BLUE = (0, 250, 10), (20, 30, 240)
PALETTE = [*GREEN, *BLUE] + [0] * 762


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A target of four images, and a network that labels it."""
    folder = tmp_path_factory.mktemp("figures")
    make_domain(folder, "source", 1, 40)
    make_domain(folder, "target", 4, 0)
    classes = folder / "target" / "index" / "classes.json"
    classes.write_text(classes.read_text().replace("[[1, 2, 3], [1, 2, 3]", f"[{list(GREEN)}, {list(BLUE)}"))
    make_model(folder / "model.safetensors", folder / "target" / "images")
    return folder


def labelled(root, name, value, shards=1):
    """Shard manifests of label images of one class."""
    manifests = []
    for part in range(shards):
        job = make_job(root, f"{name}/{part}-of-{shards}", {})
        for number in range(part * 4 // shards, (part + 1) * 4 // shards):
            write_label(job.out / f"target{number}.png", np.full(SIZE[::-1], value, np.uint8), PALETTE)
        manifests.append(publish(job))
    return manifests


def drawn(stage, root, name, settings, **inputs):
    job = make_job(root, name, {"target": {"split": "train", "size": list(SIZE)}, "seed": 0} | settings, **inputs)
    stage.run(job)
    assert {path.name for path in job.out.iterdir()} == {"figure.png", "figure.svg"}
    return job.out


def shares(folder):
    """Share of the figure in each of the two classes' colours."""
    pixels = np.asarray(Image.open(folder / "figure.png").convert("RGB"))
    return [(pixels == color).all(-1).mean() for color in (GREEN, BLUE)]


def test_predictions_of_all_runs_are_drawn_in_the_colours_of_the_classes(root):
    settings = {"runs": ["a", "b"], "images": 2}
    both = [*labelled(root, "run_a", 0), *labelled(root, "run_b", 1)]
    green, blue = shares(drawn(qualitative, root, "figure4", settings, predictions=both))
    # Of each row one whole panel and half of the truth; the legend adds a little.
    assert 1.5 / 4 * 0.7 < green < 1.5 / 4
    assert green == pytest.approx(blue, rel=0.05)
    again = [*labelled(root, "run_c", 0), *labelled(root, "run_d", 0)]
    green, blue = shares(drawn(qualitative, root, "figure4_c", settings, predictions=again))
    assert green / blue > 4


def test_without_a_truth_there_is_no_column_for_it(tmp_path):
    make_domain(tmp_path, "target", 4, 0)
    index = tmp_path / "target" / "index" / "index.csv"
    index.write_text(re.sub(r",labels/\w+\.png,", ",,", index.read_text()))
    predictions = [*labelled(tmp_path, "run_a", 0), *labelled(tmp_path, "run_b", 0)]
    settings = {"runs": ["first", "second"], "images": 2}
    text = (drawn(qualitative, tmp_path, "figure4", settings, predictions=predictions) / "figure.svg").read_text()
    titles = ("photograph", "first", "second", "truth")
    assert [title for title in titles if f">{title}</text>" in text] == ["photograph", "first", "second"]


def test_the_shards_do_not_show(root):
    found = []
    for shards in (1, 2):
        sets = [*labelled(root, f"maps_{shards}", 0, shards), *labelled(root, f"ias_{shards}", 255, 3 - shards)]
        settings = {"assignments": ["maps", "ias"], "images": ["target3", "target0"]}
        folder = drawn(label_comparison, root, f"figure5_{shards}", settings, pseudo_labels=sets)
        found.append([(folder / f"figure.{end}").read_bytes() for end in ("png", "svg")])
    assert found[0] == found[1]


def test_an_image_that_is_not_there_is_named(root):
    settings = {"runs": ["a"], "images": ["target9"]}
    with pytest.raises(BismapError, match="no image `target9` among the 4 of split `train`"):
        drawn(qualitative, root, "figure4_unknown", settings, predictions=labelled(root, "run_e", 0))


def test_features_are_drawn_the_same_each_time(root, monkeypatch):
    seen = []
    real = embedding.embed
    monkeypatch.setattr(
        feature_embedding, "embed", lambda features, seed: seen.append(features) or real(features, seed)
    )
    settings = {"runs": ["a", "b"], "classes": ["road", "sky"], "samples_per_class": 20}
    models = [root / "model.safetensors"] * 2
    one, two = (drawn(feature_embedding, root, f"figure6_{n}", settings, models=models) for n in (1, 2))
    assert (one / "figure.png").read_bytes() == (two / "figure.png").read_bytes()
    assert (one / "figure.svg").read_bytes() == (two / "figure.svg").read_bytes()
    assert [features.shape for features in seen] == [(40, 8)] * 4
    np.testing.assert_array_equal(seen[0], seen[1])  # one model: one and the same features in both panels


def test_a_class_of_which_there_is_no_pixel_is_named(root):
    settings = {"runs": ["a"], "classes": ["road", NAMES[2]], "samples_per_class": 20}
    with pytest.raises(BismapError, match="no pixel of tree"):
        drawn(feature_embedding, root, "figure6_none", settings, models=[root / "model.safetensors"])


def test_threads_do_not_change_the_points(root, monkeypatch):
    chosen = []
    real = embedding.choose_points
    monkeypatch.setattr(feature_embedding, "choose_points", lambda *given: chosen.append(real(*given)) or chosen[-1])
    monkeypatch.setattr(feature_embedding, "embed", lambda features, seed: features[:, :2])
    settings = {"runs": ["a"], "classes": ["sky", "road"], "samples_per_class": 20}
    for threads in (1, 3):
        own = {"target": {"split": "train", "size": list(SIZE)}, "seed": 0} | settings
        job = make_job(root, f"figure6_threads{threads}", own, models=[root / "model.safetensors"])
        feature_embedding.run(replace(job, threads=threads))
    one, three = chosen
    assert list(one) == list(three)
    for name in one:
        np.testing.assert_array_equal(one[name].positions, three[name].positions)
