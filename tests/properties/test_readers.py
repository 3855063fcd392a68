"""Whatever bytes arrive, reading gives a picture or an `InputError`; what was written comes back."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from irodori.errors import InputError
from irodori.image_io import read_image, read_metadata, write_image

HEIGHT, WIDTH = 18, 32
# Files of a few kilobytes, so that every position can be tried.
_SAVED = {
    "PNG": {},
    "JPEG": {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
}
_SIGNATURES = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"II*\0",
    b"MM\0*",
    b"BM",
    b"GIF89a",
    b"",
]


def _file(format_name: str) -> bytes:
    gradient = np.linspace(0, 255, HEIGHT * WIDTH * 3).astype(np.uint8).reshape(HEIGHT, WIDTH, 3)
    buffer = io.BytesIO()
    Image.fromarray(gradient // 8 * 8).save(buffer, format_name, **_SAVED[format_name])
    return buffer.getvalue()


def _assert_picture(pixels: np.ndarray) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] in (3, 4)
    assert min(pixels.shape[:2]) >= 17
    assert max(pixels.shape[:2]) >= 31


def _assert_picture_or_input_error(data: bytes) -> bool:
    """Returns whether it was a picture."""
    try:
        pixels = read_image(data, max_pixels=1_000_000)
    except InputError as error:
        message = str(error)
    else:
        _assert_picture(pixels)
        return True
    assert "the given image" in message
    assert "\n" not in message
    return False


@settings(max_examples=150, deadline=None)
@given(signature=st.sampled_from(_SIGNATURES), tail=st.binary(max_size=300))
def test_random_bytes(signature, tail):
    _assert_picture_or_input_error(signature + tail)


@pytest.mark.parametrize("format_name", _SAVED)
def test_truncated_at_every_position(format_name):
    data = _file(format_name)
    for length in range(len(data)):
        is_picture = _assert_picture_or_input_error(data[:length])
        assert not (is_picture and length < len(data) // 2)


@pytest.mark.parametrize("format_name", _SAVED)
@settings(max_examples=150, deadline=None)
@given(choice=st.data())
def test_flipped_bytes(format_name, choice):
    data = bytearray(_file(format_name))
    positions = choice.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=8))
    for position in positions:
        data[position] ^= choice.draw(st.integers(1, 255))
    _assert_picture_or_input_error(bytes(data))


@pytest.mark.parametrize("format_name", _SAVED)
def test_every_byte_of_the_header_set_to_extremes(format_name):
    data = _file(format_name)
    for position in range(min(len(data), 200)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            _assert_picture_or_input_error(data[:position] + bytes([value]) + data[position + 1 :])


_PIXELS = st.tuples(st.integers(17, 24), st.integers(31, 40), st.sampled_from([3, 4])).flatmap(
    lambda shape: arrays(np.uint8, shape)
)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
@settings(max_examples=40, deadline=None)
@given(pixels=_PIXELS)
def test_lossless_formats_return_what_was_written(suffix, pixels):
    if suffix == ".bmp" or (pixels.shape[2] == 4 and pixels[..., 3].min() == 255):
        pixels = pixels[..., :3]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture{suffix}"
        write_image(path, pixels)
        np.testing.assert_array_equal(read_image(path), pixels)


_KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=79)
_VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@settings(max_examples=30, deadline=None)
@given(metadata=st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_metadata_comes_back(suffix, metadata):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture{suffix}"
        write_image(path, np.zeros((17, 31, 3), np.uint8), metadata)
        assert read_metadata(path) == metadata
