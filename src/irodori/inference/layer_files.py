"""Files with layers: OpenRaster (``.ora``) and Photoshop (``.psd``), and what is written into them about their making.

OpenRaster: https://www.openraster.org (mimetype first and stored, stack.xml, mergedimage.png, thumbnail); the notes are
a member of their own, which the standard lets programs ignore.  Photoshop: the notes are XMP, which it keeps.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from irodori.errors import InputError, MissingPackageError
from irodori.image import Pixels, resize
from irodori.image_io import over_paper, read_image, read_metadata, write_whole
from irodori.inference.layers import Blend, Layer

if TYPE_CHECKING:
    from psd_tools import PSDImage

layer_suffixes = (".ora", ".psd")
"""Lower-case suffixes of the files that `write_layers` knows."""

NOTES = "irodori.json"
"""The member of an OpenRaster file that holds the notes."""
THUMBNAIL_PX = 256
MAX_NOTES = 1 << 24
"""Longest notes that are read, in bytes: nothing that we write comes near it."""

_SVG_BLENDS: Mapping[Blend, str] = {"normal": "svg:src-over", "multiply": "svg:multiply", "screen": "svg:screen"}
_NAMESPACE = "https://irodori.invalid/ns/1.0/"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same layers make the same file


def is_layered(path: str | Path) -> bool:
    """Whether the suffix is one of `layer_suffixes`."""
    return Path(path).suffix.lower() in layer_suffixes


def write_layers(path: str | Path, layers: Sequence[Layer], picture: Pixels, metadata: Mapping[str, str] = {}) -> None:
    """Writes layers, topmost first, whole or not at all; the suffix chooses the format.

    picture: ``(H, W, 3)``, what they look like together, for programs that show no layers.
    metadata: notes that `read_notes` finds again.
    Raises InputError for a path that cannot be written, MissingPackageError for PSD without its package.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written because the folder {path.parent} does not exist: create it first")
    encode = {".ora": _openraster, ".psd": _photoshop}.get(path.suffix.lower())
    if encode is None:
        raise InputError(f"{path} has no suffix of a file with layers: use one of {' '.join(layer_suffixes)}")
    write_whole(path, encode(layers, picture, metadata))


def read_notes(path: str | Path) -> dict[str, str]:
    """The metadata of a file that `write_layers` or `write_image` wrote; empty if another program wrote it.

    Raises InputError for a file that cannot be read.
    """
    path = Path(path)
    read = {".ora": _openraster_notes, ".psd": _photoshop_notes}.get(path.suffix.lower())
    if read is None:
        return read_metadata(path)
    try:
        return _parsed(read(path))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check the path of the picture") from None
    except (InputError, MissingPackageError):
        raise
    except Exception as error:  # a damaged file can raise anything in a decoder
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"{path} is damaged or no {path.suffix[1:].upper()} file ({reason}): export it again"
        ) from None


def read_picture(path: str | Path) -> Pixels:
    """A coloring as one picture ``(H, W, 3)``, whatever `Result.save` wrote it as; InputError if it cannot be read."""
    path = Path(path)
    if not is_layered(path):
        return over_paper(read_image(path))
    try:
        if path.suffix.lower() == ".ora":
            with zipfile.ZipFile(path) as archive:
                data = archive.read("mergedimage.png")
            return over_paper(read_image(data))
        return over_paper(read_image(_psd_tools().PSDImage.open(path).topil()))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged ({error}): color it again") from error


def _parsed(text: str) -> dict[str, str]:
    found = json.loads(text) if text else {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


# --- OpenRaster ------------------------------------------------------------------------------------------------------


def _openraster(layers: Sequence[Layer], picture: Pixels, metadata: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, "mimetype", b"image/openraster")
        _add(archive, "stack.xml", _stack(layers, picture.shape), packed=True)
        for number, layer in enumerate(layers):
            _add(archive, _source(number), _png(layer.pixels))
        _add(archive, "mergedimage.png", _png(picture))
        _add(archive, "Thumbnails/thumbnail.png", _png(_thumbnail(picture)))
        if metadata:
            _add(archive, NOTES, json.dumps(dict(metadata), ensure_ascii=False).encode(), packed=True)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes, *, packed: bool = False) -> None:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    archive.writestr(info, data)


