"""How a mark id is written as the value of a `c2pa.soft-binding` assertion. Pure.

The value is text, 16 lower-case hexadecimal digits, as the library writes text where the standard says bytes.
"""

from __future__ import annotations

from provenance.credential import SoftBinding

_BITS = 64


def binding(alg: str, mark_id: int) -> SoftBinding:
    """Raises ValueError for an id that does not fit into 64 bits."""
    if not 0 <= mark_id < 1 << _BITS:
        raise ValueError(f"a mark id has {_BITS} bits, not {mark_id.bit_length()}")
    return SoftBinding(alg, f"{mark_id:016x}")
