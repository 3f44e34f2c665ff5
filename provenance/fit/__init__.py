"""Fit: how well a copy's content agrees with the reference stored for the asset its mark names, and where not.

`measure` aligns and compares, `classify` says what it means, `picture` and `laid` show it. All pure: arrays in, values out.
"""

from provenance.fit.beside import beside
from provenance.fit.draw import laid, picture, side_by_side
from provenance.fit.measure import classify, fits, measure
from provenance.fit.result import Agreement, Change, Fit, Hint, Kind

__all__ = [
    "Agreement",
    "Change",
    "Fit",
    "Hint",
    "Kind",
    "beside",
    "classify",
    "fits",
    "laid",
    "measure",
    "picture",
    "side_by_side",
]
