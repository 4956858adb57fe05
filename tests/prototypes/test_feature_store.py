"""The feature store: round trip, merging by key, and every kind of damage."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import Crc32cCodec

from bismap.errors import BismapError
from bismap.prototypes import feature_store
from bismap.prototypes.feature_store import gather, open_all, open_features, write_features
from bismap.prototypes.features import ClassFeatures

D = 4


@pytest.fixture(autouse=True)
def _small_files(monkeypatch):
    monkeypatch.setattr(feature_store, "CHUNK_ROWS", 8)
    monkeypatch.setattr(feature_store, "SHARD_CHUNKS", 5)
    monkeypatch.setattr(feature_store, "READ_CHUNKS", 2)


def kept(keys):
    """Features that tell their key, so that a row put in the wrong place shows."""
    keys = np.sort(np.asarray(keys, np.uint64))
    features = (keys[:, None] * np.arange(1, D + 1, dtype=np.uint64) % 1000).astype(np.float16)
    return ClassFeatures(features, keys)


def write(path, *classes):
    write_features(path, [kept(keys) for keys in classes])
    return open_features(path)


@pytest.mark.parametrize("rows", [7, 16, 39, 40, 41, 95, 120])
@pytest.mark.parametrize("limit", [1, 17, 40, 57, 200])
def test_the_first_rows_of_several_files(tmp_path, rows, limit):
    store = write(tmp_path / "a.zarr", range(rows))
    np.testing.assert_array_equal(gather([store], 0, limit), kept(range(rows)).features[:limit])


def test_round_trip(tmp_path):
    store = write(tmp_path / "a.zarr", range(53), [], [7])
    assert store.rows == (53, 0, 1)
    for trainid, keys in enumerate((range(53), [], [7])):
        expected = kept(keys)
        np.testing.assert_array_equal(store.keys(trainid), expected.keys)
        got = gather([store], trainid, 100)
        assert got.dtype == np.float16
        np.testing.assert_array_equal(got, expected.features)


@pytest.mark.parametrize("rows", [1, 8, 16, 17, 53])
def test_files_are_those_that_zarr_writes(tmp_path, rows):
    write(tmp_path / "a.zarr", range(rows))
    expected = kept(range(rows))
    for name, values in (("features", expected.features), ("keys", expected.keys)):
        ours = zarr.open_array(tmp_path / "a.zarr", path=f"00/{name}", mode="r")
        np.testing.assert_array_equal(ours[:], values)
        again = zarr.create_array(tmp_path / f"{name}.zarr", **_shape_of(ours), config={"write_empty_chunks": True})
        again[:] = values
        for path in files(tmp_path, name):
            if path.is_file():
                twin = tmp_path / f"{name}.zarr" / path.relative_to(tmp_path / "a.zarr/00" / name)
                assert path.read_bytes() == twin.read_bytes()


def _shape_of(array):
    """What decides on an array's bytes."""
    names = ("shape", "dtype", "chunks", "shards", "fill_value")
    return {name: getattr(array, name) for name in names} | {"compressors": [Crc32cCodec()]}


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=40), min_size=1, max_size=4), st.integers(1, 60))
@settings(max_examples=15, deadline=None)
def test_gather_is_the_smallest_keys(tmp_path_factory, shards, limit):
    folder = tmp_path_factory.mktemp("stores")
    stores = [write(folder / str(i), keys) for i, keys in enumerate(shards)]
    whole = kept([key for keys in shards for key in keys])
    np.testing.assert_array_equal(gather(stores, 0, limit), whole.features[:limit])


def files(tmp_path, name):
    return sorted((tmp_path / "a.zarr" / "00" / name / "c").rglob("*"), key=lambda p: (p.is_dir(), p))


@pytest.mark.parametrize("name", ["features", "keys"])
@pytest.mark.parametrize("number", [0, -1])
def test_missing_file(tmp_path, name, number):
    store = write(tmp_path / "a.zarr", range(130))
    [path for path in files(tmp_path, name) if path.is_file()][number].unlink()
    with pytest.raises(BismapError, match=rf"00/{name}: 3 of 4 files"):
        gather([store], 0, 130)


@pytest.mark.parametrize("name", ["features", "keys"])
def test_any_flipped_byte_is_noticed(tmp_path, name):
    store = write(tmp_path / "a.zarr", range(16))
    path = next(path for path in files(tmp_path, name) if path.is_file())
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(
            BismapError, match=f"a.zarr/00/{name}: rows from [08]: (a checksum does|a chunk is missing)"
        ):
            gather([store], 0, 16)


def test_zarr_reads_the_same(tmp_path):
    """The stores are zarr's: other programs open them."""
    store, expected = write(tmp_path / "a.zarr", range(53)), kept(range(53))
    group = zarr.open_group(store.path, mode="r")["00"]
    np.testing.assert_array_equal(group["features"][:], expected.features)
    np.testing.assert_array_equal(group["keys"][:], expected.keys)


@pytest.mark.parametrize("name", ["features", "keys"])
@pytest.mark.parametrize("number", [1, 2, -1])
def test_damage_in_a_later_file(tmp_path, name, number):
    store = write(tmp_path / "a.zarr", range(170))
    path = [path for path in files(tmp_path, name) if path.is_file()][number]
    damaged = bytearray(path.read_bytes())
    damaged[3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(BismapError, match=f"00/{name}: rows from {40 * (number % 5)}: a checksum"):
        gather([store], 0, 170)


@pytest.mark.parametrize(
    ("node", "old", "new"),
    [
        ("00/features", '"float16"', '"int16"'),
        ("00/keys", '"uint64"', '"int64"'),
        ("00/keys", '"sharding_indexed"', '"other"'),
        (".", '"dim": 4', '"dim": null'),
        (".", '"rows": [', '"rows": 5, "other": ['),
    ],
)
def test_other_metadata(tmp_path, node, old, new):
    write(tmp_path / "a.zarr", range(16))
    path = tmp_path / "a.zarr" / node / "zarr.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BismapError, match=r"a\.zarr"):
        gather([open_features(tmp_path / "a.zarr")], 0, 16)


@pytest.mark.parametrize("name", ["features", "keys"])
@pytest.mark.parametrize("size", [0, 10, -1])
def test_truncated_file(tmp_path, size, name):
    store = write(tmp_path / "a.zarr", range(16))
    path = next(path for path in files(tmp_path, name) if path.is_file())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(BismapError, match="damaged"):
        gather([store], 0, 16)


def test_missing_class(tmp_path):
    store = write(tmp_path / "a.zarr", range(16))
    (tmp_path / "a.zarr" / "00" / "features" / "zarr.json").unlink()
    with pytest.raises(BismapError, match="00/features"):
        gather([store], 0, 16)


def test_stores_that_do_not_fit(tmp_path):
    with pytest.raises(BismapError, match="no store of class features"):
        open_all([tmp_path / "none.zarr"], 1)
    write(tmp_path / "a.zarr", range(3))
    with pytest.raises(BismapError, match="2 classes"):
        open_all([tmp_path / "a.zarr"], 2)
    with pytest.raises(BismapError, match="expected feature shards"):
        open_all([], 2)
