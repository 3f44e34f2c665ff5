"""An animated picture is signed with a mark in every frame; a still of any of them finds its credential again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from api.wiring import House
from provenance.capture import SignRequest, sign
from provenance.finishing import Signed
from provenance.verdict import Status
from provenance.verify import verify
from watermark import image
from watermark.payload import PUBLIC_KEY

MARK_ID = 0x5EEDC0FFEE123457
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def signed(house: House, other: Path, tmp_path_factory: pytest.TempPathFactory, at: datetime) -> Signed:
    """Four frames, from one picture to its mirror image, as a GIF."""
    folder = tmp_path_factory.mktemp("moving")
    with Image.open(other) as opened:
        one = opened.convert("RGB").resize((384, 384))
    frames = [Image.blend(one, one.transpose(Image.Transpose.FLIP_TOP_BOTTOM), n / 3) for n in range(4)]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:], duration=[80, 90, 100, 110], loop=0)
    studio = replace(house.studio(), new_mark_id=lambda: MARK_ID)
    return sign(SignRequest(folder / "a.gif", folder / "signed.gif"), studio, at=at)


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as opened:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(opened)]


def test_every_frame_carries_the_mark_and_its_time(signed: Signed) -> None:
    frames = frames_of(signed.path)
    assert len(frames) == 4
    assert {image.detect(frame, keys=[PUBLIC_KEY]).mark_id for frame in frames} == {MARK_ID}
    with Image.open(signed.path) as opened:
        assert [frame.info["duration"] for frame in ImageSequence.Iterator(opened)] == [80, 90, 100, 110]


def test_its_credential_holds(house: House, signed: Signed, at: datetime) -> None:
    found = verify(signed.path, house.desk, at=at).verdict
    assert found.status in {Status.TRUSTED, Status.VALID}
    assert found.mark.found


@pytest.mark.parametrize("number", [0, 3])
def test_a_still_of_any_frame_finds_its_credential(
    house: House, signed: Signed, at: datetime, number: int, tmp_path: Path
) -> None:
    Image.fromarray(frames_of(signed.path)[number]).save(tmp_path / "still.jpg", quality=80)
    assert verify(tmp_path / "still.jpg", house.desk, at=at).verdict.status is Status.RECOVERED


def test_a_still_that_was_painted_over_is_altered(house: House, signed: Signed, at: datetime, tmp_path: Path) -> None:
    still = frames_of(signed.path)[3].copy()
    still[120:230, 90:250] = np.linspace(0, 250, 160, dtype=np.uint8)[:, None]
    Image.fromarray(still).save(tmp_path / "still.jpg", quality=90)
    assert verify(tmp_path / "still.jpg", house.desk, at=at).verdict.status is Status.ALTERED
