"""What a decoded picture is: its samples as stored, and all that is needed to write it back the way it came.

Nothing here touches a codec; `JpegSource` … `HeifSource` record how a file was encoded, so that its successor can
be encoded alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
Rgb8: TypeAlias = NDArray[np.uint8]
Space: TypeAlias = Literal["grey", "rgb", "rgba", "cmyk"]

MAX_PIXELS = 200_000_000
"""Default limit: 200 megapixels, the largest phone sensors of today; 600 MB as 8-bit RGB."""

MARKABLE: frozenset[str] = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "image/heif", "image/tiff", "image/gif"}
)
"""Media types whose pixels `encode`, or for what moves `change_animation`, can write back."""

REDACTIONS: frozenset[str] = frozenset({"gps"})
"""What `encode` can take out of the metadata: where the picture was taken."""


@dataclass(frozen=True)
class Segment:
    """One JPEG marker segment: the byte after 0xFF, and the payload without its length field."""

    marker: int
    payload: bytes


@dataclass(frozen=True)
class JpegSource:
    """How a JPEG was encoded (ITU-T T.81).

    Attributes:
        tables: One quantisation table per component, 64 steps each in natural (row by row) order.
        sampling: (horizontal, vertical) factors per component (A.1.1).
        colour: How the components code colour: `grey`, `ycc`, `rgb`, `cmyk` or `ycck`.
        optimized: Huffman tables of its own rather than those of annex K.
        restart_interval: MCUs between restart markers, 0 for none.
        segments: APPn and COM segments in file order, byte for byte.
    """

    tables: tuple[tuple[int, ...], ...]
    sampling: tuple[tuple[int, int], ...]
    colour: Literal["grey", "ycc", "rgb", "cmyk", "ycck"]
    progressive: bool
    optimized: bool
    restart_interval: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class PngSource:
    """How a PNG was encoded (W3C PNG, third edition).

    Attributes:
        bit_depth: Of the file: 1, 2, 4, 8 or 16.
        colour_type: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA (§11.2.1).
        compress_level: zlib level, read off the two FLEVEL bits of the stream (RFC 1950 §2.2).
        before: Ancillary chunks ahead of the image data, (type, data), in file order.
        after: The same, behind the image data.
    """

    bit_depth: int
    colour_type: int
    compress_level: int
    before: tuple[tuple[bytes, bytes], ...]
    after: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class LossySource:
    """How a WebP, AVIF or HEIC was encoded, as far as its container tells.

    Attributes:
        lossless: Whether the samples were coded without loss.
        coded_bytes: Size of the coded picture, metadata left out; the target when it is encoded again.
        bit_depth: Per sample in the file.
        chroma: `4:2:0`, `4:2:2`, `4:4:4` or `4:0:0`.
        nclx: Colour code points (primaries, transfer, matrix, full range) of H.273, if the container has them.
        tile: Side of the grid tiles of a HEIC, 0 if it is coded in one piece.
    """

    lossless: bool
    coded_bytes: int
    bit_depth: int = 8
    chroma: str = "4:2:0"
    nclx: tuple[int, int, int, int] | None = None
    tile: int = 0


@dataclass(frozen=True)
class TiffTag:
    """One IFD entry: TIFF type code, and its value as bytes in little-endian order."""

    tag: int
    kind: int
    value: bytes


@dataclass(frozen=True)
class TiffSource:
    """How a TIFF was encoded (TIFF 6.0).

    Attributes:
        compression: Tag 259 of the file; what is written is 1 (none) for 1, otherwise 8 (Deflate): both lossless.
        tags: Descriptive tags of IFD0 that are carried over.
        exif_tags: Tags of the Exif IFD.
        gps_tags: Tags of the GPS IFD.
    """

    compression: int
    tags: tuple[TiffTag, ...]
    exif_tags: tuple[TiffTag, ...]
    gps_tags: tuple[TiffTag, ...]


Source: TypeAlias = JpegSource | PngSource | LossySource | TiffSource | None


@dataclass(frozen=True, eq=False)
class Picture:
    """One still picture, in stored orientation.

    Attributes:
        media_type: MIME type, from the bytes.
        pixels: Samples as stored, read-only: uint8 or uint16, shape (H, W) for grey, (H, W, 3) for RGB, (H, W, 4) for
            RGBA or CMYK; `space` says which. Grey + alpha is held as RGBA with equal channels, and a palette as RGB
            or RGBA. Bilevel and 2- or 4-bit grey become 8-bit grey. 10- and 12-bit samples are scaled to uint16.
            CMYK counts ink, 0 = none, whatever the file's polarity (Adobe writes JPEGs inverted).
        space: What the channels mean.
        orientation: EXIF orientation, 1–8, that makes the stored pixels upright (Exif 3.0, tag 0x0112).
        icc: ICC profile, or empty: sRGB is assumed.
        exif: Exif block, from its byte-order mark on, without "Exif\\0\\0"; or empty. For TIFF see `source`.
        xmp: XMP packet, or empty.
        source: How the file was encoded; None for types that are only read (GIF, BMP).
    """

    media_type: str
    pixels: Pixels
    space: Space
    orientation: int = 1
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    source: Source = None

    @property
    def width(self) -> int:
        """Pixels from left to right when upright."""
        return int(self.pixels.shape[0 if self.orientation >= 5 else 1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom when upright."""
        return int(self.pixels.shape[1 if self.orientation >= 5 else 0])
