"""Where a copy lies on its reference, and which regions of it still carry the mark."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from mark_scenes import KEY, MARK_ID, scenery
from numpy.typing import NDArray

from watermark import attacks, image
from watermark.detection import Detection, Transform
from watermark.presence import MISSING, absence, presence

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def marked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image.embed(picture, MARK_ID, key=KEY)


def turned(degrees: float, size: tuple[int, int], canvas: tuple[int, int]) -> Array:
    """Reference → copy for a turn about the middle, anticlockwise on screen."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    matrix[:2, 2] = np.array(canvas) / 2 - matrix[:2, :2] @ (np.array(size) / 2)
    return matrix


def worst(copy: NDArray[np.uint8], truth: Array) -> float:
    """Largest error of the found pose over the picture, in copy pixels."""
    found = image.detect(copy, keys=[KEY])
    assert found.transform is not None
    pose = found.transform.against(640, 480)
    matrix = np.array(pose.homography).reshape(3, 3) if pose.homography else np.array([*pose.matrix, 0, 0, 1]).reshape(3, 3)
    x, y = np.meshgrid(np.linspace(100, 540, 5), np.linspace(80, 400, 5))
    points = np.stack([x.ravel(), y.ravel(), np.ones(25)])
    seen, wanted = matrix @ points, truth @ points
    return float(np.abs(seen[:2] / seen[2] - wanted[:2] / wanted[2]).max())


@pytest.mark.parametrize("degrees", [3, 90, 180, 200])
def test_turned(marked: NDArray[np.uint8], degrees: float) -> None:
    copy = attacks.rotate(marked, degrees)
    assert worst(copy, turned(degrees, (640, 480), copy.shape[1::-1])) < 0.5


def test_cut_and_scaled(marked: NDArray[np.uint8]) -> None:
    copy = attacks.jpeg(attacks.resize(marked[40:460, 50:610].copy(), 448, 336), 75)
    assert worst(copy, np.diag([0.8, 0.8, 1]) @ np.array([[1, 0, -50], [0, 1, -40], [0, 0, 1.0]])) < 0.5


def test_stretched(marked: NDArray[np.uint8]) -> None:
    assert worst(attacks.resize(marked, 700, 440), np.diag([700 / 640, 440 / 480, 1])) < 0.5


def test_perspective_is_found(picture: NDArray[np.uint8]) -> None:
    marked = image.embed(picture, MARK_ID, key=KEY, strength=2.5)
    corners = np.array([[0, 0], [640, 0], [640, 480], [0, 480]], np.float32)
    window = np.array([[14, 8], [632, 12], [624, 470], [6, 474]], np.float32)
    matrix = cv2.getPerspectiveTransform(window, corners)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    copy = np.asarray(cv2.warpPerspective(marked, matrix, (640, 480), flags=cv2.INTER_CUBIC), np.uint8)
    assert worst(copy, half @ matrix @ np.linalg.inv(half)) < 1.0


def test_a_pose_needs_a_size() -> None:
    with pytest.raises(ValueError, match="size"):
        Transform((1, 0, 0, 1), None).against(0, 10)


def test_a_pose_without_a_place_says_so() -> None:
    pose = Transform((2.0, 0, 0, 2.0), None).against(640, 640)
    assert not pose.placed
    assert pose.scale == pytest.approx(2.0)


def test_a_pasted_region_stands_out(marked: NDArray[np.uint8]) -> None:
    copy = marked.copy()
    copy[100:340, 340:580] = scenery(240, 240, seed=9)
    copy = attacks.jpeg(copy, 80)
    scores = presence(copy, image.detect(copy, keys=[KEY]), KEY)
    rows, columns = scores.shape
    inside = scores[int(rows * 160 / 480) : int(rows * 280 / 480), int(columns * 400 / 640) : int(columns * 520 / 640)]
    outside = scores[:, : int(columns * 260 / 640)]
    assert inside.max() < 3
    assert np.percentile(outside, 5) > 3


def test_what_was_put_back_unmarked_is_said_to_be_missing(picture: NDArray[np.uint8]) -> None:
    copy = image.embed(picture, MARK_ID, key=KEY, strength=3.0)
    copy[120:320, 300:500] = picture[120:320, 300:500]
    copy = attacks.jpeg(copy, 80)
    missing = absence(copy, image.detect(copy, keys=[KEY]), KEY) > MISSING
    rows, columns = missing.shape
    gone = np.zeros_like(missing)
    gone[int(rows * 155 / 480) : int(rows * 285 / 480), int(columns * 335 / 640) : int(columns * 465 / 640)] = True
    near = np.zeros_like(missing)
    near[int(rows * 70 / 480) : int(rows * 370 / 480), int(columns * 250 / 640) : int(columns * 550 / 640)] = True
    assert missing[gone].mean() > 0.85
    assert missing[~near].mean() < 0.02


def test_an_honest_copy_misses_next_to_nothing(marked: NDArray[np.uint8]) -> None:
    copy = attacks.social(marked)
    assert (absence(copy, image.detect(copy, keys=[KEY]), KEY) > MISSING).mean() < 0.02


def test_unmarked_content_scores_like_chance(picture: NDArray[np.uint8], marked: NDArray[np.uint8]) -> None:
    scores = presence(picture, image.detect(marked, keys=[KEY]), KEY)
    assert abs(scores.mean()) < 1
    assert 0.5 < scores.std() < 1.6


def test_nothing_found_has_no_map(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="found"):
        presence(picture, Detection(image.ALGORITHM, None, 1.0, None, None, None), KEY)
