"""A copy that is a part of what was signed, or has more around it, is recovered, and never told as the whole."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from api.wiring import House
from provenance.feed import public_status
from provenance.find import find
from provenance.finishing import Signed
from provenance.verdict import Status
from provenance.verify import verify

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def half(signed: Signed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half") / "half.jpg"
    with Image.open(signed.path) as image:
        rgb = image.convert("RGB")
        rgb.crop((0, 0, rgb.width // 2, rgb.height)).save(path, quality=88)
    return path


def test_half_of_a_picture_is_told_as_half(half: Path, signed: Signed, house: House, at: datetime) -> None:
    found = verify(half, house.desk, at=at).verdict
    assert (found.status, found.asset.id) == (Status.RECOVERED, signed.asset_id)
    assert found.summary.endswith("; this is a part of it (about half), and fits.")
    assert "content.excerpt" in {reason.code for reason in found.reasons}
    assert found.mark.shown == pytest.approx(0.5, abs=0.02)
    assert found.mark.covered == pytest.approx(1.0, abs=0.02)
    assert public_status(found)["part"] == {"shown": pytest.approx(0.5, abs=0.02)}
    (match, *_) = find(half, house.desk)
    assert match.shown == pytest.approx(0.5, abs=0.02)


def test_a_picture_beside_another_is_told_as_a_part_of_the_file(
    signed: Signed, other: Path, house: House, tmp_path: Path, at: datetime
) -> None:
    with Image.open(signed.path) as left, Image.open(other) as right:
        both = Image.new("RGB", (left.width * 2, left.height))
        both.paste(left.convert("RGB"), (0, 0))
        both.paste(right.convert("RGB").resize(left.size), (left.width, 0))
    both.save(tmp_path / "both.jpg", quality=88)
    found = verify(tmp_path / "both.jpg", house.desk, at=at).verdict
    assert found.status is Status.RECOVERED
    assert found.summary.endswith("; about half of this file fits it; the rest is not part of it.")
    assert "content.partial" in {reason.code for reason in found.reasons}
    assert set(public_status(found)["part"]) == {"covered"}
