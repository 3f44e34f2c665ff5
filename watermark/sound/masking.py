"""How much each cell may change before the ear notices: a short model of masking over frequency."""

from __future__ import annotations

import numpy as np

from watermark.sound.analysis import Real

_SPREAD = (0.15, 0.25, 1.0, 0.10, 0.05)
"""Share of a band's energy that masks the bands two and one above, itself, one and two below, up to a factor."""
_LEAST, _MOST = 0.3, 3.0


def allowance(band_energies: Real) -> Real:
    """Return the relative strength of the mark in every cell: (T, 24) → (T, 24), .3–3, 1 where the spectrum is flat.

    A cell in the shadow of louder neighbours takes more, a peak less, as the square root of the energy that masks it.
    """
    energy = band_energies + np.float32(1e-12)
    padded = np.pad(energy, ((0, 0), (2, 2)), mode="reflect")
    bands = energy.shape[1]
    masker = sum(share * padded[:, place : place + bands] for place, share in enumerate(_SPREAD)) / sum(_SPREAD)
    return np.clip(np.sqrt(masker / energy), _LEAST, _MOST).astype(np.float32)
