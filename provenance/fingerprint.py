"""ISCC image codes (ISO 24138): what finds a picture that lost both credential and mark. Pure.

The code survives re-encoding and scaling, not cropping, and changes when mirrored: ask for both orientations. A near code
is a lead, never a finding: whoever follows it measures the content (fit).
"""

from __future__ import annotations

from typing import Any

import cv2
import iscc_lib
import numpy as np
from numpy.typing import NDArray

ALGORITHM = "io.iscc.v0"
BITS = 256
_SIDE = 32


def image_code(rgb: NDArray[np.uint8]) -> str:
    """The 256-bit ISCC Image-Code of a picture.

    Args:
        rgb: Upright sRGB, shape (H, W, 3), uint8.
    Returns:
        "ISCC:…", as the registry keeps it.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return _code(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))


def mirrored_image_code(rgb: NDArray[np.uint8]) -> str:
    """The code of the picture as seen in a mirror."""
    return image_code(np.ascontiguousarray(rgb[:, ::-1]))


def _code(grey: NDArray[Any]) -> str:
    return str(iscc_lib.gen_image_code_v0(grey.astype(np.uint8).tobytes(), BITS)["iscc"])
