"""The source_prototypes stage."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.mixture import GaussianMixture

from bismap.data.shards import folder
from bismap.errors import BismapError
from bismap.prototypes.feature_store import STORE, write_features
from bismap.prototypes.features import ClassFeatures
from bismap.prototypes.mixtures import load_mixtures
from bismap.stages import source_prototypes
from tests.prototypes.reference import log_density

from .small_domains import make_domain, make_job, publish

D = 6
SETTINGS = {
    "samples_per_class": 600,
    "seed": 5,
    "components": 4,
    "covariance": "diagonal",
    "reg_covar": 1e-6,
    "tolerance": 1e-3,
    "max_steps": 100,
}


@pytest.fixture(autouse=True)
def _domain(tmp_path):
    torch.set_num_threads(1)
    make_domain(tmp_path, "source", 1, 0)


def kept(values, first_key=0):
    keys = np.arange(first_key, first_key + len(values), dtype=np.uint64)
    return ClassFeatures(np.asarray(values, np.float16).reshape(-1, D), keys)


def blobs(n, seed=0):
    rng = np.random.default_rng(seed)
    centres = 3 * rng.normal(size=(4, D))
    return np.maximum(centres[rng.integers(4, size=n)] + 0.4 * rng.normal(size=(n, D)), 0).astype(np.float16)


def run(root, *shards, name="prototypes", settings=SETTINGS):
    manifests = []
    for i, classes in enumerate(shards):
        job = make_job(root, f"{name}-features/{i}-of-{len(shards)}", {})
        write_features(job.out / STORE, classes)
        manifests.append(publish(job))
    job = make_job(root, name, settings, features=manifests)
    source_prototypes.run(job)
    return job.out


def test_mixtures_and_tables(tmp_path):
    x = blobs(1000)
    out = run(tmp_path, [kept(x[:500]), kept([]), kept(x[:3])], [kept(x[500:], 500), kept([]), kept([])])
    classes = pd.read_csv(out / "classes.csv")
    assert classes["samples"].tolist() == [600, 0, 3]
    assert classes["components"].tolist() == [4, 0, 3]
    assert classes["status"].tolist() == ["fitted", "absent", "reduced"]
    assert classes["converged"].tolist() == [1, 0, 1]
    assert not (out / "01.safetensors").exists()

    traces = pd.read_csv(out / "traces.csv")
    for c in (0, 2):
        trace = traces[traces["class"] == c]
        assert trace["step"].tolist() == list(range(classes["steps"][c] + 1))
        assert trace["mean_log_likelihood"].is_monotonic_increasing

    mixtures = load_mixtures(out)
    reference = GaussianMixture(
        4,
        covariance_type="diag",
        means_init=mixtures.means[0].numpy(),
        precisions_init=1 / mixtures.variances[0].numpy(),
    ).fit(x[:600].astype(np.float64))
    density = log_density(mixtures[0], x[:600])
    assert density.mean() == pytest.approx(reference.score(x[:600].astype(np.float64)), abs=0.05)
    assert density.mean() == pytest.approx(traces[traces["class"] == 0]["mean_log_likelihood"].iloc[-1], abs=1e-3)
    assert mixtures[1] is None


def test_shards_do_not_matter(tmp_path):
    x = blobs(700)
    whole = run(tmp_path, [kept(x)] + [kept([])] * 2, name="whole")
    parts = [[ClassFeatures(x[i::3], np.arange(i, 700, 3, dtype=np.uint64)), kept([]), kept([])] for i in (1, 2, 0)]
    split = run(tmp_path, *parts, name="split")
    for file in ("00.safetensors", "classes.csv", "traces.csv"):
        assert (whole / file).read_bytes() == (split / file).read_bytes()


def test_no_features_at_all(tmp_path):
    with pytest.raises(BismapError, match="no class has a correctly classified feature"):
        run(tmp_path, [kept([])] * 3)


def test_damaged_store(tmp_path):
    run(tmp_path, [kept(blobs(50)), kept([]), kept([])])
    manifest = tmp_path / "prototypes-features" / "0-of-1.csv"
    (folder(manifest) / STORE / "00" / "features" / "c" / "0" / "0").unlink()
    with pytest.raises(BismapError, match=r"0-of-1/features\.zarr/00/features: 0 of 1 files"):
        source_prototypes.run(make_job(tmp_path, "again", SETTINGS, features=[manifest]))
