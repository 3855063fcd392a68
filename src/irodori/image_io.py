"""The only module that reads and writes image files.

Reads PNG, JPEG, WebP, TIFF and BMP, told apart by their content, into `irodori.image.Pixels`; writes the same formats.
A picture that cannot be used raises `InputError` with one sentence: which file, what is wrong, what to do.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import secrets
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from irodori.errors import FormatError, InputError, SizeError
from irodori.image import Pixels

logger = logging.getLogger(__name__)

ImageSource = str | Path | bytes | Image.Image | NDArray[Any]
"""Whatever `read_image` takes: a path, the bytes of a file, a PIL image or an array."""

MIN_SHORT_SIDE, MIN_LONG_SIDE = 17, 31
MAX_PIXELS = 8000 * 8000

_FORMAT_OF_SUFFIX = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_FORMATS = tuple(dict.fromkeys(_FORMAT_OF_SUFFIX.values()))
_FORMAT_NAMES = "PNG, JPEG, WebP, TIFF or BMP"
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 4},  # a third of the time of the default for files 8 % larger
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
}
_GIVEN = "the given image"
_IMAGE_DESCRIPTION = 270  # EXIF and TIFF tag
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF tag and its value

supported_suffixes = tuple(_FORMAT_OF_SUFFIX)
"""Lower-case file suffixes that `read_image` and `write_image` know, each with its dot."""


# --- reading ---------------------------------------------------------------------------------------------------------


def read_image(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """A picture as uint8 ``(H, W, 3)`` sRGB, or ``(H, W, 4)`` with straight alpha if some pixel is not opaque.

    Files: any bit depth and color mode of the five formats, upright by EXIF, brought to sRGB by their ICC profile.
    Arrays: uint8, or floats in [0, 1]; ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``; they are copied.
    Sizes from 17x31 (either way round) to `max_pixels` in all, checked before anything is decoded.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Image.Image):
        with _explained(_GIVEN):
            return _from_picture(source, _GIVEN, max_pixels)
    name, file = _open_source(source)
    with file, _explained(name), Image.open(file, formats=_FORMATS) as image:
        return _from_picture(image, name, max_pixels)


def read_metadata(path: str | Path) -> dict[str, str]:
    """What `write_image` was given as `metadata`; of other programs, only the texts in a PNG are shown."""
    name, file = _open_source(path)
    with file, _explained(name), Image.open(file, formats=_FORMATS) as image:
        if isinstance(image, PngImagePlugin.PngImageFile):
            _check_not_too_large(image.size, name, MAX_PIXELS)
            return {str(key): str(value) for key, value in image.text.items()}
        return _parse_description(image.getexif().get(_IMAGE_DESCRIPTION))


def list_images(folder: str | Path) -> list[Path]:
    """The image files directly in `folder` by suffix, hidden ones left out, sorted so that 2 comes before 10."""
    folder = Path(folder)
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in supported_suffixes and path.is_file()]
    except FileNotFoundError:
        raise InputError(f"{folder} does not exist: check the path of the folder") from None
    except NotADirectoryError:
        raise InputError(f"{folder} is a file, not a folder: give the folder that holds the images") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} cannot be listed ({_reason(error)}): check its path and permissions") from error
    return sorted((path for path in found if not path.name.startswith(".")), key=_natural_key)


