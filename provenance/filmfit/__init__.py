"""How well a film's content agrees with what is kept of the registered one: small grey frames, two a second."""

from provenance.filmfit.measure import FilmChange, FilmFit, measure
from provenance.filmfit.reel import MEDIA_TYPE, MOST, PER_SECOND, Reel, Sight, sights, still

__all__ = ["MEDIA_TYPE", "MOST", "PER_SECOND", "FilmChange", "FilmFit", "Reel", "Sight", "measure", "sights", "still"]
