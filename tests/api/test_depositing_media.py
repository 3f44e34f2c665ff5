"""Sound and film from `colophon watch`: signed with nobody to tell, deposited once and in order when the service is back."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest
from fastapi import FastAPI

from api.access import Access
from api.cli.app import run
from api.wiring import House
from provenance import filmfit, soundfit
from provenance.backlog import Backlog
from provenance.verdict import Status, Verdict
from provenance.verify import verify
from tests.sound.conftest import music
from tests.sound.test_files import RATE, write_wav
from tests.video.conftest import write_film
from watermark.video_attacks import Pass, encode_again

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NOBODY = "http://127.0.0.1:1"
KINDS = {
    "first.wav": ("audio/wav", soundfit.MEDIA_TYPE),
    "second.flac": ("audio/flac", soundfit.MEDIA_TYPE),
    "third.mp4": ("video/mp4", filmfit.MEDIA_TYPE),
}


Delivered = dict[str, tuple[str, Path]]


def now() -> datetime:
    return datetime.now(UTC)


def as_other(source: Path, to: Path, encoder: str) -> Path:
    """The same sound in another container, with nothing else of the file."""
    with av.open(str(source), metadata_errors="replace") as given, av.open(str(to), "w") as out:
        stream = out.add_stream(encoder, rate=given.streams.audio[0].rate, layout=given.streams.audio[0].layout)
        for frame in given.decode(audio=0):
            frame.pts = None
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return to


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a recorder and a camera left, in this order."""
    folder = tmp_path_factory.mktemp("card")
    write_wav(folder / "first.wav", music(14, RATE, 2, seed=41), 16)
    as_other(write_wav(folder.parent / "plain.wav", music(14, RATE, 2, seed=42), 16), folder / "second.flac", "flac")
    write_film(folder / "third.mp4", seconds=4, rate=12, seed=6)
    for n, name in enumerate(KINDS):
        os.utime(folder / name, (1_700_000_000 + n, 1_700_000_000 + n))
    return folder


@pytest.fixture(scope="module")
def key(app: FastAPI) -> Iterator[str]:
    access: Access = app.state.access
    made, text = access.new("a recorder", ["signer"], at=now())
    yield text
    access.revoke(made.id, at=now())


@pytest.fixture(scope="module")
def delivered(card: Path, server: str, key: str, house: House, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """Three runs: nobody there, the service there, nothing new. Gives asset and file by name."""
    home, out = tmp_path_factory.mktemp("device") / "home", tmp_path_factory.mktemp("signed")

    def watch(to: str, api_key: str = "") -> tuple[int, list[tuple[str, str]]]:
        text = io.StringIO()
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(text):
            patched.setenv("COLOPHON_SERVER_KEY", api_key)
            arguments = [str(card), "--to", str(out), "--server", to, "--once", "--offline", "--json", "--home", str(home)]
            code = run(["watch", *arguments])
        return code, [(e["event"], Path(e["path"]).name) for e in json.loads(text.getvalue())["events"]]

    code, events = watch(NOBODY)
    assert (code, events) == (4, [*(("signed", name) for name in KINDS), ("waiting", "first.wav")])
    waiting = {entry.name: (entry.registration.asset_id, out / entry.name) for entry in Backlog(out / ".colophon").waiting()}
    assert list(waiting) == list(KINDS)
    assert not any(house.registry.asset(asset_id) for asset_id, _ in waiting.values())
    assert watch(server, "wrong")[0] == 4  # a service that does not know us yet loses nothing
    assert watch(server, key) == (0, [("registered", name) for name in KINDS])
    assert watch(server, key) == (0, [])
    return waiting


def judged(house: House, path: Path) -> Verdict:
    return verify(path, house.desk, at=now()).verdict


def test_each_is_registered_once_and_in_order(delivered: Delivered, house: House) -> None:
    entries = []
    for name, (media_type, reference_type) in KINDS.items():
        record = house.registry.asset(delivered[name][0])
        assert record is not None
        assert (record.media_type, record.reference_media_type) == (media_type, reference_type)
        assert (record.duration_ms or 0) > 3_000
        (entry,) = house.registry.trail(record.asset_id)
        assert entry.kind == "registered"
        entries.append(entry.id)
    assert entries == sorted(entries)


@pytest.mark.parametrize("name", KINDS)
def test_the_signed_file_holds_at_the_service(delivered: Delivered, house: House, name: str) -> None:
    found = judged(house, delivered[name][1])
    assert found.status in (Status.VALID, Status.TRUSTED)
    assert found.asset.id == delivered[name][0]


@pytest.mark.parametrize("name", KINDS)
def test_a_stripped_copy_is_recovered_there(delivered: Delivered, house: House, tmp_path: Path, name: str) -> None:
    source = delivered[name][1]
    if name.endswith(".mp4"):
        copy = tmp_path / "copy.mp4"
        encode_again(source, copy, Pass(crf=26))
    else:
        copy = as_other(source, tmp_path / "copy.wav", "pcm_s16le")
    found = judged(house, copy)
    assert found.status is Status.RECOVERED
    assert found.asset.id == delivered[name][0]
    assert (found.mark.fit or 0) > 0.9
