"""The same for films: a marked copy of some seconds, treated by a step of a ladder and looked at again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from provenance.tasks import media_errors
from provenance.trials import SEED, Medium, Start, Trial
from provenance.viewing import thumbnail
from watermark import video_files
from watermark.film import ALGORITHM
from watermark.video.frames import length_s
from watermark.video_attacks import Pass, encode_again
from watermark.video_ladder import VIDEO_2026

MARKED_S = 20.0
"""Seconds of a film without a mark that are marked and tried, from its middle."""
STEP_MOST_S = 600.0
_LADDERS = {VIDEO_2026.name: VIDEO_2026}


def start_film(path: str, folder: str, keys: Sequence[bytes], mark_id: int) -> Start:
    """Take a film that carries a mark of ours as it is; of another, mark some seconds under the first key.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded, or has no film.
        CarrierTooSmallError: it carries no mark, and is too short or too small for one.
    """
    source, marked = Path(path), _file(folder)
    with media_errors(path):
        found = video_files.detect_file(source, keys)
        if found.mark_id is not None:
            shutil.copyfile(source, marked)
            return Start(found.mark_id, found.key_index or 0, False, thumbnail(path, 0.0))
        piece = Path(folder, "piece.mkv")
        encode_again(source, piece, Pass(crf=16), start_s=max(0.0, (length_s(source) - MARKED_S) / 2), seconds=MARKED_S)
        video_files.mark_file(piece, marked, mark_id, keys[0], sound=False)
        piece.unlink()
    return Start(mark_id, 0, True, thumbnail(str(marked), 0.0))


def try_film(folder: str, ladder: str, step: str, mark_id: int, keys: Sequence[bytes], picture: bool) -> Trial:
    """Treat an excerpt from the middle as a step says, and look for its id."""
    chosen = next(one for one in _LADDERS[ladder].steps if one.name == step)
    marked, copy = _file(folder), Path(folder, f"{step}{chosen.suffix}")
    with media_errors(str(marked)):
        start_s = max(0.0, (length_s(marked) - chosen.seconds) / 2)
        chosen.apply(marked, copy, start_s=start_s, seed=SEED)
        found = video_files.detect_file(copy, keys)
        shot = thumbnail(str(copy), 0.0) if picture else None
    copy.unlink()
    if found.mark_id != mark_id:
        return Trial(False, None, None, shot)
    return Trial(True, found.p_false, found.bit_errors, shot)


def _file(folder: str) -> Path:
    return Path(folder, "marked.mkv")


FILM = Medium(alg=ALGORITHM, start=start_film, trial=try_film, ladders=_LADDERS, seconds=STEP_MOST_S)
