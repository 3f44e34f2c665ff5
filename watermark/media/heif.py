"""HEIC and HEIF, through libheif: 8 bits stay 8, 10 and 12 stay 10 and 12, at about the size the file had.

libheif turns the picture while decoding, so pixels are upright and the orientation is 1 throughout. The primary picture
alone is carried: not its thumbnails, depth map, gain map, nor a Live Photo's link.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watermark.errors import UnsupportedError
from watermark.media import bmff, exif, guard, profile, xmp
from watermark.media.lossy import matching_quality
from watermark.media.picture import LossySource, Picture, Pixels

_NCLX = ("color_primaries", "transfer_characteristics", "matrix_coefficients", "full_range_flag")


def read(data: bytes, max_pixels: int) -> Picture:
    """Decode a HEIC; see `Picture`. 10- and 12-bit samples are shifted up to 16."""
    import pillow_heif  # 15 MB of libheif and x265: only where a HEIC comes by

    items = bmff.read(data)
    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    if len(file) != 1:
        raise UnsupportedError("", f"HEIC of {len(file)} pictures")
    guard.check_size(file.size[0], file.size[1], max_pixels)
    image = file[0]
    if "a" in image.mode:
        raise UnsupportedError("", "HEIC with premultiplied alpha")
    info: dict[str, Any] = dict(image.info)
    nclx = tuple(int(info["nclx_profile"][key]) for key in _NCLX) if info.get("nclx_profile") else None
    chroma = str(info.get("chroma") or 420)
    source = LossySource(
        lossless=False,
        coded_bytes=items.coded_bytes(),
        bit_depth=info["bit_depth"],
        chroma=":".join(chroma) if chroma in ("420", "422", "444") else "4:0:0",
        nclx=nclx,  # type: ignore[arg-type]  # four of them
        tile=(info.get("tiling") or {}).get("tile_width", 0),
    )
    pixels = _colour_or_grey(np.asarray(image))
    return Picture(
        media_type="image/heic" if data[8:12] != b"mif1" else "image/heif",
        pixels=guard.frozen(pixels),
        space="grey" if pixels.ndim == 2 else "rgb" if pixels.shape[2] == 3 else "rgba",
        icc=info.get("icc_profile") or profile.for_primaries(source.nclx),
        exif=exif.bare(info.get("exif") or b""),
        xmp=info.get("xmp") or b"",
        source=source,
    )


def upright_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) of the primary picture, turned as its container says."""
    import pillow_heif

    width, height = pillow_heif.open_heif(io.BytesIO(data)).size
    return width, height


def write(picture: Picture, pixels: Pixels, redact: frozenset[str], fineness: float) -> bytes:
    """Encode pixels as a HEIC like the one they came from."""
    source, places = picture.source, "gps" in redact
    assert isinstance(source, LossySource)

    def size(sample: NDArray[Any], quality: int) -> int:
        return len(_encoded(sample, picture, quality=quality))

    quality = matching_quality(size, picture.pixels, source.coded_bytes * fineness, range(10, 101))
    data = _encoded(
        pixels,
        picture,
        quality=quality,
        tile_size=source.tile,
        exif=exif.upright(exif.carried(picture.exif, places=places)) or None,
        xmp=_upright(xmp.pruned(picture.xmp, places=places)) or None,
    )
    return data[:8] + b"mif1" + data[12:] if picture.media_type == "image/heif" else data


def _colour_or_grey(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        return np.concatenate((np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]), axis=2)
    return pixels


def _encoded(pixels: NDArray[Any], picture: Picture, **options: Any) -> bytes:
    import pillow_heif

    source = picture.source
    assert isinstance(source, LossySource)
    mode = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}[picture.space] + (";16" if pixels.dtype == np.uint16 else "")
    if picture.icc:
        options["icc_profile"], options["icc_profile_type"] = picture.icc, "prof"
    if source.nclx:
        options |= dict(zip(_NCLX, source.nclx, strict=True))
    if picture.space != "grey":
        options["chroma"] = int(source.chroma.replace(":", "") if source.chroma != "4:0:0" else 420)
    out = io.BytesIO()
    pillow_heif.encode(
        mode,
        (pixels.shape[1], pixels.shape[0]),
        np.ascontiguousarray(pixels).tobytes(),
        out,
        bit_depth=source.bit_depth,
        enc_params={"preset": "ultrafast"},  # 0.3 s per megapixel and core; slower ones gain 0.5 dB in five times that
        **options,
    )
    return out.getvalue()


def _upright(packet: bytes) -> bytes:
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", packet)