def _source(number: int) -> str:
    return f"data/layer{number}.png"


def _stack(layers: Sequence[Layer], shape: tuple[int, ...]) -> bytes:
    size = {"w": str(shape[1]), "h": str(shape[0])}
    image = ElementTree.Element("image", {"version": "0.0.5", **size})
    stack = ElementTree.SubElement(image, "stack")
    for number, layer in enumerate(layers):
        about = {
            "name": layer.name,
            "src": _source(number),
            "x": "0",
            "y": "0",
            "opacity": "1.0",
            "visibility": "visible" if layer.visible else "hidden",
            "composite-op": _SVG_BLENDS[layer.blend],
        }
        ElementTree.SubElement(stack, "layer", about)
    ElementTree.indent(image)
    return ElementTree.tostring(image, encoding="UTF-8", xml_declaration=True)


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _thumbnail(picture: Pixels) -> Pixels:
    scale = min(1.0, THUMBNAIL_PX / max(picture.shape[:2]))
    return resize(picture, (max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))))


def _openraster_notes(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        if NOTES not in archive.namelist():
            return ""
        if archive.getinfo(NOTES).file_size > MAX_NOTES:
            raise ValueError(f"{NOTES} is too long")
        return archive.read(NOTES).decode("utf-8")


# --- Photoshop -------------------------------------------------------------------------------------------------------


def _photoshop(layers: Sequence[Layer], picture: Pixels, metadata: Mapping[str, str]) -> bytes:
    psd_tools = _psd_tools()
    from psd_tools.constants import BlendMode, Resource
    from psd_tools.psd.image_resources import ImageResource

    height, width = picture.shape[:2]
    document: PSDImage = psd_tools.PSDImage.new("RGBA", (width, height), color=(255, 255, 255, 255))  # type: ignore[arg-type]
    for layer in reversed(layers):
        blend = BlendMode[layer.blend.upper()]
        made = document.create_pixel_layer(Image.fromarray(layer.pixels), name="layer", blend_mode=blend)
        made.name, made.visible = layer.name, layer.visible  # not at creation, which takes only ASCII
    if metadata:
        resource = ImageResource(key=Resource.XMP_METADATA, data=_xmp(metadata))
        document.image_resources[Resource.XMP_METADATA] = resource
    record: Any = document._record  # its save() would composite all layers in Python for the preview, which we have
    planes = [*np.moveaxis(picture, 2, 0), np.full((height, width), 255, np.uint8)]
    record.image_data.set_data([plane.tobytes() for plane in planes], record.header)
    buffer = io.BytesIO()
    record.write(buffer)
    return buffer.getvalue()


def _psd_tools() -> Any:
    try:
        import psd_tools
    except ImportError as error:
        raise MissingPackageError("PSD files need one more package: pip install psd-tools") from error
    return psd_tools


def _xmp(metadata: Mapping[str, str]) -> bytes:
    """The notes as one attribute of an XMP packet."""
    notes = quoteattr(json.dumps(dict(metadata)))
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:irodori="{_NAMESPACE}" irodori:notes={notes}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _photoshop_notes(path: Path) -> str:
    psd_tools = _psd_tools()
    from psd_tools.constants import Resource

    data = psd_tools.PSDImage.open(path).image_resources.get_data(Resource.XMP_METADATA)
    if not data or len(data) > MAX_NOTES or _NAMESPACE.encode() not in data:
        return ""
    return _notes_of_xmp(ElementTree.fromstring(data.decode("utf-8-sig").strip("\x00")))


def _notes_of_xmp(packet: ElementTree.Element) -> str:
    """The notes as attribute, as we write them, or as element, as other programs write the same."""
    name = f"{{{_NAMESPACE}}}notes"
    attributes = (element.get(name) for element in packet.iter())
    elements = (element.text for element in packet.iter(name))
    return next((text for text in (*attributes, *elements) if text), "")
