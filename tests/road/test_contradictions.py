"""Layers that contradict each other, each named in a sentence: a generator's mark, another's mark, a stamp of nobody's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from api.wiring import House
from keys import keystore, tsa
from provenance.capture import SignRequest, sign
from provenance.verdict import Status, Verdict
from provenance.verify import verify
from tests.media.test_imwatermark import as_generator_writes, installed
from watermark import media

pytestmark = pytest.mark.slow


def say(found: Verdict) -> dict[str, str]:
    return {reason.code: reason.say for reason in found.reasons}


@pytest.fixture(scope="module")
def generated(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pixels as an image generator leaves them."""
    path = tmp_path_factory.mktemp("generated") / "g.png"
    Image.fromarray(as_generator_writes(media.load_rgb8(photo), "Stable Diffusion XL", order="RGB")).save(path)
    return path


@installed
@pytest.mark.parametrize("mark", ["none", "auto"])
def test_a_camera_claim_over_a_generators_mark(generated: Path, house: House, tmp_path: Path, at: datetime, mark: str) -> None:
    """Named with its probability, and never as proof; the status asks for a person's look. A mark of ours hides it not."""
    signed = sign(SignRequest(generated, tmp_path / "c.png", mark=mark, register=False), house.studio(), at=at)
    found = verify(signed.path, house.desk, at=at).verdict
    assert found.status is Status.CONFLICT
    assert found.credential.signature == "verified"
    assert "a camera took it" in found.summary
    assert "p = " in say(found)["generator.mark"]
    assert "no proof" in say(found)["generator.mark"]


@installed
def test_a_generators_mark_under_a_claim_that_says_so_is_no_contradiction(
    generated: Path, house: House, tmp_path: Path, at: datetime
) -> None:
    request = SignRequest(generated, tmp_path / "c.png", "trainedAlgorithmicMedia", mark="none", register=False)
    found = verify(sign(request, house.studio(), at=at).path, house.desk, at=at).verdict
    assert found.status in {Status.TRUSTED, Status.VALID}
    assert "inception:fullyGenAIMedia" in found.signals
    assert "generator.mark" in say(found)


@installed
def test_a_generators_mark_alone_decides_nothing(generated: Path, house: House, at: datetime) -> None:
    assert verify(generated, house.desk, at=at).verdict.status in {Status.NONE, Status.RECOVERED, Status.ALTERED}


def test_a_stamp_of_an_authority_that_nobody_lists_backdates_nothing(photo: Path, house: House, tmp_path: Path) -> None:
    """Whoever runs an authority of their own can stamp any time; it says so, and after expiry it saves nothing."""
    at = datetime.now(UTC)
    rogue = keystore.init_development(tmp_path / "rogue", now=at)
    with tsa.serve(rogue.tsa()) as url:
        studio = replace(house.studio(), tsa=lambda: url)
        signed = sign(SignRequest(photo, tmp_path / "r.jpg", mark="none", register=False), studio, at=at)
    found = verify(signed.path, house.desk, at=at, marks=False).verdict
    assert found.credential.time.state == "untrusted"
    assert found.credential.time.at is None
    assert "on no list" in say(found)["time.untrusted"]
    late = verify(signed.path, house.desk, at=at + timedelta(days=400), marks=False).verdict
    assert late.status is Status.INVALID
    assert "outside its validity: the time stamp that would put it earlier comes from an authority on no list" in late.summary
    assert "credential.expired" in say(late)


def test_two_marks_lead_to_one_of_their_assets_or_are_a_conflict(photo: Path, house: House, tmp_path: Path, at: datetime) -> None:
    """Marked, stripped and marked again as something new: whichever mark is read, no third asset is named."""
    first = sign(SignRequest(photo, tmp_path / "one.jpg"), house.studio(), at=at)
    with Image.open(first.path) as image:
        image.save(tmp_path / "bare.png")
    second = sign(SignRequest(tmp_path / "bare.png", tmp_path / "two.png"), house.studio(), at=at)
    found = verify(second.path, house.desk, at=at).verdict
    assert first.binding is not None
    own = second.binding.value if second.binding else None  # the first one can be too strong for a second to be read back
    assert own is not None or "no mark" in second.notes[0]
    assert found.mark.value in {first.binding.value, own}
    if found.mark.value == first.binding.value:
        assert found.status is Status.CONFLICT
        assert "different assets" in found.summary
    else:
        assert found.status in {Status.TRUSTED, Status.VALID}
