"""What is said of a copy that is a part of what was signed, or has more around it."""

from __future__ import annotations

import pytest

from provenance import partly


@pytest.mark.parametrize(
    ("covered", "shown", "words"),
    [
        (None, None, "the content fits."),
        (1.0, 1.0, "the content fits."),
        (0.9, 0.9, "the content fits."),
        (1.0, 0.899, "this is a part of it (about 90%), and fits."),
        (1.0, 0.51, "this is a part of it (about half), and fits."),
        (1.0, 0.0004, "this is a part of it (about 1%), and fits."),
        (0.48, 1.0, "about half of this file fits it; the rest is not part of it."),
        (0.3, None, "about 30% of this file fits it; the rest is not part of it."),
        (0.3, 0.27, "about 30% of this file fits a part of it (about 27%); the rest is not part of it."),
    ],
)
def test_the_sentence_says_how_much(covered: float | None, shown: float | None, words: str) -> None:
    assert partly.fits(covered, shown, film=False) == words


def test_of_a_film_nobody_says_that_frames_were_added() -> None:
    assert partly.fits(0.6, 1.0, film=True) == "about 60% of this file fits it; the rest could not be compared."
    assert list(partly.reasons(0.6, 1.0, film=True)) == [
        ("content.partial", "Only 60% of this file could be compared; the rest shows too little.")
    ]


@pytest.mark.parametrize(
    ("covered", "shown", "codes", "told"),
    [
        (None, None, [], {}),
        (1.0, 0.95, [], {}),
        (0.5, 1.0, ["content.partial"], {"covered": 0.5}),
        (1.0, 0.123, ["content.excerpt"], {"shown": 0.12}),
        (0.5, 0.5, ["content.partial", "content.excerpt"], {"covered": 0.5, "shown": 0.5}),
    ],
)
def test_codes_and_shares_of_what_is_not_whole(
    covered: float | None, shown: float | None, codes: list[str], told: dict[str, float]
) -> None:
    assert [code for code, _ in partly.reasons(covered, shown, film=False)] == codes
    assert partly.told(covered, shown) == told
