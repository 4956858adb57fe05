"""The cell store: round trip, shards, and every way it can be broken."""

import numpy as np
import pytest

from bismap.errors import BismapError
from bismap.extractor.cell_store import CHUNK_IMAGES, CellWriter, open_all, open_cells


def write(folder, ids, seed=0, grid=(2, 3), dim=5):
    cells = np.random.default_rng(seed).normal(size=(len(ids), grid[0] * grid[1], dim)).astype(np.float32)
    writer = CellWriter(folder, ids, grid, dim)
    for image in cells:
        writer.add(image)
    writer.close()
    return cells


def test_round_trip_over_several_chunks(tmp_path):
    ids = [f"image{i:03d}" for i in range(2 * CHUNK_IMAGES + 3)]
    cells = write(tmp_path / "cells.zarr", ids)
    shard = open_cells(tmp_path / "cells.zarr")
    assert (shard.ids, shard.grid) == (tuple(ids), (2, 3))
    read = list(shard.images())
    assert [image_id for image_id, _ in read] == ids
    np.testing.assert_array_equal(np.stack([image for _, image in read]), cells)


def test_cells_of_zero_are_no_missing_chunk(tmp_path):
    writer = CellWriter(tmp_path / "cells.zarr", ["a"], (1, 1), 2)
    writer.add(np.zeros((1, 2), np.float32))
    writer.close()
    assert next(iter(open_cells(tmp_path / "cells.zarr").images()))[1].sum() == 0


def test_same_cells_same_bytes(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, ["a", "b"])
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two


def chunk(folder):
    return folder / "features" / "c" / "0" / "0" / "0"


def test_missing_chunk(tmp_path):
    write(tmp_path / "cells.zarr", ["a"])
    chunk(tmp_path / "cells.zarr").unlink()
    with pytest.raises(BismapError, match="1 of 1 chunks are missing"):
        open_cells(tmp_path / "cells.zarr")


def test_flipped_byte(tmp_path):
    write(tmp_path / "cells.zarr", ["a"])
    file = chunk(tmp_path / "cells.zarr")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(BismapError, match="corrupt"):
        list(open_cells(tmp_path / "cells.zarr").images())


def test_cells_that_are_not_finite_name_their_image(tmp_path):
    writer = CellWriter(tmp_path / "cells.zarr", ["a", "b"], (1, 1), 2)
    writer.add(np.zeros((1, 2), np.float32))
    writer.add(np.array([[0, np.inf]], np.float32))
    writer.close()
    with pytest.raises(BismapError, match="image b are not finite"):
        list(open_cells(tmp_path / "cells.zarr").images())


def test_images_left_out_by_the_writer(tmp_path):
    writer = CellWriter(tmp_path / "cells.zarr", ["a", "b"], (1, 1), 2)
    writer.add(np.zeros((1, 2), np.float32))
    with pytest.raises(BismapError, match="cells of 1 images written, 2 expected"):
        writer.close()


def test_no_store(tmp_path):
    with pytest.raises(BismapError, match="no store of cell features"):
        open_cells(tmp_path / "cells.zarr")


def test_shards_that_do_not_fit_together(tmp_path):
    write(tmp_path / "one", ["a", "b"])
    write(tmp_path / "twice", ["b", "c"])
    write(tmp_path / "longer", ["d"], dim=6)
    write(tmp_path / "none", [])
    assert [shard.ids for shard in open_all([tmp_path / "one", tmp_path / "none"])] == [("a", "b"), ()]
    with pytest.raises(BismapError, match="image b is in another shard too"):
        open_all([tmp_path / "one", tmp_path / "twice"])
    with pytest.raises(BismapError, match="shards differ"):
        open_all([tmp_path / "one", tmp_path / "longer"])
    with pytest.raises(BismapError, match="no cell features were given"):
        open_all([tmp_path / "none"])
