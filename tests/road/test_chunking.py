"""Large films are bound in pieces, and only files of the one shape for which the library does that right."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import pytest

from api.wiring import House
from provenance import chunking, sdk
from provenance.capture import SignRequest, sign
from provenance.credential import Credential
from tests.road.conftest import MEDIA


def box(kind: bytes, body: bytes, *, wide: bool = False) -> bytes:
    if wide:
        return b"\0\0\0\1" + kind + (16 + len(body)).to_bytes(8) + body
    return (8 + len(body)).to_bytes(4) + kind + body


@pytest.fixture
def small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "WORTH", 100)


FTYP, MOOV, MDAT = box(b"ftyp", b"isom" + bytes(8)), box(b"moov", bytes(30)), box(b"mdat", bytes(200))


@pytest.mark.usefixtures("small_enough")
@pytest.mark.parametrize(
    ("data", "may"),
    [
        pytest.param(FTYP + MOOV + MDAT, True, id="index first"),
        pytest.param(FTYP + MDAT + MOOV, True, id="index last"),
        pytest.param(FTYP + MOOV + box(b"mdat", bytes(200), wide=True), True, id="64-bit length"),
        pytest.param(FTYP + MOOV + b"\0\0\0\0mdat" + bytes(200), True, id="to the end of the file"),
        pytest.param(FTYP + MOOV + MDAT + box(b"mdat", b""), True, id="an empty mdat besides"),
        pytest.param(FTYP + MOOV + MDAT + MDAT, False, id="two mdats"),
        pytest.param(FTYP + MOOV + box(b"moof", bytes(8)) + MDAT, False, id="fragments"),
        pytest.param(FTYP + MOOV + box(b"mdat", bytes(50)), False, id="too small to be worth it"),
        pytest.param(FTYP + MOOV, False, id="no media data"),
        pytest.param(FTYP + MOOV + MDAT[:-1], False, id="cut off"),
        pytest.param(FTYP + MOOV + MDAT + b"\0\0\0", False, id="rubbish behind"),
        pytest.param(FTYP + b"\0\0\0\3free" + MDAT, False, id="a box shorter than its head"),
        pytest.param(FTYP + b"\0\0\0\1mdat\0\0", False, id="a length cut off"),
        pytest.param(FTYP + box(b"free", b"") * 2000 + MDAT, False, id="thousands of boxes"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_only_one_unfragmented_mdat(data: bytes, may: bool) -> None:
    stream = io.BytesIO(data)
    assert chunking.may_chunk(stream, "video/mp4") is may
    assert stream.tell() == 0
    assert not chunking.may_chunk(stream, "audio/wav")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled film with 66 MB of nothing at the end of its media data."""
    data = (MEDIA / "meadow.mp4").read_bytes()
    at = data.index(b"mdat") - 4
    assert at + int.from_bytes(data[at : at + 4]) == len(data)
    more = 66 << 20
    path = tmp_path_factory.mktemp("large") / "large.mp4"
    path.write_bytes(data[:at] + (len(data) - at + more).to_bytes(4) + data[at + 4 :] + bytes(more))
    return path


@pytest.mark.slow
def test_a_large_film_is_bound_in_pieces_and_a_changed_byte_is_noticed(
    house: House, large: Path, tmp_path: Path, at: datetime
) -> None:
    signed = sign(SignRequest(large, tmp_path / "signed.mp4", mark="none"), house.studio(), at=at)
    assert signed.registration is not None
    assert b"merkle" in signed.registration.manifest_store
    assert not codes(signed.path)  # and it read back as intact, or there were no file
    with signed.path.open("r+b") as file:
        file.seek(40 << 20)
        file.write(b"\1")
    assert codes(signed.path) == {"assertion.bmffHash.mismatch"}


def codes(path: Path) -> set[str]:
    """What fails in a film's own credential, but for trust."""
    with path.open("rb") as stream:
        found = sdk.read(stream, "video/mp4")
    assert isinstance(found, Credential)
    return {code.code for code in found.manifest.results.failure if code.code != "signingCredential.untrusted"}


def test_a_small_one_is_not(house: House, tmp_path: Path, at: datetime) -> None:
    signed = sign(SignRequest(MEDIA / "meadow.mp4", tmp_path / "signed.mp4", mark="none"), house.studio(), at=at)
    assert signed.registration is not None
    assert b"merkle" not in signed.registration.manifest_store
