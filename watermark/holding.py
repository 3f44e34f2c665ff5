"""Whether a picture can hold a mark that lives through what every copy goes through: asked at signing, where it is doubtful.

On pages of white the mark has little to hide in and half of it is clipped away. Such a picture is marked all the same, but
whoever signs it is told what its mark will not survive.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark import attacks as a
from watermark import image
from watermark.ladder import Step, do

EXTREME_SHARE = 0.25
"""Share of samples near black or white above which a picture is tried."""
MARGIN = 4
USUAL = (
    Step("jpeg-70", "JPEG at quality 70", (do(a.jpeg, 70),)),
    Step("social", "a feed (1080 pixels, JPEG 75)", (do(a.social),)),
)


def lost_after(marked: NDArray[np.uint8], mark_id: int, *, key: bytes) -> tuple[str, ...]:
    """Return the titles of usual treatments after which a marked picture's id is not read.

    Only pictures with much black or white are tried, since others hold by the embedder's own closed loop: nothing is
    returned, and next to nothing spent, for them.

    Args:
        marked: Shape (H, W, 3), uint8.
        mark_id: The id that it carries.
        key: Under which.
    """
    luma = image.luma_of(marked)
    small = cv2.resize(luma, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST) if luma.size > 1 << 18 else luma
    if float(((small <= MARGIN) | (small >= 255 - MARGIN)).mean()) <= EXTREME_SHARE:
        return ()
    return tuple(step.title for step in USUAL if image.detect(step.apply(marked, 0), keys=[key]).mark_id != mark_id)
