import pytest
from hypothesis import given
from hypothesis import strategies as st

from bismap.data import shards
from bismap.errors import BismapError


@given(st.lists(st.integers()), st.integers(1, 70))
def test_parts_are_the_whole_in_order_and_even(items, n):
    parts = [shards.split(items, (i, n)) for i in range(n)]
    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("shard", [(3, 3), (-1, 2), (0, 0)])
def test_impossible_shard(shard):
    with pytest.raises(BismapError, match="expected 0 <= shard"):
        shards.split([1, 2], shard)


def make_shard(folder, name, files):
    (folder / name).mkdir(parents=True)
    rows = [f"{file},3,{'0' * 64}" for file in sorted(files)]
    (folder / name / "manifest.csv").write_text("\n".join(["path,bytes,sha256", *rows]) + "\n")
    return folder / name / "manifest.csv"


def test_files_of_all_shards_by_id(tmp_path):
    first = make_shard(tmp_path, "0-of-2", ["b.png", "b.density.png", "images.csv"])
    second = make_shard(tmp_path, "1-of-2", ["a.png", "a.density.png", "sub/c.png"])
    assert shards.files([first, second], ".png") == {
        "a": tmp_path / "1-of-2/a.png",
        "b": tmp_path / "0-of-2/b.png",
    }
    assert list(shards.files([first, second], ".density.png")) == ["a", "b"]


def test_duplicate_ids_are_named(tmp_path):
    manifests = [make_shard(tmp_path, name, ["a.png"]) for name in ("0-of-2", "1-of-2")]
    with pytest.raises(BismapError, match="duplicate"):
        shards.files(manifests, ".png")


def test_tables_of_all_shards(tmp_path):
    manifests = [make_shard(tmp_path, name, ["t.csv"]) for name in ("0-of-2", "1-of-2")]
    assert shards.tables(manifests, "t.csv") == [tmp_path / "0-of-2/t.csv", tmp_path / "1-of-2/t.csv"]
    with pytest.raises(BismapError, match=r"0-of-2/manifest\.csv: the shard holds no file u\.csv"):
        shards.tables(manifests, "u.csv")


def test_foreign_manifest_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    for manifest in (tmp_path / "x.csv", tmp_path / "gone.csv"):
        with pytest.raises(BismapError, match=r"\.csv: not a manifest"):
            shards.files([manifest], ".png")
