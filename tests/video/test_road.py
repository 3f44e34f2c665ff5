"""Films on the whole road: sign → strip, re-encode, change → verify, through real workers, keys and registry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from api.settings import Settings
from api.wiring import House, open_house
from provenance.capture import SignRequest, sign
from provenance.errors import AlreadySignedError, InputError, SigningError, UnsupportedMediaError
from provenance.find import find
from provenance.finishing import Signed
from provenance.verdict import Status, Verdict
from provenance.verify import verify
from provenance.watching import Watch, locally
from tests.video.conftest import write_film
from watermark import sound_files, video_files
from watermark.payload import PUBLIC_KEY
from watermark.video_attacks import Pass, encode_again, mirrored, still

PLATFORM = Pass(crf=28)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(Settings(home=tmp_path_factory.mktemp("home"), trust_interim=False)) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("source") / "pan.mp4", seconds=6, rate=12, sound="aac")


@pytest.fixture(scope="module")
def signed(house: House, source: Path) -> Signed:
    return sign(SignRequest(source, source.with_name("signed.mp4")), house.studio(), at=datetime.now(UTC))


def judged(house: House, path: Path) -> Verdict:
    return verify(path, house.desk, at=datetime.now(UTC)).verdict


def test_a_film_is_signed_with_one_id_in_picture_and_sound(house: House, signed: Signed) -> None:
    verdict = judged(house, signed.path)
    assert verdict.status in (Status.TRUSTED, Status.VALID)
    assert signed.binding is not None
    assert signed.binding.alg == "org.colophon.mark.video.1"
    assert verdict.mark.value == signed.binding.value
    assert (verdict.asset.width, verdict.asset.height) == (640, 360)
    mark_id = int(signed.binding.value, 16)
    asset = house.registry.asset(signed.asset_id)
    assert asset is not None
    bound = "org.colophon.mark.audio.1" in {binding.alg for binding in asset.bindings}
    heard = sound_files.detect_file(signed.path, [PUBLIC_KEY]).mark_id
    assert heard == (mark_id if bound else None)  # six seconds of AAC hold it often, and it is claimed only then
    assert video_files.detect_file(signed.path, [PUBLIC_KEY]).mark_id == mark_id


def test_what_a_platform_makes_of_it_is_recovered(house: House, signed: Signed, tmp_path: Path) -> None:
    encode_again(signed.path, tmp_path / "copy.mp4", PLATFORM)
    verdict = judged(house, tmp_path / "copy.mp4")
    assert verdict.status is Status.RECOVERED
    assert verdict.mark.fit == 1.0


def test_an_excerpt_that_was_mirrored_is_recovered(house: House, signed: Signed, tmp_path: Path) -> None:
    encode_again(signed.path, tmp_path / "copy.mkv", Pass(crf=26, changes=(mirrored,)), start_s=2, seconds=2)
    assert judged(house, tmp_path / "copy.mkv").status is Status.RECOVERED


def test_a_still_that_was_taken_out_is_recovered(house: House, signed: Signed, tmp_path: Path) -> None:
    picture = still(signed.path, 0.6)
    cv2.imwrite(str(tmp_path / "still.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
    assert judged(house, tmp_path / "still.jpg").status is Status.RECOVERED


def test_a_replaced_scene_is_told_with_its_seconds(house: House, signed: Signed, tmp_path: Path) -> None:
    other = write_film(tmp_path / "other.mp4", seconds=6, rate=12, seed=77)
    spliced(signed.path, other, tmp_path / "spliced.mp4", 2.0, 4.5)
    verdict = judged(house, tmp_path / "spliced.mp4")
    assert verdict.status is Status.ALTERED
    (change,) = verdict.changes
    assert (change.start_s, change.end_s) == (pytest.approx(2.0, abs=0.6), pytest.approx(4.5, abs=0.6))
    gap = next(span for span in verdict.mark.spans if not span.marked)
    assert (gap.start_s, gap.end_s) == (pytest.approx(2.0, abs=0.6), pytest.approx(4.5, abs=0.6))


def test_a_mark_that_was_copied_onto_another_film_is_a_conflict(house: House, signed: Signed, tmp_path: Path) -> None:
    other = write_film(tmp_path / "other.mp4", seconds=3, rate=12, seed=78)
    assert signed.binding is not None
    video_files.mark_file(other, tmp_path / "forged.mp4", int(signed.binding.value, 16), PUBLIC_KEY)
    assert judged(house, tmp_path / "forged.mp4").status is Status.CONFLICT


def test_an_unmarked_film_is_none(house: House, source: Path) -> None:
    assert judged(house, source).status is Status.NONE


def test_it_is_found_by_its_mark(house: House, signed: Signed, tmp_path: Path) -> None:
    encode_again(signed.path, tmp_path / "copy.webm", Pass("vp9", 40))
    (match,) = find(tmp_path / "copy.webm", house.desk)
    assert (match.asset.asset_id, match.how, match.agreement) == (signed.asset_id, "mark", "fits")


def test_a_film_that_nobody_looked_at_is_not_said_to_have_no_mark(house: House, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "many.mkv"), "w") as target:
        streams = [target.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(33)]
        picture = target.add_stream("mjpeg", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
        target.mux(picture.encode(av.VideoFrame(64, 64, "yuvj420p")))
        for stream in streams:
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            sound.sample_rate, sound.pts = 8000, 0
            target.mux(stream.encode(sound))
    verdict = judged(house, tmp_path / "many.mkv")
    assert verdict.status is Status.NONE
    assert any("34 tracks" in item for item in verdict.not_checked)


def test_one_that_is_too_short_is_signed_without_and_says_so(house: House, tmp_path: Path) -> None:
    source = write_film(tmp_path / "blink.mp4", seconds=0.25, rate=12)
    got = sign(SignRequest(source, tmp_path / "signed.mp4"), house.studio(), at=datetime.now(UTC))
    assert got.binding is None
    assert "too short" in got.notes[0]


def test_a_container_that_holds_no_credential_is_refused_unless_it_may_lie_beside(
    house: House, webm: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedMediaError, match="cannot hold a credential"):
        sign(SignRequest(webm, tmp_path / "signed.webm"), house.studio(), at=datetime.now(UTC))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def webm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fast = {"deadline": "realtime", "cpu-used": "8"}
    return write_film(tmp_path_factory.mktemp("webm") / "pan.webm", seconds=1, rate=12, codec="libvpx-vp9", **fast)


@pytest.fixture(scope="module")
def apart(house: House, webm: Path) -> Signed:
    return sign(SignRequest(webm, webm.with_name("signed.webm"), beside=True, crf=40), house.studio(), at=datetime.now(UTC))


def test_its_credential_lies_beside_it_and_is_found_there(house: House, apart: Signed) -> None:
    assert apart.sidecar == apart.path.with_name("signed.webm.c2pa")
    assert "CRF 40" in apart.notes[0]
    verdict = judged(house, apart.path)
    assert verdict.status in (Status.TRUSTED, Status.VALID)
    assert verdict.credential.source == "sidecar"
    assert verdict.mark.value == apart.binding.value if apart.binding else None


def test_the_name_that_other_tools_give_it_is_found_too(house: House, apart: Signed, tmp_path: Path) -> None:
    shutil.copy(apart.path, tmp_path / "film.webm")
    shutil.copy(apart.sidecar or "", tmp_path / "film.c2pa")
    assert judged(house, tmp_path / "film.webm").credential.source == "sidecar"


def test_a_byte_that_was_changed_is_noticed(house: House, apart: Signed, tmp_path: Path) -> None:
    data = bytearray(apart.path.read_bytes())
    data[-40] ^= 1
    (tmp_path / "film.webm").write_bytes(data)
    verdict = verify(tmp_path / "film.webm", house.desk, at=datetime.now(UTC), sidecar=apart.sidecar, marks=False).verdict
    assert verdict.status not in (Status.TRUSTED, Status.VALID)


def test_without_what_lay_beside_it_the_registry_has_it(house: House, apart: Signed, tmp_path: Path) -> None:
    shutil.copy(apart.path, tmp_path / "alone.webm")
    verdict = judged(house, tmp_path / "alone.webm")
    assert verdict.status in (Status.TRUSTED, Status.VALID), [reason.say for reason in verdict.reasons]
    assert (verdict.credential.source, verdict.credential.binding) == ("registry", "match")


def test_of_other_bytes_its_mark_recovers_it(house: House, apart: Signed, tmp_path: Path) -> None:
    (tmp_path / "alone.webm").write_bytes(apart.path.read_bytes() + b"\xec\x81\x00")  # an empty element, which says nothing
    verdict = judged(house, tmp_path / "alone.webm")
    assert verdict.status is Status.RECOVERED, [reason.say for reason in verdict.reasons]
    assert verdict.credential.source == "recovered"


def test_a_folder_of_films_is_watched(house: House, webm: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    shutil.copy(webm, tmp_path / "in" / "pan.webm")
    watch = Watch(tmp_path / "in", tmp_path / "out", SignRequest(webm, webm, mark="none"), settled=True)
    with watch.backlog.held():
        events = list(watch.round(house.studio(), locally(house.registry), clock=lambda: datetime.now(UTC)))
    assert [event.kind for event in events] == ["signed", "registered"], events
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".colophon", "pan.webm", "pan.webm.c2pa"]
    assert list(watch.backlog.work.iterdir()) == []
    verdict = verify(tmp_path / "out" / "pan.webm", house.desk, at=datetime.now(UTC), marks=False).verdict
    assert verdict.credential.source == "sidecar"
    assert verdict.status in (Status.TRUSTED, Status.VALID)


def test_rubbish_beside_it_is_no_credential(house: House, webm: Path, tmp_path: Path) -> None:
    shutil.copy(webm, tmp_path / "film.webm")
    (tmp_path / "film.webm.c2pa").write_bytes(b"rubbish" * 100)
    verdict = verify(tmp_path / "film.webm", house.desk, at=datetime.now(UTC), marks=False).verdict
    assert verdict.status in (Status.INVALID, Status.ALTERED)


def test_what_has_a_credential_beside_it_is_not_signed_again(house: House, apart: Signed, tmp_path: Path) -> None:
    with pytest.raises(AlreadySignedError):
        sign(SignRequest(apart.path, tmp_path / "again.webm", beside=True), house.studio(), at=datetime.now(UTC))
    assert list(tmp_path.iterdir()) == []


def test_an_organisation_cannot_sign_what_lies_beside(house: House, webm: Path, tmp_path: Path) -> None:
    studio = house.studio()
    with pytest.raises(SigningError, match="identity assertion"):
        sign(
            SignRequest(webm, tmp_path / "signed.webm", mark="none", beside=True),
            replace(studio, identity=studio.signer),
            at=datetime.now(UTC),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_broken_film_leaves_nothing_behind(house: House, source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(source.read_bytes()[:2000])
    with pytest.raises(InputError):
        sign(SignRequest(broken, tmp_path / "signed.mp4"), house.studio(), at=datetime.now(UTC))
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


def test_the_source_is_left_alone(signed: Signed, source: Path, tmp_path: Path) -> None:
    again = write_film(tmp_path / "pan.mp4", seconds=6, rate=12, sound="aac")
    assert again.stat().st_size == source.stat().st_size
    shutil.copy(signed.path, tmp_path / "read.mp4")


def spliced(one: Path, other: Path, path: Path, start_s: float, end_s: float) -> None:
    """Write a film of which some seconds come from another."""
    with av.open(str(one)) as first, av.open(str(other)) as second, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"crf": "24", "preset": "ultrafast"}
        for number, (mine, theirs) in enumerate(zip(first.decode(video=0), second.decode(video=0), strict=False)):
            frame = (theirs if start_s <= number / 12 < end_s else mine).reformat(format="yuv420p")
            frame.pts, frame.time_base, frame.pict_type = number, 1 / stream.codec_context.framerate, 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
