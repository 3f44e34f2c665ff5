"""The same for sound: a marked copy of a recording, treated by a step of a ladder and listened to again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from provenance.tasks import media_errors
from provenance.trials import SEED, Medium, Start, Trial
from watermark import audio
from watermark.audio_ladder import AUDIO_2026, SoundStep
from watermark.sound.opened import decoded, opened, sound_stream

MOST_S = 60
"""Seconds that are tried: of a longer recording the beginning, for a step costs as much as the sound is long."""
_LADDERS = {AUDIO_2026.name: AUDIO_2026}


def start_sound(path: str, folder: str, keys: Sequence[bytes], mark_id: int) -> Start:
    """Decode the beginning of a recording, and mark it under the first key if it carries no mark of ours.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded, or has no sound.
        CarrierTooSmallError: it carries no mark, and is too short for one.
    """
    with media_errors(path):
        samples, rate = _beginning(Path(path))
    found = audio.detect(samples, rate, keys=keys)
    if found.mark_id is None:
        samples = audio.embed(samples, rate, mark_id, key=keys[0])
    np.savez(_file(folder), samples=samples, rate=rate)
    read, index = (mark_id, 0) if found.mark_id is None else (found.mark_id, found.key_index or 0)
    return Start(read, index, not found.found, None)


def try_sound(folder: str, ladder: str, step: str, mark_id: int, keys: Sequence[bytes], picture: bool) -> Trial:
    """Treat the copy as a step says, and listen for its id; there is nothing to see (`picture`)."""
    with np.load(_file(folder), allow_pickle=False) as kept:
        samples, rate = kept["samples"], int(kept["rate"])
    chosen: SoundStep = next(one for one in _LADDERS[ladder].steps if one.name == step)
    found = audio.detect(*chosen.apply(samples, rate, SEED), keys=keys)
    if found.mark_id != mark_id:
        return Trial(False, None, None, None)
    return Trial(True, found.p_false, found.bit_errors, None)


def _beginning(path: Path) -> tuple[NDArray[np.float32], int]:
    with opened(path) as container:
        stream = sound_stream(container, path)
        rate, parts, count = stream.rate, [np.empty((0, stream.channels), np.float32)], 0
        for block in decoded(container, stream):
            parts.append(block)
            count += len(block)
            if count >= MOST_S * rate:
                break
    return np.concatenate(parts)[: MOST_S * rate], rate


def _file(folder: str) -> Path:
    return Path(folder, "samples.npz")


SOUND = Medium(alg=audio.ALGORITHM, start=start_sound, trial=try_sound, ladders=_LADDERS)
