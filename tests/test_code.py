"""What a stage's code goes by: its own fingerprint, package versions on demand, or older code declared equal."""

import pytest

from bismap import packages
from bismap.code import accept, code_of, held_stages
from bismap.errors import BismapError
from bismap.fingerprint import fingerprint
from bismap.store import Store
from bismap.verbs import VERBS


@pytest.fixture
def upgrade(monkeypatch):
    """Returns a function that makes a distribution seem to have another version."""
    real = packages._version.__wrapped__
    changed: dict[str, str] = {}
    monkeypatch.setattr(packages, "_version", lambda name: changed.get(name, real(name)))
    return changed.__setitem__


def _make(store: Store, stage: str, code: str) -> None:
    store.produce(stage, code, lambda out, state: (out / "a").write_text("a"), {"code": code})


def test_packages_count_only_on_demand(tmp_path, upgrade):
    off, on = code_of("train", tmp_path), code_of("train", tmp_path, packages=True)
    upgrade("torch", "99.0")
    assert code_of("train", tmp_path) == off == fingerprint("bismap.stages.train", "bismap.numerics")
    assert code_of("train", tmp_path, packages=True) != on


USERS = {
    "faiss-gpu": {"source_prototypes", "target_prototypes"},
    "torch": {"train", "features", "source_prototypes", "extractor", "extract", "class_entropy", "densities", "predict",
              "weights", "category_anchors", "anchor_gaps", "confidences", "posteriors", "feature_embedding",
              "plot_mixtures"},
    "numba": {"stylize", "source_prototypes", "target_prototypes", "source_distances", "densities", "posteriors",
              "anchor_gaps", "plot_clusters"},
    "zarr": {"features", "source_prototypes", "extract", "target_prototypes", "source_distances",
             "plot_clusters"},
    "scipy": {"stylize", "pseudo_label_curve"},
    "scikit-learn": {"feature_embedding"},
    "matplotlib": {"qualitative", "label_comparison", "feature_embedding", "plot_learning_curves", "plot_validation",
                   "plot_mixtures", "plot_densities", "plot_label_curves", "plot_transferability"},
}  # fmt: skip


@pytest.mark.parametrize("distribution", USERS)
def test_a_package_concerns_the_stages_that_compute_with_it(tmp_path, upgrade, distribution):
    before = {stage: code_of(stage, tmp_path, packages=True) for stage in VERBS}
    upgrade(distribution, "99.0")
    changed = {stage for stage, code in before.items() if code_of(stage, tmp_path, packages=True) != code}
    assert changed == USERS[distribution]


def test_accepted_code_keeps_the_older_name_with_and_without_packages(tmp_path, upgrade):
    store = Store(tmp_path)
    _make(store, "train", "0123456789abcdef")
    upgrade("torch", "99.0")
    assert accept(store, "train") == (fingerprint("bismap.stages.train", "bismap.numerics"), "0123456789abcdef")
    assert code_of("train", tmp_path) == code_of("train", tmp_path, packages=True) == "0123456789abcdef"
    upgrade("torch", "100.0")
    assert code_of("train", tmp_path, packages=True) != "0123456789abcdef"


def test_a_switch_to_packages_that_count_can_be_accepted(tmp_path):
    store = Store(tmp_path)
    code = fingerprint("bismap.stages.train", "bismap.numerics")
    _make(store, "train", code)
    assert held_stages(store) == ["train"]
    assert accept(store, "train") == (code, code)
    assert code_of("train", tmp_path) == code_of("train", tmp_path, packages=True) == code


def test_versions_of_the_packages_are_known():
    assert {"torch", "numpy", "zarr"} <= set(packages.versions())


@pytest.mark.parametrize(("stage", "message"), [("trian", "no stage `trian`"), ("train", "holds no result")])
def test_accepting_what_is_not_there_is_refused(tmp_path, stage, message):
    with pytest.raises(BismapError, match=message):
        accept(Store(tmp_path), stage)
