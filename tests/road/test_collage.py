"""Pictures of one registry, and one key, beside each other or over each other: each mark is read, and leads where it belongs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from api.cli.verdicts import facts
from api.wiring import House
from provenance.capture import SignRequest, sign
from provenance.finishing import Signed
from provenance.verdict import Status, Verdict
from provenance.verify import verify

pytestmark = pytest.mark.slow
SIZE = 640, 512


class Two(NamedTuple):
    left: Signed
    right: Signed


@pytest.fixture(scope="module")
def two(house: House, photo: Path, tmp_path_factory: pytest.TempPathFactory, at: datetime) -> Two:
    """The photo, and another picture: clouds of colour with grain."""
    folder = tmp_path_factory.mktemp("two")
    with Image.open(photo) as image:
        image.convert("RGB").resize(SIZE).save(folder / "a.png")
    draw = np.random.default_rng(5)
    coarse = Image.fromarray(draw.integers(0, 255, (24, 30, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    grain = np.asarray(coarse, np.float64) + draw.normal(0, 12, (SIZE[1], SIZE[0], 1))
    Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8)).save(folder / "b.png")
    studio = house.studio()
    return Two(*(sign(SignRequest(folder / f"{name}.png", folder / f"{name}-signed.png"), studio, at=at) for name in "ab"))


def pasted(where: Path, base: Signed | None, size: tuple[int, int], *pieces: tuple[Signed, tuple[int, int]]) -> Path:
    """Signed pictures laid on white, or on one of them, and sent on without their credentials."""
    with Image.new("RGB", size, "white") as sheet:
        for one, place in ([(base, (0, 0))] if base else []) + list(pieces):
            with Image.open(one.path) as image:
                sheet.paste(image.convert("RGB"), place)
        sheet.save(where, quality=88)
    return where


def second(found: Verdict) -> list[str]:
    return [reason.say for reason in found.reasons if reason.code == "mark.second"]


def test_a_collage_of_two_shows_both(house: House, two: Two, tmp_path: Path, at: datetime) -> None:
    width, height = SIZE
    copy = pasted(tmp_path / "collage.jpg", None, (2 * width + 20, height), (two.left, (0, 0)), (two.right, (width + 20, 0)))
    found = verify(copy, house.desk, at=at).verdict
    assert found.status is Status.RECOVERED
    assert two.left.binding is not None
    assert two.right.binding is not None
    first, other = found.marks
    assert {first.value, other.value} == {two.left.binding.value, two.right.binding.value}
    assert (first.part, first.owner, other.owner) == (None, "registered", "registered")
    assert {first.manifests, other.manifests} == {(two.left.manifest_id,), (two.right.manifest_id,)}
    assert other.part is not None
    x, _, w, h = other.part
    assert (w, h) == pytest.approx((0.5, 1.0), abs=0.04)
    assert x == pytest.approx(0.5 if other.value == two.right.binding.value else 0.0, abs=0.04)
    (told,) = second(found)
    assert "in another part of the picture" in told
    assert "another registered asset" in told
    (row,) = (one for one in facts(found) if one.label == "also marked")
    assert f"{other.value}, {'right' if x > 0.25 else 'left'}: the mark of another" in row.value


def test_what_is_put_over_another_names_where_it_comes_from(house: House, two: Two, tmp_path: Path, at: datetime) -> None:
    piece = tmp_path / "piece.png"
    with Image.open(two.right.path) as image:
        image.convert("RGB").crop((0, 0, 360, 400)).save(piece)
    copy = tmp_path / "over.jpg"
    with Image.open(two.left.path) as sheet, Image.open(piece) as image:
        whole = sheet.convert("RGB")
        whole.paste(image, (40, 60))
        whole.save(copy, quality=90)
    found = verify(copy, house.desk, at=at).verdict
    assert two.left.binding is not None
    assert two.right.binding is not None
    assert {one.value for one in found.marks} == {two.left.binding.value, two.right.binding.value}
    assert found.status in {Status.ALTERED, Status.RECOVERED}  # an altered picture of the left, or a piece of the right
    assert len(second(found)) == 1


def test_what_carries_nothing_beside_it_names_nothing(house: House, two: Two, tmp_path: Path, at: datetime) -> None:
    width, height = SIZE
    copy = pasted(tmp_path / "framed.jpg", None, (2 * width, height), (two.left, (0, 0)))
    found = verify(copy, house.desk, at=at).verdict
    assert found.status is Status.RECOVERED
    assert len(found.marks) == 1
    assert second(found) == []


def test_an_honest_copy_is_looked_at_once(house: House, two: Two, tmp_path: Path, at: datetime) -> None:
    copy = pasted(tmp_path / "copy.jpg", two.left, SIZE)
    found = verify(copy, house.desk, at=at).verdict
    assert (found.status, len(found.marks), second(found), found.changes) == (Status.RECOVERED, 1, [], ())
