"""Reading and writing image files: every kind comes in right, every failure says what to do."""

import io
import logging
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from irodori import image_io
from irodori.errors import InputError
from irodori.image_io import (
    list_images,
    over_paper,
    read_image,
    read_metadata,
    supported_suffixes,
    to_gray,
    write_image,
)

HEIGHT, WIDTH = 24, 40
RED, HALF_RED = (255, 0, 0), (255, 0, 0, 128)


def _noise(channels: int = 3, *, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _encoded(image: Image.Image, format_name: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def _message(source, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_image(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- what comes in ---------------------------------------------------------------------------------------------------


def test_a_file_is_the_same_by_path_text_bytes_and_picture(tmp_path):
    path = tmp_path / "彩り ß.png"
    path.write_bytes(_encoded(Image.fromarray(_noise())))
    for source in (path, str(path), path.read_bytes(), Image.open(path)):
        pixels = read_image(source)
        assert pixels.dtype == np.uint8
        assert pixels.flags.writeable
        np.testing.assert_array_equal(pixels, _noise())


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_by_content_under_any_name(tmp_path, format_name):
    path = tmp_path / "picture.dat"
    path.write_bytes(_encoded(Image.fromarray(_noise()), format_name))
    np.testing.assert_array_equal(read_image(path), _noise())


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
def test_lossy_formats_keep_a_flat_color(format_name):
    flat = Image.new("RGB", (WIDTH, HEIGHT), (200, 100, 50))
    difference = read_image(_encoded(flat, format_name)).astype(int) - (200, 100, 50)
    assert np.abs(difference).max() <= 4


@pytest.mark.parametrize("mode", ["1", "L"])
def test_gray_modes(mode):
    gray = Image.fromarray(_noise(1)).convert(mode)
    expected = np.repeat(np.asarray(gray.convert("L"))[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(_encoded(gray)), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_real_transparency_is_kept(mode):
    picture = Image.fromarray(_noise(4)).convert(mode)
    np.testing.assert_array_equal(read_image(_encoded(picture)), np.asarray(picture.convert("RGBA")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_alpha_is_dropped(mode):
    picture = Image.fromarray(_noise()).convert(mode)
    np.testing.assert_array_equal(read_image(_encoded(picture)), np.asarray(picture.convert("RGB")))


def test_a_palette():
    picture = Image.fromarray(_noise()).quantize(16)
    np.testing.assert_array_equal(read_image(_encoded(picture)), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("transparency", [0, bytes([0, 128, 255])])
def test_a_palette_with_transparency(transparency):
    picture = Image.new("P", (WIDTH, HEIGHT), 2)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.paste(0, (0, 0, 10, 10))
    pixels = read_image(_encoded(picture, transparency=transparency))
    assert pixels.shape == (HEIGHT, WIDTH, 4)
    assert tuple(pixels[0, 0]) == (0, 0, 0, 0)
    assert tuple(pixels[-1, -1]) == (0, 255, 0, 255)


@pytest.mark.parametrize(("mode", "key", "other"), [("L", 7, 97), ("RGB", (7, 7, 7), (97, 97, 97))])
def test_a_transparent_color(mode, key, other):
    picture = Image.new(mode, (WIDTH, HEIGHT), key)
    picture.paste(other, (0, 0, 10, 10))
    pixels = read_image(_encoded(picture, transparency=key))
    assert tuple(pixels[0, 0]) == (97, 97, 97, 255)
    assert pixels[10, 20, 3] == 0


GRAY_16 = np.linspace(0, 65535, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)
GRAY_16_AS_8 = np.repeat(np.rint(GRAY_16 / 257.0).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(("format_name", "options"), [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})])
def test_16_bit_gray_is_scaled(format_name, options):
    np.testing.assert_array_equal(read_image(_encoded(Image.fromarray(GRAY_16), format_name, **options)), GRAY_16_AS_8)


def test_16_bit_big_endian_tiff():
    picture = Image.frombytes("I;16B", (WIDTH, HEIGHT), GRAY_16.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_image(_encoded(picture, "TIFF")), GRAY_16_AS_8)


def test_16_bit_tiff_whose_white_is_zero():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    data = bytearray(_encoded(Image.fromarray(GRAY_16), "TIFF", tiffinfo=tags))
    entry = data.index(struct.pack("<HHI", 262, 3, 1))
    data[entry + 8] = 0
    np.testing.assert_array_equal(read_image(bytes(data)), 255 - GRAY_16_AS_8)


def test_integer_gray_is_16_bit_gray():
    np.testing.assert_array_equal(read_image(_encoded(Image.fromarray(GRAY_16.astype(np.int32)), "TIFF")), GRAY_16_AS_8)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_gray(white):
    picture = Image.fromarray((GRAY_16 / 65535.0 * white).astype(np.float32))
    difference = read_image(_encoded(picture, "TIFF")).astype(int) - GRAY_16_AS_8
    assert np.abs(difference).max() <= (1 if white == 255.0 else 0)  # 255: float32 moves ties


@pytest.mark.parametrize("value", [-1, 65536, 2**31 - 1])
def test_gray_values_of_no_known_scale_are_refused(value):
    picture = Image.fromarray(np.full((HEIGHT, WIDTH), value, np.int32))
    assert "8 or 16 bits" in _message(_encoded(picture, "TIFF"))


@pytest.mark.parametrize("value", [-0.5, np.nan, np.inf, 70000.0])
def test_float_gray_of_no_known_scale_is_refused(value):
    picture = Image.fromarray(np.full((HEIGHT, WIDTH), value, np.float32))
    assert "8 or 16 bits" in _message(_encoded(picture, "TIFF"))


def _png(header: bytes, rows: bytes, *, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_16_bit_rgb_png():
    row = b"\0" + struct.pack(">3H", 65535, 32896, 0) * WIDTH
    data = _png(struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0), row * HEIGHT)
    assert (read_image(data) == (255, 128, 0)).all()


def test_16_bit_gray_png_with_a_transparent_level():
    body = b"tRNS" + struct.pack(">H", 257)
    key = struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
    row = b"\0" + struct.pack(">2H", 257, 65535) * (WIDTH // 2)
    pixels = read_image(_png(struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 0, 0, 0, 0), row * HEIGHT, extra=key))
    assert tuple(pixels[0, 0]) == (1, 1, 1, 0)
    assert tuple(pixels[0, 1]) == (255, 255, 255, 255)


@pytest.mark.parametrize("format_name", ["JPEG", "TIFF"])
def test_cmyk(format_name):
    inked = Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0))
    pixels = read_image(_encoded(inked, format_name))
    assert np.abs(pixels.astype(int) - RED).max() <= 3


def test_ycbcr():
    red = Image.new("RGB", (WIDTH, HEIGHT), RED)
    ycbcr = red.convert("YCbCr")
    for source in (ycbcr, _encoded(red, "JPEG"), _encoded(ycbcr, "TIFF", compression="tiff_lzw")):
        assert np.abs(read_image(source).astype(int) - RED).max() <= 3


def test_lab_tiff():
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.new("RGB", (WIDTH, HEIGHT), (200, 100, 50)), to_lab)
    assert lab is not None
    assert np.abs(read_image(_encoded(lab, "TIFF")).astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize("mode", ["HSV", "RGBa", "La", "PA", "RGBX"])
def test_modes_that_only_programs_hand_over(mode):
    picture = Image.new("RGBA", (WIDTH, HEIGHT), (255, 255, 255, 255))
    via = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, "RGB")
    assert (read_image(picture.convert(via).convert(mode)) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(format_name, orientation):
    upright = np.full((32, 48, 3), 255, np.uint8)
    upright[:16, :24] = RED  # the upper left quarter
    # What the camera stored, so that `orientation` turns it upright.
    store = {2: "0h", 3: "2", 4: "0v", 5: "t", 6: "1", 7: "x", 8: "3"}.get(orientation, "0")
    stored = {
        "0": upright,
        "0h": upright[:, ::-1],
        "0v": upright[::-1],
        "1": np.rot90(upright),
        "2": np.rot90(upright, 2),
        "3": np.rot90(upright, 3),
        "t": upright.swapaxes(0, 1),
        "x": np.rot90(upright, 2).swapaxes(0, 1),
    }[store]
    exif = Image.Exif()
    exif[274] = orientation
    pixels = read_image(_encoded(Image.fromarray(np.ascontiguousarray(stored)), format_name, exif=exif))
    assert pixels.shape == (32, 48, 3)
    assert np.abs(pixels.astype(int) - upright)[4:-4:8, 4:-4:8].max() <= 12


def test_broken_exif_does_not_cost_the_picture():
    data = _encoded(Image.fromarray(_noise()), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(read_image(data), _noise())


# --- color profiles --------------------------------------------------------------------------------------------------


def _linear_profile() -> bytes:
    """An RGB profile with the primaries of sRGB, but linear light: its level 55 is about level 127 of sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            curve = b"curv" + bytes(4) + struct.pack(">I", 0)  # no entries: identity
            profile[offset : offset + min(size, len(curve))] = curve[:size]
        if name == b"desc":
            profile[offset : offset + size] = profile[offset : offset + size].replace(b"s\0R\0G\0B", b"x\0R\0G\0B")
    return bytes(profile)


def test_an_icc_profile_is_applied():
    picture = Image.new("RGB", (WIDTH, HEIGHT), (55, 55, 55))
    for format_name in ("PNG", "TIFF"):
        pixels = read_image(_encoded(picture, format_name, icc_profile=_linear_profile()))
        assert np.abs(pixels.astype(int) - 127).max() <= 2


def test_an_icc_profile_leaves_alpha_alone_and_works_for_gray():
    picture = Image.new("RGBA", (WIDTH, HEIGHT), (55, 55, 55, 55))
    pixels = read_image(_encoded(picture, icc_profile=_linear_profile()))
    assert np.abs(pixels.astype(int) - (127, 127, 127, 55)).max() <= 2
    pixels = read_image(_encoded(picture.convert("L"), icc_profile=_linear_profile()))
    assert np.abs(pixels.astype(int) - 127).max() <= 2


def test_an_srgb_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(read_image(_encoded(Image.fromarray(_noise()), icc_profile=profile)), _noise())


def test_a_broken_profile_is_ignored_with_a_warning(caplog):
    data = _encoded(Image.fromarray(_noise()), icc_profile=b"no profile at all")
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read_image(data), _noise())
    assert "color profile" in caplog.text


# --- arrays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1), (HEIGHT, WIDTH, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_arrays(shape, dtype):
    levels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    given = levels if dtype == np.uint8 else (levels / 255.0).astype(dtype)
    pixels = read_image(given)
    expected = levels.reshape(HEIGHT, WIDTH, -1)
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, (HEIGHT, WIDTH, 3)))
    pixels[:] = 1  # a copy: the caller's array stays
    assert levels.max() > 1


def test_arrays_with_alpha():
    np.testing.assert_array_equal(read_image(_noise(4)), _noise(4))
    opaque = np.dstack([_noise(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(opaque), _noise())


@pytest.mark.parametrize("shape", [(HEIGHT,), (HEIGHT, WIDTH, 2), (1, HEIGHT, WIDTH, 3), (3, HEIGHT, WIDTH), ()])
def test_arrays_of_other_shapes_are_refused(shape):
    assert "(H, W, 3)" in _message(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.bool_, np.complex64, object])
def test_arrays_of_other_types_are_refused(dtype):
    assert "uint8" in _message(np.zeros((HEIGHT, WIDTH, 3), dtype))


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, np.nan, np.inf])
def test_arrays_of_other_ranges_are_refused(value):
    array = np.zeros((HEIGHT, WIDTH, 3))
    array[3, 4] = value
    assert "[0, 1]" in _message(array)


# --- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(31, 17), (17, 31)])
def test_the_smallest_size_either_way_round(size):
    assert read_image(_encoded(Image.new("RGB", size))).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [(1, 1), (16, 31), (31, 16), (30, 30), (5000, 16)])
def test_smaller_pictures_are_refused_with_their_size(size):
    for source in (_encoded(Image.new("RGB", size)), np.zeros((size[1], size[0], 3), np.uint8)):
        message = _message(source)
        assert f"{size[0]}×{size[1]} pixels" in message
        assert "at least 17×31" in message


@pytest.mark.parametrize("side", [8001, 10_000, 50_000, 2**31 - 1])
def test_a_header_bomb_is_refused_before_decoding(side, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    data = _png(struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = _message(data)
    assert "large" in message or "64 million pixels" in message


def test_the_size_limit_is_an_argument():
    data = _encoded(Image.new("RGB", (100, 100)))
    assert "0.009999 million" in _message(data, max_pixels=9_999)
    assert "0.009999 million" in _message(np.zeros((100, 100), np.uint8), max_pixels=9_999)
    assert read_image(data, max_pixels=10_000).shape == (100, 100, 3)


# --- what does not come in -------------------------------------------------------------------------------------------


def test_missing_folder_and_empty(tmp_path):
    assert "missing.png does not exist" in _message(tmp_path / "missing.png")
    assert "is a folder" in _message(tmp_path)
    (tmp_path / "empty.png").touch()
    assert "empty.png is empty" in _message(tmp_path / "empty.png")
    assert "the given image is empty" in _message(b"")


@pytest.mark.parametrize("path", ["with\0nul.png", "x" * 5000])
def test_impossible_paths(path):
    assert "check the path" in _message(path)


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "locked.png"
    path.write_bytes(_encoded(Image.fromarray(_noise())))

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "locked.png may not be read" in _message(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "pipe" in _message(tmp_path / "pipe.png")


def test_text_renamed(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture at all, just some text")
    message = _message(tmp_path / "notes.png")
    assert "notes.png is not a readable PNG, JPEG, WebP, TIFF or BMP picture" in message


@pytest.mark.parametrize("format_name", ["GIF", "PPM", "ICO", "TGA"])
def test_unsupported_formats(format_name):
    assert "not a readable" in _message(_encoded(Image.fromarray(_noise()), format_name))


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_truncated(tmp_path, format_name):
    path = tmp_path / "half.png"
    data = _encoded(Image.fromarray(_noise(height=200, width=200)), format_name)
    path.write_bytes(data[: len(data) // 2])
    assert "half.png" in _message(path)


@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "TIFF"])
def test_animations_and_pages_are_refused(format_name):
    frames = [Image.fromarray(_noise()), Image.fromarray(255 - _noise())]
    data = _encoded(frames[0], format_name, save_all=True, append_images=frames[1:])
    message = _message(data)
    assert "animated or has several pages" in message
    assert "save the one frame" in message


def test_the_photo_of_a_phone_with_a_second_picture_is_read():
    frames = [Image.new("RGB", (WIDTH, HEIGHT), RED), Image.new("RGB", (WIDTH, HEIGHT))]
    pixels = read_image(_encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert np.abs(pixels.astype(int) - RED).max() <= 3


@pytest.mark.parametrize("source", [None, 3, ["a.png"], io.BytesIO()])
def test_other_sources_are_refused(source):
    assert "give a path" in _message(source)


# --- between forms ---------------------------------------------------------------------------------------------------


def test_over_paper():
    np.testing.assert_array_equal(over_paper(_noise()), _noise())
    assert over_paper(_noise(1)).shape == (HEIGHT, WIDTH, 3)
    picture = np.tile(np.array([HALF_RED, (0, 0, 0, 0), (9, 9, 9, 255)], np.uint8), (HEIGHT, 1, 1))
    expected = [(255, 127, 127), (255, 255, 255), (9, 9, 9)]
    np.testing.assert_array_equal(over_paper(picture), np.tile(np.array(expected, np.uint8), (HEIGHT, 1, 1)))


def test_over_paper_agrees_with_arithmetic_for_all_levels_and_alphas():
    level, alpha = np.meshgrid(np.arange(256), np.arange(256))
    picture = np.dstack([level, level, level, alpha]).astype(np.uint8)
    expected = level * (alpha / 255.0) + 255.0 * (1.0 - alpha / 255.0)
    assert np.abs(over_paper(picture)[..., 0] - expected).max() <= 0.5 + 1e-9


def test_to_gray_keeps_gray_and_uses_luma():
    levels = np.tile(np.arange(256, dtype=np.uint8), (HEIGHT, 1))
    np.testing.assert_array_equal(to_gray(levels), levels)
    np.testing.assert_array_equal(to_gray(over_paper(levels)), levels)
    assert to_gray(np.full((HEIGHT, WIDTH, 3), RED, np.uint8))[0, 0] == 76
    assert (to_gray(np.zeros((HEIGHT, WIDTH, 4), np.uint8)) == 255).all()


# --- writing ---------------------------------------------------------------------------------------------------------

METADATA = {"model": "scft-small", "irodori": '{"seed": 0}', "title": '彩り – "x"\n', "empty": ""}


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff", ".PNG"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lossless_round_trip(tmp_path, suffix, channels):
    pixels = _noise(channels)
    write_image(tmp_path / f"out{suffix}", pixels)
    expected = over_paper(pixels) if channels == 1 else pixels
    np.testing.assert_array_equal(read_image(tmp_path / f"out{suffix}"), expected)
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_bmp_and_jpeg_have_no_alpha(tmp_path, channels):
    pixels = np.full((HEIGHT, WIDTH, 4), HALF_RED, np.uint8)
    pixels = pixels[..., 0] if channels == 1 else pixels[..., :channels]
    write_image(tmp_path / "out.bmp", pixels)
    write_image(tmp_path / "out.jpg", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "out.bmp"), over_paper(pixels))
    assert np.abs(read_image(tmp_path / "out.jpg").astype(int) - over_paper(pixels)).max() <= 3


def test_jpeg_keeps_full_color_resolution(tmp_path):
    write_image(tmp_path / "out.jpeg", _noise())
    with Image.open(tmp_path / "out.jpeg") as image:
        assert {sampling[1:3] for sampling in image.layer} == {(1, 1)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("suffix", supported_suffixes)
def test_metadata_round_trip(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write_image(path, _noise(), METADATA)
    assert read_metadata(path) == ({} if suffix == ".bmp" else METADATA)
    assert read_image(path).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("suffix", supported_suffixes)
def test_no_metadata(tmp_path, suffix):
    write_image(tmp_path / f"out{suffix}", _noise())
    assert read_metadata(tmp_path / f"out{suffix}") == {}


@pytest.mark.parametrize("text", ["OLYMPUS DIGITAL CAMERA", "[1]", '{"shape": [1, 2]}', "3"])
def test_the_descriptions_of_other_programs_are_not_ours(tmp_path, text):
    exif = Image.Exif()
    exif[270] = text
    (tmp_path / "photo.jpg").write_bytes(_encoded(Image.fromarray(_noise()), "JPEG", exif=exif))
    assert read_metadata(tmp_path / "photo.jpg") == {}


def test_metadata_of_what_is_no_picture(tmp_path):
    (tmp_path / "notes.png").write_text("text")
    with pytest.raises(InputError, match=r"notes\.png"):
        read_metadata(tmp_path / "notes.png")
    (tmp_path / "bomb.png").write_bytes(_png(struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0), b""))
    with pytest.raises(InputError, match="9000×9000"):
        read_metadata(tmp_path / "bomb.png")


@pytest.mark.parametrize("key", ["", "x" * 80, "é", "a\0b"])
def test_keys_that_png_cannot_hold(tmp_path, key):
    with pytest.raises(InputError, match="metadata key"):
        write_image(tmp_path / "out.png", _noise(), {key: "value"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.gif", "out", "out.png.txt", ".png"])
def test_unknown_suffixes_are_refused_with_the_list(tmp_path, name):
    with pytest.raises(InputError, match=r"\.png \.jpg .*\.bmp"):
        write_image(tmp_path / name, _noise())


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((9, 9, 3)), np.zeros((9, 9, 2), np.uint8), np.zeros(9, np.uint8), np.zeros((0, 9, 3), np.uint8)],
)
def test_what_is_no_picture_is_not_written(tmp_path, pixels):
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / "out.png", pixels)


def test_failures_of_writing(tmp_path):
    with pytest.raises(InputError, match="create it first"):
        write_image(tmp_path / "missing" / "out.png", _noise())
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"folder\.png cannot be written"):
        write_image(tmp_path / "folder.png", _noise())
    with pytest.raises(InputError, match="another format"):
        write_image(tmp_path / "long.webp", np.zeros((1, 17_000), np.uint8))
    with pytest.raises(InputError, match="another format"):
        write_image(tmp_path / "out.jpg", _noise(), {"note": "x" * 70_000})
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize("number", [28, 30])  # no space left, read-only file system
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch, number):
    path = tmp_path / "out.png"
    write_image(path, _noise())

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(image_io.os, "replace", fail)
    with pytest.raises(InputError, match=os.strerror(number)):
        write_image(path, 255 - _noise())
    np.testing.assert_array_equal(read_image(path), _noise())
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_ordinary_permissions(tmp_path):
    write_image(tmp_path / "out.png", _noise())
    (tmp_path / "other").touch()
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "other").stat().st_mode


# --- folders ---------------------------------------------------------------------------------------------------------


def test_list_images_sorts_as_people_count(tmp_path):
    names = ["p10.png", "p2.PNG", "P1.jpg", "a.webp", "a2b.tif", "a10b.tiff", "01.bmp", "1.bmp"]
    for name in [*names, ".hidden.png", "notes.txt", "x.gif"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.name for path in list_images(tmp_path)]
    assert found == ["01.bmp", "1.bmp", "a.webp", "a2b.tif", "a10b.tiff", "P1.jpg", "p2.PNG", "p10.png"]


def test_list_images_of_what_is_no_folder(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        list_images(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not a folder"):
        list_images(tmp_path / "file")
