"""What runs inside a killable worker: every touch of media that others made. Values in, values out.

Arguments and results are plain picklable values; pictures stay in the worker, only small JPEGs of them come out.
"""

from provenance.tasks.comparing import Compared, compare, picture_of
from provenance.tasks.looking import (
    PixelFacts,
    Probe,
    carries_credential,
    dimensions,
    kind,
    kind_of_whole,
    probe,
    read_credential,
    read_many,
    read_parts,
    read_pixels,
    read_registered,
)
from provenance.tasks.marking import MarkJob, Prepared, prepare, view
from provenance.tasks.rim import Clock, media_errors, writing
from provenance.tasks.sealing import Made, SignedFile, SignJob, sign_file

__all__ = [
    "Clock",
    "Compared",
    "Made",
    "MarkJob",
    "PixelFacts",
    "Prepared",
    "Probe",
    "SignJob",
    "SignedFile",
    "carries_credential",
    "compare",
    "dimensions",
    "kind",
    "kind_of_whole",
    "media_errors",
    "picture_of",
    "prepare",
    "probe",
    "read_credential",
    "read_many",
    "read_parts",
    "read_pixels",
    "read_registered",
    "sign_file",
    "view",
    "writing",
]
