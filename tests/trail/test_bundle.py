"""Bundles: made once, checked without us, and whatever is bent in one is named."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from api.settings import Settings
from api.wiring import House, number, open_house
from provenance.bundle.archive import _regions, pack, unpack
from provenance.bundle.audit import Held, audit
from provenance.bundle.contents import INDEX
from provenance.bundle.make import make
from provenance.capture import SignRequest, sign
from provenance.edit import EditRequest, edit
from provenance.errors import InputError, MalformedError, NotFoundError
from provenance.isolation import Workers
from provenance.trail.note import parse_note

SMALL = {"a.txt": b"first\n", "b/c.json": b"{}", "d.bin": bytes(range(64)), "e": b""}


# the archive


def test_any_unzip_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(SMALL))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == SMALL


def test_an_archive_reads_back() -> None:
    found = unpack(pack(SMALL))
    assert (found.files, found.damage) == (SMALL, ())
    assert pack(dict(reversed(SMALL.items()))) == pack(SMALL)


def test_every_single_flipped_bit_of_an_archive_is_named() -> None:
    """Each bit of each byte: content, headers, directory, end."""
    good = pack(SMALL)
    for place in range(len(good)):
        for bit in range(8):
            bent = bytearray(good)
            bent[place] ^= 1 << bit
            try:
                found = unpack(bytes(bent))
            except MalformedError:
                continue
            assert found.damage, (place, bit)
            inside = next((n for n, c in SMALL.items() if c and good.find(c, place - len(c) + 1, place + len(c)) >= 0), None)
            if inside == "d.bin" and good.index(SMALL["d.bin"]) <= place < good.index(SMALL["d.bin"]) + 64:
                assert {d.where for d in found.damage} == {"d.bin"}


@given(data=st.binary(max_size=400))
def test_any_bytes_are_an_archive_or_one_error(data: bytes) -> None:
    try:
        found = unpack(data)
    except MalformedError:
        return
    assert found.damage or pack(found.files) == data


@given(cut=st.integers(1, len(pack(SMALL)) - 1), more=st.binary(min_size=1, max_size=9))
def test_a_cut_or_lengthened_archive_is_named(cut: int, more: bytes) -> None:
    for bent in (pack(SMALL)[:-cut], pack(SMALL) + more):
        with contextlib.suppress(MalformedError):
            assert unpack(bent).damage


@pytest.mark.parametrize("name", ["", "/a", "a/", "../a", "a//b", "a b", "ä", ".a", "a/../b", "a\n"])
def test_only_plain_names(name: str) -> None:
    with pytest.raises(ValueError, match="plain"):
        pack({name: b""})


# bundles of a signed photo


@dataclass(frozen=True)
class Made:
    """A photo and its edit, signed in one home, and a bundle of the edit."""

    house: House
    photo: Path
    edited: Path
    asset_id: str
    parent_id: str
    at: datetime
    data: bytes
    earlier: bytes  # a checkpoint from before the edit

    def workers(self) -> Workers:
        return self.house.desk.workers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("bundles")
    at = datetime.now(UTC).replace(microsecond=0)
    source, second = folder / "source.png", folder / "second.png"
    pixels = np.random.default_rng(4).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((160, 120)).save(source)
    Image.fromarray(pixels[5:, 5:]).resize((140, 100)).save(second)
    with open_house(Settings(home=folder / "home", trust_interim=False, tsa="none", worker_count=1)) as house:
        studio = house.studio()
        parent = sign(SignRequest(source, folder / "photo.png", mark="none"), studio, at=at)
        number(house)
        earlier = house.log.checkpoint()
        child = edit(
            EditRequest(folder / "photo.png", second, folder / "edited.png", ("c2pa.cropped",), mark="none"), studio, at=at
        )
        number(house)
        data = make(child.asset_id, house.desk, house.log, at=at, media=child.path, held=[earlier])
        yield Made(house, parent.path, child.path, child.asset_id, parent.asset_id, at, data, earlier)


Rewrite = Callable[[dict[str, bytes]], None]


def rewritten(data: bytes, change: Rewrite, *, index: bool = True) -> bytes:
    """A bundle with something else in it, its digests made to fit again: what a forger would hand on."""
    files = dict(unpack(data).files)
    change(files)
    if index and INDEX in files:
        listed = json.loads(files[INDEX])
        listed["files"] = {n: hashlib.sha256(c).hexdigest() for n, c in sorted(files.items()) if n != INDEX}
        files[INDEX] = json.dumps(listed, indent=1, ensure_ascii=False).encode() + b"\n"
    return pack(files)


def test_a_bundle_holds(made: Made) -> None:
    found = audit(made.data, made.workers())
    assert (found.result, found.status, found.failed) == ("holds", "trusted", ())
    files = unpack(made.data).files
    entries = json.loads(files["trail/entries.json"])
    assert [json.loads(entry["body"])["kind"] for entry in entries] == ["captured", "edited"]
    assert [json.loads(entry["body"])["asset"] for entry in entries] == [made.parent_id, made.asset_id]
    assert files["media/asset.png"] == made.edited.read_bytes()
    assert b"BEGIN CERTIFICATE" in files["certificates/0.pem"]
    assert b"<script" not in files["report.html"]
    assert made.asset_id.encode() in files["report.html"]
    for name in files:  # no path of this machine, no name of this file
        assert str(made.photo.parent).encode() not in files[name]


def test_the_same_again_is_the_same_bytes(made: Made) -> None:
    again = make(made.asset_id, made.house.desk, made.house.log, at=made.at, media=made.edited, held=[made.earlier])
    assert again == made.data


def test_without_the_file_its_digest_stands(made: Made) -> None:
    data = make(made.asset_id, made.house.desk, made.house.log, at=made.at)
    digest = hashlib.sha256(made.edited.read_bytes()).hexdigest()
    found = audit(data, made.workers(), Held(media_sha256=digest))
    assert (found.result, found.status) == ("holds", "unknown")  # nothing is said of content that nobody looked at
    assert audit(data, made.workers(), Held(media_sha256="0" * 64)).result == "fails"


def test_what_cannot_be_bundled(made: Made) -> None:
    with pytest.raises(NotFoundError):
        make("nobody", made.house.desk, made.house.log, at=made.at)
    with pytest.raises(InputError, match="byte for byte"):
        make(made.asset_id, made.house.desk, made.house.log, at=made.at, media=made.photo)
    with pytest.raises(InputError):
        make(made.asset_id, made.house.desk, made.house.log, at=made.at, media=made.photo / "none")


def test_a_held_checkpoint_must_be_continued(made: Made) -> None:
    newest = made.house.log.checkpoint()
    for held in (made.earlier, newest):
        found = audit(made.data, made.workers(), Held(checkpoint=held, keys=made.house.log.public_keys()))
        assert found.result == "holds"
    without = rewritten(made.data, lambda files: files.update({"trail/consistency.json": b"[]\n"}))
    assert audit(without, made.workers(), Held(checkpoint=made.earlier)).result == "undecided"


def test_another_log_does_not_pass_for_the_one_held(made: Made, seeded: Callable[[str], Any]) -> None:
    strangers = seeded("stranger").keys(made.house.log.public_keys()[0].name)
    found = audit(made.data, made.workers(), Held(keys=strangers))
    assert [f.where for f in found.failed] == ["trail/checkpoint"]
    forged = parse_note(made.earlier).text.replace("\n1\n", "\n2\n")
    note = forged + "\n" + "".join(s.line for s in parse_note(made.earlier).signatures)
    found = audit(made.data, made.workers(), Held(checkpoint=note.encode()))
    assert [f.where for f in found.failed] == ["the checkpoint that you hold"]
    assert audit(made.data, made.workers(), Held(checkpoint=b"nonsense")).result == "fails"
    witness = seeded("witness").keys("witness.example")[1:]
    found = audit(made.data, made.workers(), Held(witnesses=witness))
    assert [f.say for f in found.failed] == ["witness.example did not cosign it."]


@pytest.mark.slow
def test_a_flipped_byte_anywhere_is_named(made: Made) -> None:
    rng = random.Random(9)
    files, places, offset = unpack(made.data).files, [], 0
    for where, content in _regions(files):
        if where in files and content:
            places.append((where, offset + rng.randrange(len(content))))
        offset += len(content)
    places += [(None, rng.randrange(len(made.data))) for _ in range(12)]
    places += [(None, len(made.data) - 1 - rng.randrange(900)) for _ in range(6)]
    for name, place in places:
        bent = bytearray(made.data)
        bent[place] ^= 1 << rng.randrange(8)
        found = audit(bytes(bent), made.workers())
        assert found.result == "fails", place
        assert all(f.where for f in found.failed)
        if name is not None:
            assert name in {f.where for f in found.failed}, (name, place)


def _json_change(name: str, change: Callable[[Any], Any]) -> Rewrite:
    def run(files: dict[str, bytes]) -> None:
        value = json.loads(files[name])
        new = change(value)
        value = value if new is None else new
        files[name] = json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"

    return run


def _set(*path: Any, to: Any) -> Callable[[Any], None]:
    def run(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "where"),
    [
        (_json_change("verdict.json", _set("status", to="valid")), "verdict.json"),
        (_json_change("verdict.json", _set("summary", to="All is well.")), "verdict.json"),
        (_json_change("verdict.json", lambda _: ["no", "verdict"]), "verdict.json"),
        (_json_change("evidence.json", _set("trust_lists", to=[])), "verdict.json"),
        (_json_change("evidence.json", _set("withdrawn", to=True)), "verdict.json"),
        (
            _json_change(
                "evidence.json", _set("revocations", to={"ab" * 32: {"at": "2026-01-01T00:00:00+00:00", "reason": "x"}})
            ),
            "evidence.json",
        ),
        (_json_change("evidence.json", _set("trust_lists", 0, "anchors", to="none")), "verdict.json"),
        (_json_change("evidence.json", _set("trust_lists", 0, "anchors", to=None)), "evidence.json"),
        (_json_change("trail/entries.json", lambda e: [e[1], e[0]]), "trail/entries.json"),
        (_json_change("trail/entries.json", lambda e: e[:1]), "trail/entries.json"),
        (_json_change("trail/entries.json", lambda _: []), "trail/entries.json"),
        (_json_change("trail/entries.json", _set(1, "payload", to='{"sha256":"x"}')), "trail/entries.json"),
        (_json_change("trail/entries.json", _set(1, "salt", to="00" * 16)), "trail/entries.json"),
        (_json_change("trail/entries.json", _set(1, "salt", to=None)), "trail/entries.json"),
        (_json_change("trail/entries.json", _set(1, "body", to="{}")), "trail/1.tlog-proof"),
        (_json_change("trail/entries.json", _set(1, "seq", to=0)), "trail/entries.json"),
        (_json_change("trail/consistency.json", _set(0, "from", to="x")), "trail/consistency.json"),
        (_json_change(INDEX, _set("asset", "sha256", to="0" * 64)), "media/asset.png"),
        (_json_change(INDEX, _set("asset", "manifest_id", to="urn:c2pa:0")), "manifests/0.c2pa"),
        (_json_change(INDEX, _set("format", to="another")), INDEX),
        (_json_change(INDEX, _set("made_at", to="2001-01-01T00:00:00+00:00")), "verdict.json"),
        (lambda files: files.update({"media/asset.png": b"x"}), "media/asset.png"),
        (lambda files: files.update({"manifests/0.c2pa": files["manifests/1.c2pa"]}), "manifests/0.c2pa"),
        (lambda files: files.update({"manifests/1.c2pa": b"x"}), "manifests/1.c2pa"),
        (lambda files: files.update({"trail/0.tlog-proof": files["trail/1.tlog-proof"]}), "trail/0.tlog-proof"),
        (lambda files: files.update({"trail/0.tlog-proof": b"x"}), "trail/0.tlog-proof"),
        (lambda files: files.update({"trail/checkpoint": b"x"}), "trail/checkpoint"),
        (lambda files: files.update({"trail/keys": b"\n"}), "trail/keys"),
        (lambda files: files.update({"report.html": b"All is well."}), "report.html"),
        (lambda files: files.update({"certificates/0.pem": b""}), "certificates/0.pem"),
        (lambda files: files.update({"certificates/7.pem": b""}), "certificates/7.pem"),
        (lambda files: files.pop("certificates/1.pem"), "certificates/1.pem"),
        (lambda files: files.pop("trail/keys"), "trail/keys"),
        (lambda files: files.pop("verdict.json"), "verdict.json"),
        (lambda files: files.pop(INDEX), INDEX),
    ],
)
def test_what_a_forger_changes_is_named(made: Made, change: Rewrite, where: str) -> None:
    """The digests of the index fit again: what is left are signatures, proofs and the judge."""
    found = audit(rewritten(made.data, change), made.workers())
    assert where in {f.where for f in found.failed}, [f.as_dict() for f in found.findings]


def test_a_file_too_many_or_too_few_is_named(made: Made) -> None:
    more = audit(rewritten(made.data, lambda files: files.update({"extra": b""}), index=False), made.workers())
    assert [f.where for f in more.failed] == ["extra"]
    less = audit(rewritten(made.data, lambda files: files.pop("report.html"), index=False), made.workers())
    assert "report.html" in {f.where for f in less.failed}


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_finding_and_never_an_error(data: bytes) -> None:
    assert audit(data, None).result == "fails"  # type: ignore[arg-type] - nothing gets as far as a worker


@pytest.mark.slow
def test_revoked_and_withdrawn_show_and_cannot_be_left_out(made: Made) -> None:
    """Last in this module: it changes the home."""
    registry = made.house.desk.registry
    assert registry is not None
    record = registry.asset(made.asset_id)
    assert record is not None
    later = made.at + timedelta(seconds=1)
    registry.revoke(record.signer_fingerprint, reason="keyCompromise", at=made.at)
    registry.withdraw(made.asset_id, "asked for", later)
    number(made.house)
    data = make(made.asset_id, made.house.desk, made.house.log, at=later, media=made.edited)
    found = audit(data, made.workers(), Held(checkpoint=made.earlier))
    assert (found.result, found.status) == ("holds", "revoked")
    silent = rewritten(data, _json_change("evidence.json", lambda e: {**e, "revocations": {}, "withdrawn": False}))
    assert "evidence.json" in {f.where for f in audit(silent, made.workers()).failed}
