import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from bismap.data.raw_labels import LabelMap, decode_raw_label, ranges
from bismap.errors import BismapError
from tests.fixtures.png import write_png

IDS = np.random.default_rng(0).integers(0, 35, (7, 9), dtype=np.uint8)
PALETTE = list(range(256)) * 3
label_maps = st.dictionaries(st.integers(0, 255), st.integers(0, 18) | st.just(255), min_size=1)


def decode(path, *encodings):
    return decode_raw_label(path.read_bytes(), encodings, path)


def test_palettised_ids(tmp_path):
    write_png(tmp_path / "a.png", IDS, PALETTE)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", "palette"), IDS)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_packed_palettes(tmp_path, bits):
    ids = IDS % (1 << bits)
    write_png(tmp_path / "a.png", ids, PALETTE, bits=bits)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", "palette"), ids)


def test_grey_ids(tmp_path):
    write_png(tmp_path / "a.png", IDS)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", "grey", "palette"), IDS)


def test_grey_of_few_bits_is_refused(tmp_path):
    # Readers stretch it: an id 1 of 4 bits would come out as 17.
    write_png(tmp_path / "a.png", IDS % 16, bits=4)
    with pytest.raises(BismapError, match="expected label ids as 8-bit grey PNG, found an 4-bit grey PNG"):
        decode(tmp_path / "a.png", "grey")


def synthia_label(ids):
    instances = np.full_like(ids, 40_000, dtype=np.uint16)
    return np.stack([ids.astype(np.uint16), instances, instances * 0], axis=2)


def test_16_bit_rgb_keeps_the_ids_that_pillow_loses(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, synthia_label(IDS))
    with Image.open(path) as image:
        assert not np.asarray(image)[..., 0].any()  # the trap: high bytes only
    np.testing.assert_array_equal(decode(path, "rgb16"), IDS)


def test_16_bit_rgb_of_another_encoder(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(synthia_label(IDS), level=9))
    np.testing.assert_array_equal(decode(tmp_path / "a.png", "rgb16"), IDS)


@pytest.mark.parametrize(
    ("pixels", "encodings"),
    [
        (IDS, ("palette",)),
        (IDS, ("rgb16",)),
        (np.stack([IDS] * 3, axis=2), ("rgb16",)),
        (synthia_label(IDS), ("grey", "palette")),
        (IDS.astype(np.uint16), ("grey",)),
    ],
)
def test_wrong_mode_is_named(tmp_path, pixels, encodings):
    write_png(tmp_path / "bad.png", pixels)
    with pytest.raises(BismapError, match=r"bad\.png: expected label ids as .* PNG, found an"):
        decode(tmp_path / "bad.png", *encodings)


@pytest.mark.parametrize(("encoding", "pixels"), [("palette", IDS), ("rgb16", synthia_label(IDS))])
def test_truncated_label_is_named(tmp_path, encoding, pixels):
    path = tmp_path / "cut.png"
    write_png(path, pixels, PALETTE if encoding == "palette" else None)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BismapError, match=r"cut\.png: cannot be decoded"):
        decode(path, encoding)


@given(label_maps, arrays(np.uint8, (5, 4)))
def test_mapping_is_the_dictionary_or_names_the_unknown_ids(classes, raw):
    unknown = sorted(set(raw.ravel().tolist()) - set(classes))
    if unknown:
        with pytest.raises(BismapError) as caught:
            LabelMap(classes).apply(raw, "label.png")
        assert str(caught.value).startswith(f"label.png: unknown label ids {ranges(unknown)};")
    else:
        expected = [[classes[int(value)] for value in row] for row in raw]
        np.testing.assert_array_equal(LabelMap(classes).apply(raw, "label.png"), expected)


@given(label_maps, st.data())
def test_counts_are_those_of_the_mapped_label(classes, data):
    raw = data.draw(arrays(np.uint8, (6, 5), elements=st.sampled_from(sorted(classes))))
    ids, pixels = np.unique(raw, return_counts=True)
    counts = LabelMap(classes).count(dict(zip(ids.tolist(), pixels.tolist(), strict=True)), 19)
    mapped = LabelMap(classes).apply(raw, "label.png")
    assert counts == tuple(int((mapped == c).sum()) for c in range(19))


def test_ids_above_255_are_unknown():
    raw = np.array([[3, 300], [255, 256]], np.uint16)
    with pytest.raises(BismapError, match="unknown label ids 256, 300"):
        LabelMap({3: 0, 255: 255}).apply(raw, "label.png")


def test_ranges():
    assert ranges([5, 3, 1, 2, 2, 255]) == "1-3, 5, 255"
