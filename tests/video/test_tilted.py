"""A film that was filmed from a screen is read in perspective; what runs away is left alone."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.video.conftest import KEY, MARK_ID, OTHER, lumas, write_film
from watermark import film, image
from watermark.film import Frame
from watermark.image import Views, search
from watermark.lattice import lattice
from watermark.video.detect import SEARCHES
from watermark.video.frames import chosen
from watermark.video.tilted import _depth, tilted

SIZE = 640, 360
KEYSTONE = -1.2e-4


def slanted(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Seen from the side: the right edge is a thirteenth nearer than the left one."""
    plane = np.array([[0.816, 0.009, 7], [-0.009, 0.808, 9], [KEYSTONE, -0.6 * KEYSTONE, 1]])
    return np.asarray(cv2.warpPerspective(luma, plane, SIZE, borderValue=30), np.uint8)


@pytest.fixture(scope="module")
def marked() -> list[Frame]:
    return film.embed([Frame(luma, n / 25) for n, luma in enumerate(lumas(6, step=5))], MARK_ID, key=KEY, strength=0.6)


def test_a_film_in_perspective_is_read(marked: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_poses", lambda views, layout: iter(()))  # as where the usual search finds nothing
    found = film.detect([Frame(slanted(frame.luma), frame.time_s) for frame in marked], [OTHER, KEY])
    assert (found.mark_id, found.key_index) == (MARK_ID, 1)
    assert found.p_false <= 1e-9
    assert found.transform is not None
    assert found.transform.homography is not None
    keystone = np.reshape(found.transform.homography, (3, 3))[2, 0] / found.transform.homography[8]
    assert keystone == pytest.approx(0.75 * KEYSTONE, rel=0.1), "a canonical unit is three quarters of a pixel"


def test_poses_grow_to_the_whole(marked: list[Frame]) -> None:
    views = Views(slanted(frame.luma) for frame in marked)
    grown, usual = search(views, [KEY], searches=SEARCHES, poses=tilted), search(views, [KEY], searches=SEARCHES)
    assert grown.mark_id == MARK_ID
    assert grown.p_false < 1e-50 * usual.p_false, "all of the frame agrees, not its middle only"
    assert not search(views, [OTHER], searches=SEARCHES, poses=tilted).found


def test_what_is_no_film_of_ours_gives_no_wild_poses() -> None:
    views = Views(islice(lumas(4), 4))
    for view, plane, _ in tilted(views, lattice(OTHER)):
        assert np.isfinite(plane).all()
        assert _depth(plane, np.array([0, 0, view.white.shape[1], view.white.shape[0]])) < 2


def test_parts_too_small_for_a_tile_are_passed_over() -> None:
    views = Views([next(lumas(1, height=72, width=128))])
    assert list(tilted(views, lattice(KEY))) == []


@pytest.mark.parametrize("behind", [-0.003, -0.01])
def test_what_lies_behind_the_eye_is_infinitely_steep(behind: float) -> None:
    plane = np.linalg.inv(np.array([[1, 0, 0], [0, 1, 0], [behind, 0, 1]]))
    assert _depth(plane, np.array([0.0, 0.0, 640.0, 360.0])) == math.inf


def test_frames_that_were_coded_best_are_looked_at(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", seconds=1.2, preset="medium", bf="3", b_adapt="0", g="15")
    frames = list(chosen(path))
    assert len(frames) == 10
    assert frames[0].weight == 4
    assert min(frame.weight for frame in frames) >= 1
    assert sum(frame.weight >= 2 for frame in frames) >= 6, "with three in four foretold from both sides, hardly one in three"
