"""Small pictures, and the metadata that clings to them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

LATITUDE, LONGITUDE = 4_785_123, 1_326_417  # the seconds of a place, as rationals over 1,000: easy to find in bytes


def scene(height: int = 48, width: int = 64, channels: int = 3, *, deep: bool = False) -> NDArray[Any]:
    """Make a smooth picture with some texture; 16 bits if deep; (H, W) for one channel."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 90 * np.sin(x / (7 + 3 * c) + y / (11 - c)) + 8 * np.sin(x * y / 17) for c in range(channels)]
    smooth = np.clip(np.stack(planes, axis=-1), 0, 255)
    pixels = (smooth * 257).astype(np.uint16) if deep else smooth.astype(np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def exif_block(order: str = "<", *, orientation: int = 1, gps: bool = True, thumbnail: bool = True) -> bytes:
    """Build an Exif block: IFD0, Exif IFD with a maker note, GPS IFD, and IFD1 with a JPEG thumbnail at its end."""
    s = lambda code, *v: struct.pack(order + code, *v)  # noqa: E731
    make, note = b"Colophon\0\0", b"maker note that stays"
    rationals = s("IIIIII", 47, 1, 51, 1, LATITUDE, 1000), s("IIIIII", 13, 1, 24, 1, LONGITUDE, 1000)
    shot = io.BytesIO()
    Image.new("RGB", (16, 12), (200, 40, 90)).save(shot, "JPEG")
    count = 4 if gps else 3
    exif_at = 8 + 2 + 12 * count + 4 + len(make)
    gps_at = exif_at + 2 + 24 + 4 + len(note)
    first_at = gps_at + (2 + 12 * 4 + 4 + 48 if gps else 0)
    shot_at = first_at + 2 + 24 + 4
    out = s("2sHI", b"II" if order == "<" else b"MM", 42, 8) + s("H", count)
    out += s("HHII", 0x010F, 2, len(make), 8 + 2 + 12 * count + 4)
    out += s("HHIHH", 0x0112, 3, 1, orientation, 0)
    out += s("HHII", 0x8769, 4, 1, exif_at)
    out += s("HHII", 0x8825, 4, 1, gps_at) if gps else b""
    out += s("I", first_at if thumbnail else 0) + make
    out += s("H", 2) + s("HHII", 0x927C, 7, len(note), gps_at - len(note)) + s("HHI4s", 0x9000, 7, 4, b"0300") + s("I", 0)
    out += note
    if gps:
        values = gps_at + 2 + 12 * 4 + 4
        out += s("H", 4) + s("HHI4s", 1, 2, 2, b"N\0\0\0") + s("HHII", 2, 5, 3, values)
        out += s("HHI4s", 3, 2, 2, b"E\0\0\0") + s("HHII", 4, 5, 3, values + 24) + s("I", 0) + b"".join(rationals)
    if thumbnail:
        out += s("H", 2) + s("HHII", 0x0201, 4, 1, shot_at) + s("HHII", 0x0202, 4, 1, len(shot.getvalue())) + s("I", 0)
        out += shot.getvalue()
    return out


XMP_WITH_PLACE = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" exif:GPSLatitude="47,51.079N" photoshop:City="Salzburg">
<dc:creator><rdf:Seq><rdf:li>Ada Lens</rdf:li></rdf:Seq></dc:creator><exif:GPSLongitude>13,24.022E</exif:GPSLongitude>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""

IPTC_WITH_PLACE = b"".join(
    b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text
    for number, text in ((80, b"Ada Lens"), (90, b"Salzburg"), (101, b"Austria"))
)
PHOTOSHOP_WITH_PLACE = (
    b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC_WITH_PLACE)) + IPTC_WITH_PLACE + bytes(len(IPTC_WITH_PLACE) % 2)
)


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Set segments behind the start marker of a JPEG."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def saved(path: Path, pixels: NDArray[np.uint8], form: str, **options: Any) -> Path:
    """Save 8-bit pixels through Pillow."""
    Image.fromarray(pixels).save(path, form, **options)
    return path


def saved_deep(path: Path, pixels: NDArray[np.uint16]) -> Path:
    """Save 16-bit pixels through OpenCV, as PNG or TIFF by the name."""
    codes = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    array = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, codes[pixels.shape[2]])
    path.write_bytes(bytes(cv2.imencode(path.suffix, array)[1]))
    return path


def saved_heic(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    """Save 8- or 16-bit pixels through libheif."""
    mode = {2: "L", 3: "RGB", 4: "RGBA"}[2 if pixels.ndim == 2 else pixels.shape[2]]
    mode += ";16" if pixels.dtype == np.uint16 else ""
    size = pixels.shape[1], pixels.shape[0]
    pillow_heif.encode(mode, size, pixels.tobytes(), path, quality=80, enc_params={"preset": "ultrafast"}, **options)
    return path


def psnr(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Peak signal-to-noise ratio in dB, peak 255 or 65535; 200 for equal arrays."""
    peak = 65535 if a.dtype == np.uint16 else 255
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 200.0 if error == 0 else float(10 * np.log10(peak**2 / error))
