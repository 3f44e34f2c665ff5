"""Values as words: cautious rounding, places, and nothing that could steer a terminal."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli import words


@dataclass(frozen=True)
class Region:
    x: float
    y: float
    w: float
    h: float
    start_s: float | None = None
    end_s: float | None = None


@given(st.text())
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    shown = words.printable(text)
    assert not any(unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs") for letter in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Zoë 写真 🏞", "Zoë 写真 🏞"),
        ("\x1b[31mtrusted", "\\x1b[31mtrusted"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("a\r\nb", "a\\r\\nb"),
        ("\udc80", "\\udc80"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert words.printable(text) == shown


def test_moment_is_utc() -> None:
    local = datetime(2026, 11, 21, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert words.moment(local) == "20 November 2026, 23:30 UTC"


@pytest.mark.parametrize(
    ("p_false", "said"),
    [
        (1e-12, "1 in 10^12"),
        (3e-12, "1 in 10^11"),
        (0.0025, "1 in 400"),
        (1.0, "1 in 1"),
        (0.0, "1 in 10^30"),
        (1e-200, "1 in 10^30"),
    ],
)
def test_chance(p_false: float, said: str) -> None:
    assert words.chance(p_false) == said


@given(st.floats(min_value=1e-300, max_value=1.0, exclude_min=True))
def test_odds_are_never_overstated(p_false: float) -> None:
    odds = words.chance(p_false).removeprefix("1 in ")
    told = 10.0 ** int(odds[3:]) if odds.startswith("10^") else float(odds)
    assert told <= 1 / p_false * (1 + 1e-9)


def test_chance_of_nonsense_is_not_a_crash() -> None:
    assert words.chance(math.nan) == "1 in 1"


@given(st.floats(min_value=0, max_value=1))
def test_percent_keeps_something_and_all_apart(fraction: float) -> None:
    said = words.percent(fraction)
    assert (said == "0 %") == (fraction == 0)
    assert (said == "100 %") == (fraction == 1)


@pytest.mark.parametrize(
    ("box", "where"),
    [
        (Region(0.0, 0.0, 0.1, 0.1), "top left"),
        (Region(0.45, 0.45, 0.1, 0.1), "centre"),
        (Region(0.9, 0.45, 0.1, 0.1), "right"),
        (Region(0.45, 0.9, 0.1, 0.1), "bottom"),
        (Region(0.0, 0.0, 1.0, 1.0), "all over"),
    ],
)
def test_place(box: Region, where: str) -> None:
    assert words.place(box) == where


def test_a_change_in_time_is_told_by_the_clock() -> None:
    assert words.place(Region(0, 0, 1, 1, 12.0, 74.5)) == "0:12–1:14.5"
    assert words.places([Region(0, 0, 1, 1, n, n + 1) for n in range(7)]).endswith("0:04–0:05 and 2 more")


def test_places_names_the_largest_three_and_counts_the_rest() -> None:
    boxes = [Region(0, 0, 0.1 * n, 0.1) for n in range(1, 6)]
    assert words.places(boxes).startswith("top left (5 %)")
    assert words.places(boxes).endswith("and 2 smaller regions")


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "file", "1 file"),
        (2, "file", "2 files"),
        (0, "entry", "no entries"),
        (2, "key", "2 keys"),
        (0, "status", "no statuses"),
    ],
)
def test_count(number: int, noun: str, said: str) -> None:
    assert words.count(number, noun) == said


def test_sentence_is_the_first_one() -> None:
    assert words.sentence("It holds. Nothing changed since.") == "It holds."
    assert words.sentence("It holds") == "It holds"


def test_moment_of_an_aware_instant_only() -> None:
    assert words.moment(datetime(2026, 1, 2, tzinfo=UTC)) == "2 January 2026, 00:00 UTC"
