"""How much each cell may change before the ear notices: a short model of masking, in frequency and by fluctuation."""

from __future__ import annotations

import numpy as np

from watermark.sound.analysis import Real, deviation, whitened
from watermark.sound.layout import BANDS, STEPS

_SPREAD = (0.15, 0.25, 1.0, 0.10, 0.05)
"""Share of a band's energy that masks the bands two and one above, itself, one and two below, up to a factor."""
_SHADOW = 0.4
_LEAST, _MOST = 0.3, 2.5
_AT_REST, _USUAL = 0.3, 1.1
"""Nepers: what is added to the fluctuation of a steady tone, and the sum for ordinary speech and music."""
_FLUCTUATION = 1.5
_CALM = 0.9
"""Below this a sound is a steady tone more than it fluctuates: there the strength falls faster, by one more power."""
_CALMEST, _WILDEST = 0.25, 3.0
_TILT = np.linspace(1.3, 0.6, BANDS, dtype=np.float32)
"""Codecs of low rate keep the lower bands: there the mark is worth more."""


def allowance(band_energies: Real) -> Real:
    """Return the relative strength of the mark in every cell, about 1 in ordinary sound: (T, 24) → (T, 24).

    A cell in the shadow of louder neighbours takes more, a peak less. A steady tone takes least, for a fluctuation is heard
    where there was none (PEAQ's modulation difference); sound that fluctuates by itself takes more.
    """
    energy = band_energies + np.float32(1e-12)
    padded = np.pad(energy, ((0, 0), (2, 2)), mode="reflect")
    masker = sum(share * padded[:, place : place + BANDS] for place, share in enumerate(_SPREAD)) / sum(_SPREAD)
    shadow = np.clip((masker / energy) ** _SHADOW, _LEAST, _MOST)
    fluctuation = (_AT_REST + deviation(whitened(band_energies), 5, 7 * STEPS)) / _USUAL
    room = fluctuation**_FLUCTUATION * np.minimum(1, fluctuation / _CALM)
    return np.asarray(shadow * np.clip(room, _CALMEST, _WILDEST) * _TILT, np.float32)
