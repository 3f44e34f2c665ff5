"""Films on a ladder, and how work on them tells how far it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from provenance.errors import ProvenanceError
from provenance.progress import Progress, tell, told
from provenance.survival import course_of, medium_of
from provenance.trials_film import FILM, start_film, try_film
from tests.video.conftest import KEY, MARK_ID, OTHER
from watermark.errors import CarrierTooSmallError


def test_a_marked_film_is_tried_as_it_is(marked_path: Path, tmp_path: Path) -> None:
    start = start_film(str(marked_path), str(tmp_path), [OTHER, KEY], 5)
    assert (start.mark_id, start.key_index, start.marked_now) == (MARK_ID, 1, False)
    trial = try_film(str(tmp_path), "video-2026", "2-seconds", MARK_ID, [KEY], True)
    assert trial.found
    assert trial.picture is not None
    assert not try_film(str(tmp_path), "video-2026", "2-seconds", MARK_ID, [OTHER], False).found
    assert [path.name for path in tmp_path.iterdir()] == ["marked.mkv"]


def test_another_is_marked_first(film_path: Path, tmp_path: Path) -> None:
    start = start_film(str(film_path), str(tmp_path), [KEY], 5)
    assert (start.mark_id, start.marked_now) == (5, True)
    assert [path.name for path in tmp_path.iterdir()] == ["marked.mkv"]


def test_what_is_too_short_is_said(tmp_path: Path) -> None:
    from tests.video.conftest import write_film

    path = write_film(tmp_path / "blink.mp4", seconds=0.2)
    with pytest.raises(CarrierTooSmallError):
        start_film(str(path), str(tmp_path), [KEY], 5)


def test_what_is_no_film_is_said(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film" * 50)
    with pytest.raises(ProvenanceError):
        start_film(str(tmp_path / "film.mp4"), str(tmp_path), [KEY], 5)


def test_films_have_a_ladder() -> None:
    assert medium_of(Path("a.mp4"), "video/mp4") is FILM
    assert course_of(Path("a.mp4"), FILM, None).name == "video-2026"


def test_what_is_told_is_read(tmp_path: Path) -> None:
    path = tmp_path / "told"
    assert told(path) is None
    tell(str(path), 0.25, 3.5)
    assert told(path) == Progress(0.25, 3.5)
    path.write_bytes(b"half")
    assert told(path) is None
    tell(None, 0.5)
    tell(str(tmp_path / "no" / "place"), 0.5)  # progress never stops the work