def _natural_key(path: Path) -> tuple[list[str | int], str]:
    parts = re.split(r"(\d+)", path.stem.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _open_source(source: str | Path | bytes) -> tuple[str, BinaryIO]:
    """The name for messages and an open, non-empty file."""
    file: BinaryIO
    if isinstance(source, bytes):
        name, file = _GIVEN, io.BytesIO(source)
    elif isinstance(source, str | Path):
        name, file = str(source), _open_file(Path(source))
    else:
        raise InputError(
            f"an image cannot be read from {type(source).__name__}: give a path, bytes, a PIL image or a NumPy array"
        )
    if not file.read(1):
        file.close()
        raise InputError(f"{name} is empty (0 bytes): copy or export it again")
    file.seek(0)
    return name, file


def _open_file(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give one image file")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is a device or a pipe: give an image file")
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check the path of the image") from None
    except PermissionError:
        raise InputError(f"{path} may not be read: change its permissions or copy it to a folder of yours") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be opened ({_reason(error)}): check the path of the image") from error


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turns whatever a decoder raises into one `InputError`, and keeps its warnings off the user's terminal."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\b")
            yield
    except InputError:
        raise
    except UnidentifiedImageError:
        raise FormatError(
            f"{name} is not a readable {_FORMAT_NAMES} picture, whatever its name says: export it again as PNG"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise SizeError(f"{name} claims to be far too large to decode: shrink it or export it again") from error
    except Exception as error:  # a damaged file can raise anything in a decoder, from struct.error to ZeroDivisionError
        raise InputError(f"{name} is damaged or incomplete ({_reason(error)}): copy or export it again") from error


def _reason(error: BaseException) -> str:
    """The cause in a few words on one line, without the path that the message already names."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:120]


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    """`size` is ``(width, height)``, as artists say it."""
    width, height = size
    if min(size) < MIN_SHORT_SIDE or max(size) < MIN_LONG_SIDE:
        raise InputError(
            f"{name} is {width}×{height} pixels: too small, give a picture of at least {MIN_SHORT_SIDE}×{MIN_LONG_SIDE}"
        )
    _check_not_too_large(size, name, max_pixels)


def _check_not_too_large(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise SizeError(
            f"{name} is {width}×{height} pixels: more than the limit of {max_pixels / 1e6:g} million pixels, shrink it"
        )


def _from_array(array: NDArray[Any], max_pixels: int) -> Pixels:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise InputError(f"the given array has shape {array.shape}: give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    _check_size((array.shape[1], array.shape[0]), "the given array", max_pixels)
    levels = _array_levels(array).reshape(*array.shape[:2], channels)
    if channels == 1:
        return np.repeat(levels, 3, axis=2)
    return _without_opaque_alpha(np.array(levels))


def _array_levels(array: NDArray[Any]) -> Pixels:
    """uint8 as it is; floats in [0, 1] to 0…255, rounded to the nearest level."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise InputError(f"the given array is {array.dtype}: give uint8, or floats in [0, 1]")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0.0 and high <= 1.0):  # written so that NaN fails as well
        raise InputError(f"the given array has values from {low:g} to {high:g}: give floats in [0, 1], or uint8")
    return np.rint(array.astype(np.float32) * 255.0).astype(np.uint8)


def _without_opaque_alpha(pixels: Pixels) -> Pixels:
    """``(H, W, 4)`` to ``(H, W, 3)`` when every pixel is opaque."""
    if pixels.shape[2] == 4 and pixels[..., 3].min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    return pixels


def _from_picture(image: Image.Image, name: str, max_pixels: int) -> Pixels:
    _check_size(image.size, name, max_pixels)
    # An MPO is a photo with a depth or gain map behind it, as many phones write; its first picture is the photo.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise InputError(f"{name} is animated or has several pages: save the one frame you want as PNG")
    upright = _upright(image, name)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        color, alpha = _split_deep_gray(upright, name, inverted=_is_white_zero(image))
    else:
        color, alpha = _split_alpha(upright)
    rgb = np.array(_to_srgb(color, image.info.get("icc_profile"), name))
    if alpha is None:
        return rgb
    return _without_opaque_alpha(np.dstack([rgb, np.asarray(alpha)]))


def _upright(image: Image.Image, name: str) -> Image.Image:
    """The decoded picture, turned as its EXIF says."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # EXIF is a foreign format inside the file; the picture is good without it
        logger.warning("%s: its EXIF data is broken and was ignored (%s)", name, _reason(error))
        return image


def _is_white_zero(image: Image.Image) -> bool:
    """Whether a TIFF stores white as 0, which Pillow undoes for 8 bits but not for 16."""
    return image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _split_deep_gray(image: Image.Image, name: str, *, inverted: bool) -> tuple[Image.Image, Image.Image | None]:
    """A 16-bit, integer or float gray picture as 8-bit gray and its alpha."""
    values = np.asarray(image)
    levels = _float_levels(values, name) if image.mode == "F" else _integer_levels(values, name)
    key = image.info.get("transparency")
    alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)) if isinstance(key, int) else None
    return Image.fromarray(255 - levels if inverted else levels), alpha


def _integer_levels(values: NDArray[Any], name: str) -> Pixels:
    """0…65535 to 0…255, rounded to the nearest level."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise InputError(f"{name} has gray values from {low} to {high}: save it with 8 or 16 bits per channel")
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _float_levels(values: NDArray[Any], name: str) -> Pixels:
    """Floats to 0…255.  Such files do not state their white; the least of 1, 255 and 65535 that fits is taken."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= 65535.0):  # written so that NaN fails as well
        raise InputError(f"{name} has gray values from {low:g} to {high:g}: save it with 8 or 16 bits per channel")
    white = next(white for white in (1.0, 255.0, 65535.0) if high <= white)
    return np.rint(values * (255.0 / white)).astype(np.uint8)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture in L, RGB, CMYK or LAB, which ICC profiles are made for, and its alpha (L)."""
    if image.mode == "La":  # premultiplied; Pillow has no direct way from it to RGBA
        image = image.convert("LA")
    opaque_mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return rgba.convert(opaque_mode), rgba.getchannel("A")
    return (image if image.mode in ("CMYK", "LAB") else image.convert(opaque_mode)), None


def _to_srgb(color: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """L, RGB, CMYK or LAB to RGB, by the file's ICC profile if it has a usable one."""
    if profile:
        try:
            return _apply_profile(color, profile)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
            logger.warning("%s: its color profile is broken and was ignored (%s)", name, _reason(error))
    return color.convert("RGB")


def _apply_profile(color: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space == "RGB " and color.mode == "L":
        color = color.convert("RGB")
    # The many sRGB profiles differ in the last digits; converting between them would only move levels by one.
    if color.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).casefold():
        return color
    converted = ImageCms.profileToProfile(color, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # None is for in-place conversion only
    return converted


# --- between forms ---------------------------------------------------------------------------------------------------


def over_paper(pixels: Pixels) -> Pixels:
    """``(H, W, 4)`` laid over white, ``(H, W)`` gray or ``(H, W, 3)``: always ``(H, W, 3)`` RGB."""
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    mixed = pixels[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def to_gray(pixels: Pixels) -> Pixels:
    """``(H, W)`` luma (Rec. 601) of the picture over white paper; gray stays exactly as it is."""
    if pixels.ndim == 2:
        return pixels
    return np.asarray(cv2.cvtColor(over_paper(pixels), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_image(path: str | Path, pixels: Pixels, metadata: Mapping[str, str] = {}) -> None:
    """Writes uint8 ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` in the format of the suffix, whole or not at all.

    All formats but JPEG (quality 95, 4:4:4) keep every level; JPEG and BMP cannot hold alpha and get it over white.
    `metadata` becomes one text chunk per key in PNG, and JSON in the EXIF ImageDescription of JPEG, WebP and TIFF;
    BMP has no place for it.  Folders are not created.
    """
    path = Path(path)
    format_name = _format_for(path)
    _check_writable_pixels(pixels)
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written because the folder {path.parent} does not exist: create it first")
    try:
        data = _encode(pixels, format_name, metadata)
    except Exception as error:  # encoders refuse with many types: too large for WebP, too much metadata for JPEG, …
        raise InputError(f"{path} cannot be encoded ({_reason(error)}): choose another format, such as .png") from error
    write_whole(path, data)


def _format_for(path: Path) -> str:
    try:
        return _FORMAT_OF_SUFFIX[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f"{path} has the unknown suffix {path.suffix!r}: use one of {' '.join(supported_suffixes)}"
        ) from None


def _check_writable_pixels(pixels: Pixels) -> None:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in (1, 3, 4) or pixels.size == 0:
        raise InputError(
            f"an array of {pixels.dtype} with shape {pixels.shape} cannot be written: "
            "give uint8 (H, W), (H, W, 3) or (H, W, 4)"
        )


def _encode(pixels: Pixels, format_name: str, metadata: Mapping[str, str]) -> bytes:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and format_name in ("JPEG", "BMP"):
        pixels = over_paper(pixels)
    options = {**_SAVE_OPTIONS[format_name], **_metadata_options(format_name, metadata)}
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format_name, **options)
    return buffer.getvalue()


def _metadata_options(format_name: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The argument of `PIL.Image.Image.save` that carries the metadata."""
    if not metadata or format_name == "BMP":
        return {}
    if format_name == "PNG":
        return {"pnginfo": _text_chunks(metadata)}
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = json.dumps(dict(metadata))  # ASCII, as the tag demands
    return {"exif": exif}


def _text_chunks(metadata: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        if not (1 <= len(key) <= 79 and key.isascii() and key.isprintable()):
            raise ValueError(f"the metadata key {key!r} is not 1 to 79 printable ASCII characters")
        chunks.add_text(key, value)
    return chunks


def _parse_description(text: object) -> dict[str, str]:
    """The metadata in an ImageDescription; empty if another program wrote it."""
    try:
        found = json.loads(str(text))
    except ValueError:
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return {}
    return found


def write_whole(path: Path, data: bytes) -> None:
    """Writes beside the target and renames, so that no reader and no crash sees half a file."""
    temporary = path.with_name(f".irodori-{secrets.token_hex(8)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be written ({_reason(error)}): choose another name or a folder with space and permission"
        ) from error


def read_stored(path: Path, gray: bool) -> Pixels:
    """Reads a picture that `write_image` stored, quickly: ``(H, W)`` if `gray`, else ``(H, W, 3)`` RGB.

    For data sets, whose files were checked when they were prepared; any other picture goes through `read_image`.
    """
    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread: on Windows it cannot open names beyond ASCII
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): prepare the data set again") from error
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise InputError(f"{path} is damaged: prepare the data set again")
    return np.asarray(image if gray else cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
