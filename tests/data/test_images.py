import io

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bismap.data.classes import CITYSCAPES, ClassSet
from bismap.data.images import (
    decode_image,
    decode_indexed,
    read_gray8,
    read_gray16,
    read_image,
    read_png_label,
    resize_label,
    write_gray8,
    write_gray16,
    write_image,
    write_label,
)
from bismap.errors import BismapError
from tests.fixtures.png import write_png

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (13, 17), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (13, 17), dtype=np.uint16)
LABEL = RNG.choice(np.array([*range(19), 255], np.uint8), (13, 17))


def test_image_read_as_another_library_writes_it(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


def test_image_written_as_another_library_reads_it(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), RGB)


def test_jpeg_is_what_pillow_decodes(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), np.asarray(image))


@pytest.mark.parametrize("mode", ["RGBA", "L", "P"])
def test_other_8_bit_photographs_become_rgb(tmp_path, mode):
    picture = Image.fromarray(RGB).convert(mode)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(picture.convert("RGB")))


def test_resize_is_pillows_bilinear(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    expected = np.asarray(Image.fromarray(RGB).resize((9, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", (9, 20)), expected)


def test_read_at_native_size_is_untouched(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", (17, 13)), RGB)


def test_resized_label_takes_the_nearest_pixel():
    enlarged = resize_label(LABEL, (17 * 3, 13 * 3))
    np.testing.assert_array_equal(enlarged, LABEL.repeat(3, axis=0).repeat(3, axis=1))


def test_label_round_trip_and_palette(tmp_path):
    write_label(tmp_path / "a.png", LABEL, CITYSCAPES.palette())
    np.testing.assert_array_equal(read_png_label(tmp_path / "a.png"), LABEL)
    colors = np.array(CITYSCAPES.palette()).reshape(256, 3)
    shown = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())  # libpng applies the palette
    np.testing.assert_array_equal(shown[..., :3], colors[LABEL])


@pytest.mark.parametrize(
    ("write", "read", "values"), [(write_gray8, read_gray8, GREY), (write_gray16, read_gray16, GREY16)]
)
def test_grey_round_trips_and_another_library_reads_it(tmp_path, write, read, values):
    write(tmp_path / "a.png", values)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), values)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), values)


@pytest.mark.parametrize(("read", "values"), [(read_gray8, GREY), (read_gray16, GREY16)])
def test_grey_read_as_another_library_writes_it(tmp_path, read, values):
    write_png(tmp_path / "a.png", values)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), values)


@pytest.mark.parametrize("read", [read_png_label, read_gray8, read_gray16])
def test_wrong_kind_of_png_is_named(tmp_path, read):
    write_image(tmp_path / "picture.png", RGB)
    with pytest.raises(BismapError, match=r"picture\.png: expected an .* found an 8-bit RGB PNG"):
        read(tmp_path / "picture.png")


@pytest.mark.parametrize(
    ("write", "values"),
    [(write_image, GREY), (write_gray8, RGB), (write_gray8, GREY16), (write_gray16, GREY)],
)
def test_wrong_array_is_refused(tmp_path, write, values):
    with pytest.raises(BismapError, match="expected uint"):
        write(tmp_path / "a.png", values)


def test_label_writer_refuses_a_short_palette(tmp_path):
    with pytest.raises(BismapError, match="expected 768"):
        write_label(tmp_path / "a.png", LABEL, [0, 0, 0])


def test_16_bit_grey_is_no_photograph(tmp_path):
    write_gray16(tmp_path / "a.png", GREY16)
    with pytest.raises(BismapError, match=r"a\.png: .*expected 8-bit RGB"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_photograph_is_named(tmp_path, kind):
    whole = io.BytesIO()
    Image.fromarray(RGB).save(whole, kind)
    (tmp_path / "cut").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(BismapError, match="cut: cannot be decoded"):
        read_image(tmp_path / "cut")


def test_missing_and_foreign_files_are_named(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(BismapError, match=r"gone\.png: cannot be read"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(BismapError, match=r"text\.png: cannot be decoded"):
        read_image(tmp_path / "text.png")
    with pytest.raises(BismapError, match=r"text\.png: not a PNG"):
        read_png_label(tmp_path / "text.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@given(flips=st.lists(st.tuples(st.integers(0, 399), st.integers(1, 255)), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_decode_or_are_named(kind, flips, tmp_path_factory):
    whole = io.BytesIO()
    Image.fromarray(RGB[:6, :8]).save(whole, kind)
    data = bytearray(whole.getvalue())
    for position, change in flips:
        data[position % len(data)] ^= change
    for decode in (decode_image, decode_indexed):
        try:
            decode(bytes(data), tmp_path_factory.getbasetemp() / "damaged")
        except BismapError as error:
            assert "damaged" in str(error)  # noqa: PT017 - most damage is found, some is not


def test_palette_of_a_class_set():
    palette = ClassSet(("a", "b"), ((1, 2, 3), (4, 5, 6))).palette()
    assert palette == [1, 2, 3, 4, 5, 6] + [0] * 762
    assert len(CITYSCAPES) == len(CITYSCAPES.colors) == 19
