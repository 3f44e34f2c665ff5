"""AVIF, through Pillow: encoded at the quality that gives about the size it had.

The bundled codec works with 8 bits: 10- and 12-bit pictures in standard range are written with 8, HDR ones are not
written. Orientation is kept in the container (`irot`, `imir`), Exif and XMP are carried byte for byte.
"""

from __future__ import annotations

import io
from typing import Any

from numpy.typing import NDArray
from PIL import ExifTags, Image

from watermark.errors import UnsupportedError
from watermark.media import bmff, exif, guard, profile, xmp
from watermark.media.lossy import matching_quality
from watermark.media.picture import LossySource, Picture, Pixels

_HDR = (16, 18)  # PQ and HLG, H.273 table 3
_SPEED = 9  # 0.15 s per megapixel and core; 8 gains 0.3 dB in four times that


class _Verbatim(Image.Exif):
    """An Exif block that Pillow writes as it is: it would lay a block with an orientation out anew."""

    def __init__(self, block: bytes, turn: int) -> None:
        super().__init__()
        self[ExifTags.Base.Orientation] = turn
        self[ExifTags.Base.ImageDescription] = "kept, so that the block is not taken for empty"
        self.block = block

    def tobytes(self, offset: int = 8) -> bytes:
        return self.block


def read(data: bytes, max_pixels: int) -> Picture:
    """Decode an AVIF; see `Picture`."""
    items = bmff.read(data)
    image = guard.open_image(data, "AVIF", max_pixels)
    image.load()
    source = _source(items)
    if source.chroma == "4:0:0":
        image = image.convert("L")
    exif_item = items.first(b"Exif")
    block = exif.bare(items.content(data, exif_item)[4:]) if exif_item is not None else b""
    return Picture(
        media_type="image/avif",
        pixels=guard.samples(image),
        space="rgba" if image.mode == "RGBA" else "rgb" if image.mode == "RGB" else "grey",
        orientation=exif.orientation(exif.bare(image.info.get("exif", b""))),
        icc=image.info.get("icc_profile") or profile.for_primaries(source.nclx),
        exif=block,
        xmp=image.info.get("xmp", b""),
        source=source,
    )


def write(picture: Picture, pixels: Pixels, redact: frozenset[str], fineness: float) -> bytes:
    """Encode pixels as an AVIF like the one they came from."""
    source, places = picture.source, "gps" in redact
    assert isinstance(source, LossySource)
    if source.nclx and source.nclx[1] in _HDR:
        raise UnsupportedError("", "writing HDR AVIF")
    chroma = source.chroma

    def size(sample: NDArray[Any], quality: int) -> int:
        return len(_encoded(sample, quality=quality, subsampling=chroma, speed=_SPEED))

    return _encoded(
        pixels,
        quality=matching_quality(size, picture.pixels, source.coded_bytes * fineness, range(10, 101)),
        subsampling=chroma,
        speed=_SPEED,
        icc_profile=picture.icc,
        exif=_Verbatim(exif.carried(picture.exif, places=places), picture.orientation),
        xmp=xmp.pruned(picture.xmp, places=places),
    )


def _encoded(pixels: NDArray[Any], **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "AVIF", **options)
    return out.getvalue()


def _source(items: bmff.Items) -> LossySource:
    config, colour = items.property(b"av1C") or b"\x81\0\x0c\0", items.property(b"colr") or b""
    flags = config[2]  # AV1 in ISOBMFF §2.3.3
    depth = 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    chroma = "4:0:0" if flags & 0x10 else {0x00: "4:4:4", 0x08: "4:2:2"}.get(flags & 0x0C, "4:2:0")
    return LossySource(False, items.coded_bytes(), depth, chroma, _nclx(colour))


def _nclx(colour: bytes) -> tuple[int, int, int, int] | None:
    """Return the code points of a `colr` box of type nclx (ISO 14496-12 §12.1.5)."""
    if colour[:4] != b"nclx" or len(colour) < 11:
        return None
    primaries, transfer, matrix = (int.from_bytes(colour[at : at + 2]) for at in (4, 6, 8))
    return primaries, transfer, matrix, colour[10] >> 7
