"""Several marks in one carrier, each under a key of its own: a camera's, and the agency's that came later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from watermark.detection import Detection

D = TypeVar("D", bound=Detection)


def under_each_key(detect: Callable[[Sequence[bytes]], D], keys: Sequence[bytes]) -> tuple[D, ...]:
    """Look again with the keys that read nothing yet, until none of them does.

    Two marks under one key cannot be told apart this way: a detector answers with one id for each key.

    Args:
        detect: Looks with the keys it is given; the first that reads a mark ends the search.
        keys: In the order in which they are tried; one that is there twice is tried once.
    Returns:
        At least one: what the first look found, perhaps nothing; then further finds only. `key_index` counts in `keys`.
    """
    left = {key: keys.index(key) for key in keys}
    found = [detect(list(left))]
    while True:
        last = found[-1]
        if last.key_index is None:
            break
        key = list(left)[last.key_index]
        found[-1] = replace(last, key_index=left.pop(key))
        if not left:
            break
        again = detect(list(left))
        if not again.found:
            break
        found.append(again)
    return tuple(found)
