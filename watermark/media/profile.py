"""ICC profiles for the colour code points that AVIF and HEIC carry instead of one (ICC.1:2022, ITU-T H.273)."""

from __future__ import annotations

import functools
import struct

import numpy as np

# x and y of red, green and blue; H.273 table 2
_PRIMARIES = {
    9: ("Rec. 2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
_D65, _D50 = (0.3127, 0.3290), np.array((0.9642, 1.0, 0.8249))
_BRADFORD = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def for_primaries(nclx: tuple[int, int, int, int] | None) -> bytes:
    """Return a profile for wide-gamut primaries with the sRGB curve; empty for those of sRGB, and for unknown ones."""
    return matrix_profile(nclx[0]) if nclx and nclx[0] in _PRIMARIES else b""


@functools.cache
def matrix_profile(primaries: int) -> bytes:
    """Build a three-component matrix profile (ICC.1 §8.3.3) with white D65 and the sRGB tone curve.

    Args:
        primaries: H.273 code point, 9 (Rec. 2020) or 12 (Display P3).
    """
    name, corners = _PRIMARIES[primaries]
    columns = _to_d50() @ _rgb_to_xyz(corners)
    curve = b"para" + struct.pack(">IHH5i", 0, 3, 0, *(_fixed(value) for value in _SRGB_CURVE))
    tags = {
        b"desc": _text(name),
        b"cprt": _text("no copyright, use freely"),
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(columns[:, 0]),
        b"gXYZ": _xyz(columns[:, 1]),
        b"bXYZ": _xyz(columns[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2025, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + table + body


def _rgb_to_xyz(corners: tuple[tuple[float, float], ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    columns = np.array([_unit(x, y) for x, y in corners]).T
    return columns * np.linalg.solve(columns, _unit(*_D65))


def _to_d50() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Adapt from D65 to the profile connection space (Bradford, ICC.1 annex E)."""
    gain = (_BRADFORD @ _D50) / (_BRADFORD @ _unit(*_D65))
    return np.linalg.solve(_BRADFORD, gain[:, None] * _BRADFORD)


def _unit(x: float, y: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array((x / y, 1.0, (1 - x - y) / y))


def _fixed(value: float) -> int:
    return round(value * 65536)


def _xyz(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(_fixed(float(value)) for value in values))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">III4sII", 0, 1, 12, b"enUS", len(encoded), 28) + encoded
