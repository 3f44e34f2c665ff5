"""Files ⇄ samples: the only user of picture codecs. Contract: see `codec`, `picture` and `colour`."""

from watermark.media.codec import animation, change_animation, decode, encode, load_rgb8
from watermark.media.colour import rgb8, transfer
from watermark.media.derive import reference, reference_frames, thumbnail
from watermark.media.jpeg import before_scan
from watermark.media.picture import MARKABLE, MAX_PIXELS, REDACTIONS, Picture
from watermark.media.probe import Dimensions, dimensions
from watermark.media.sniff import HEAD_BYTES, sniff
from watermark.media.whole import missing

__all__ = [
    "HEAD_BYTES",
    "MARKABLE",
    "MAX_PIXELS",
    "REDACTIONS",
    "Dimensions",
    "Picture",
    "animation",
    "before_scan",
    "change_animation",
    "decode",
    "dimensions",
    "encode",
    "load_rgb8",
    "missing",
    "reference",
    "reference_frames",
    "rgb8",
    "sniff",
    "thumbnail",
    "transfer",
]
