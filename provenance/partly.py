"""How much of a file fits how much of the registered one, in words: a crop, an excerpt, a part of a collage. Pure."""

from __future__ import annotations

from collections.abc import Iterator

WHOLE = 0.9  # from which share on something is told as whole: borders, and what a turn cuts off


def fits(covered: float | None, shown: float | None, *, film: bool) -> str:
    """The end of a sentence about a registered work that something led to.

    Args:
        covered: Share of the file that the registered work covers, 0–1; None where nobody knows.
        shown: Share of the registered work that the file shows, 0–1; None likewise.
        film: What is not covered was not comparable; elsewhere it was added around.
    """
    rest = "the rest could not be compared" if film else "the rest is not part of it"
    if _part(covered):
        of = f"a part of it ({about(shown)})" if _part(shown) else "it"
        return f"{about(covered)} of this file fits {of}; {rest}."
    if _part(shown):
        return f"this is a part of it ({about(shown)}), and fits."
    return "the content fits."


def reasons(covered: float | None, shown: float | None, *, film: bool) -> Iterator[tuple[str, str]]:
    """The same as codes with their sentences; none for what is whole."""
    if covered is not None and _part(covered):
        rest = "the rest shows too little" if film else "the rest was added around it"
        yield "content.partial", f"Only {covered:.0%} of this file could be compared; {rest}."
    if _part(shown):
        yield "content.excerpt", f"This file shows {about(shown)} of what was signed; the rest was cut off."


def told(covered: float | None, shown: float | None) -> dict[str, float]:
    """The shares that are not whole, for a feed: `covered` of the file, `shown` of what was signed."""
    shares = {"covered": covered, "shown": shown}
    return {name: round(share, 2) for name, share in shares.items() if share is not None and _part(share)}


def about(share: float | None) -> str:
    """0.484 → `about 48%`; a twentieth around the middle is a half, and nothing reads as none or as all."""
    if share is None:
        return "a part"
    if 0.475 <= share <= 0.525:
        return "about half"
    return f"about {min(max(share, 0.01), 0.99):.0%}"


def _part(share: float | None) -> bool:
    return share is not None and share < WHOLE
