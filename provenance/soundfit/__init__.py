"""How well a copy's sound agrees with the reference stored with a registered asset, and where not."""

from provenance.soundfit.envelope import MEDIA_TYPE, Envelope, of_file
from provenance.soundfit.measure import SoundChange, SoundFit, measure

__all__ = ["MEDIA_TYPE", "Envelope", "SoundChange", "SoundFit", "measure", "of_file"]
