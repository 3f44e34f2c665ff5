"""Who may sign what: the policy's words, the journal, capture codes, rates; and nothing lost under kill -9."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from keys import journal, policy
from keys.algorithms import verify
from keys.book import Book
from keys.errors import KeyFileError, KeysError, SigningRefusedError
from keys.journal import Journal, Signature
from keys.keystore import Keystore, init_development
from keys.notary import Notary
from keys.policy import Rule, Statement, parse
from keys.signers.socket import SocketSigner
from tests.keys.test_service import CLAIM_V2, structure

NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    return init_development(tmp_path / "keys", now=NOW)


def claim(number: int = 0, **info: str) -> dict[str, Any]:
    return CLAIM_V2 | {"instanceID": f"xmp:iid:{number}", "claim_generator_info": {"name": "Colophon"} | info}


def stating(source: str | None = None, media: str | None = None, code: str | None = None, number: int = 0) -> dict[str, Any]:
    said = {policy.SOURCE_TYPE: source, policy.MEDIA_TYPE: media, policy.CAPTURE_CODE: code}
    return claim(number, **{name: value for name, value in said.items() if value})


def sign(store: Keystore, content: dict[str, Any], *, notary: Notary | None = None, at: datetime = NOW) -> bytes:
    signer = store.signer()
    tbs = structure(signer.chain[0], content)
    signature = (notary or Notary(store.folder)).sign("development", signer, tbs, at=at)
    assert verify(signer.chain[0].public_key(), signer.alg, signature, tbs)
    return signature


def refused(store: Keystore, content: dict[str, Any], **more: Any) -> str:
    with pytest.raises(SigningRefusedError) as caught:
        sign(store, content, **more)
    return caught.value.code


# --- the words


@pytest.mark.parametrize(
    ("rule", "said", "code"),
    [
        ({}, Statement("x"), None),
        ({"generators": ["Colophon"]}, Statement("Colophon"), None),
        ({"generators": ["Colophon"]}, Statement("Other"), "generator"),
        ({"generators": []}, Statement("Colophon"), "generator"),
        ({"source_types": ["digitalCapture"]}, Statement("x", "digitalCapture"), None),
        ({"source_types": ["digitalCapture"]}, Statement("x", "trainedAlgorithmicMedia"), "source_type"),
        ({"source_types": ["digitalCapture"]}, Statement("x"), "source_type"),
        ({"source_types": ["none"]}, Statement("x"), None),
        ({"media_types": ["image/jpeg"]}, Statement("x", media_type="image/jpeg"), None),
        ({"media_types": ["image/jpeg"]}, Statement("x", media_type="image/png"), "media_type"),
        ({"media_types": ["image/jpeg"]}, Statement("x"), "media_type"),
        ({"consent_for": ["compositeSynthetic"]}, Statement("x", "compositeSynthetic"), "consent"),
        ({"consent_for": ["compositeSynthetic"]}, Statement("x", "digitalCapture"), None),
        ({"consent_for": ["a"]}, Statement("x", "a", labels=frozenset({policy.CONSENT})), None),
        ({"capture_code": True}, Statement("x"), "capture_code"),
        ({"capture_code": True}, Statement("x", code="abc"), None),
    ],
)
def test_rules(rule: dict[str, Any], said: Statement, code: str | None) -> None:
    objection = parse({"default": rule}).default.objection(said)
    assert (objection[0] if objection else None) == code


def test_a_key_with_lines_of_its_own_follows_those_alone() -> None:
    found = parse({"default": {"generators": ["A"]}, "keys": {"studio": {"per_minute": 5}}})
    assert found.rule("studio") == Rule(per_minute=5)
    assert found.rule("other").generators == {"A"}


@pytest.mark.parametrize(
    "text",
    [
        "[defaults]\n", "default = 3", "keys = 3", "[default]\ncolour = 1", "[default]\nper_minute = -1", "not toml",
        "[default]\nper_minute = true", "[default]\ngenerators = 'Colophon'", "[default]\ncapture_code = 1",
        "[default]\nmedia_types = [1]", "[keys]\nstudio = 4", "[default]\nsource_types = ['']",
    ],
)  # fmt: skip
def test_half_a_policy_stops_all_signing(store: Keystore, text: str) -> None:
    (store.folder / policy.NAME).write_text(text)
    with pytest.raises(KeyFileError, match=r"policy\.toml"):
        sign(store, claim())
    assert journal.read(store.folder) == (None, ())


# --- what the signing process does with it


def test_a_policy_holds_and_is_read_again_when_it_changes(store: Keystore) -> None:
    notary = Notary(store.folder)
    sign(store, stating("digitalCapture"), notary=notary)
    (store.folder / policy.NAME).write_text('[default]\nsource_types = ["digitalCapture"]\nmedia_types = ["image/jpeg"]\n')
    assert refused(store, stating("trainedAlgorithmicMedia", "image/jpeg"), notary=notary) == "source_type"
    assert refused(store, stating("digitalCapture", "image/png"), notary=notary) == "media_type"
    sign(store, stating("digitalCapture", "image/jpeg"), notary=notary)
    assert len(journal.read(store.folder)[1]) == 2  # what was refused was not signed


def test_claims_of_version_1_state_their_type_in_their_own_words(store: Keystore) -> None:
    (store.folder / policy.NAME).write_text('[default]\nmedia_types = ["image/png"]\ngenerators = ["test/1"]\n')
    old = {
        "instanceID": "i", "claim_generator": "test/1", "signature": "self#jumbf=c2pa.signature", "dc:format": "image/jpeg",
        "assertions": CLAIM_V2["created_assertions"],
    }  # fmt: skip
    assert refused(store, old) == "media_type"
    sign(store, old | {"dc:format": "image/png"})


def test_a_rate_outlives_the_process(store: Keystore) -> None:
    (store.folder / policy.NAME).write_text("[default]\nper_minute = 3\n")
    for number in range(3):
        sign(store, claim(number))  # a new notary each time: what it knows it has from the journal
    assert refused(store, claim(3)) == "rate"
    assert refused(store, claim(3), at=NOW + timedelta(seconds=59)) == "rate"
    sign(store, claim(3), at=NOW + timedelta(seconds=61))


def test_an_expired_or_future_certificate_signs_nothing(store: Keystore) -> None:
    assert refused(store, claim(), at=NOW + timedelta(days=91)) == "expired"
    assert refused(store, claim(), at=NOW - timedelta(days=1)) == "expired"
    assert journal.read(store.folder) == (None, ())


def code(store: Keystore, word: str = "once", *, key: str = "development", life: timedelta = timedelta(hours=1)) -> str:
    Book(store.folder).offer_codes([hashlib.sha256(word.encode()).hexdigest()], key=key, expires=NOW + life)
    return word


def test_a_capture_code_is_good_for_one_claim(store: Keystore) -> None:
    (store.folder / policy.NAME).write_text("[default]\ncapture_code = true\n")
    notary = Notary(store.folder)
    assert refused(store, stating(code="guessed"), notary=notary) == "capture_code"
    word = code(store)
    sign(store, stating(code=word), notary=notary)
    assert refused(store, stating(code=word, number=1), notary=notary) == "capture_code"
    assert refused(store, stating(code=word, number=1)) == "capture_code"  # nor by another process
    sign(store, stating(code=word))  # the same claim: its answer may have been lost
    assert word not in (store.folder / journal.NAME).read_text()


def test_a_capture_code_of_another_key_or_time(store: Keystore) -> None:
    assert refused(store, stating(code=code(store, "a", key="other"))) == "capture_code"
    assert refused(store, stating(code=code(store, "b", life=timedelta(0)))) == "capture_code"
    (store.folder / policy.NAME).write_text("[default]\ncapture_code = true\n")
    assert refused(store, claim()) == "capture_code"


def test_one_code_many_at_once(store: Keystore) -> None:
    word, done = code(store), []

    def attempt(number: int, notary: Notary) -> None:
        try:
            done.append(sign(store, stating(code=word, number=number), notary=notary))
        except SigningRefusedError as error:
            assert error.code == "capture_code"

    notaries = (Notary(store.folder), Notary(store.folder))
    threads = [threading.Thread(target=attempt, args=(n, notaries[n % 2])) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1


# --- the journal


def entry(number: int) -> Signature:
    return Signature(NOW, "k", "f" * 64, f"{number:064x}", "i", "g", None, None)


def test_entries_are_numbered_without_gaps_whoever_writes(tmp_path: Path) -> None:
    one, two = Journal(tmp_path), Journal(tmp_path)
    for number in range(6):
        (one if number % 2 else two).enter(entry(number), lambda _: None)
    name, found = journal.read(tmp_path)
    assert name
    assert [e.n for e in found] == [1, 2, 3, 4, 5, 6]
    assert [e.n for e in journal.read(tmp_path, after=4)[1]] == [5, 6]
    assert [e.n for e in journal.read(tmp_path, after=1, limit=2)[1]] == [2, 3]


@pytest.mark.parametrize("left", [b'{"n": 3, "at"', b"\x00\x00", b"{"])
def test_what_a_crash_left_is_written_over(tmp_path: Path, left: bytes) -> None:
    for number in range(2):
        Journal(tmp_path).enter(entry(number), lambda _: None)
    with (tmp_path / journal.NAME).open("ab") as file:
        file.write(left)
    assert len(journal.read(tmp_path)[1]) == 2
    Journal(tmp_path).enter(entry(2), lambda _: None)
    assert [e.n for e in journal.read(tmp_path)[1]] == [1, 2, 3]
    assert all(json.loads(line) for line in (tmp_path / journal.NAME).read_bytes().splitlines())


def test_a_first_line_that_a_crash_cut_off(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_bytes(b'{"journal": "12')
    assert journal.read(tmp_path) == (None, ())
    Journal(tmp_path).enter(entry(0), lambda _: None)
    name, found = journal.read(tmp_path)
    assert name
    assert [e.n for e in found] == [1]


def test_what_follows_a_number_is_found_in_a_long_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Journal(tmp_path)
    for number in range(300):
        writer.enter(entry(number), lambda _: None)
    monkeypatch.setattr(journal, "_NEAR", 100)  # halving all the way down to a line
    seen: list[bytes] = []
    parsed = journal._parsed
    monkeypatch.setattr(journal, "_parsed", lambda line: seen.append(line) or parsed(line))  # type: ignore[func-returns-value]
    for after in (0, 1, 149, 150, 298, 299, 300, 1000):
        seen.clear()
        assert [e.n for e in journal.read(tmp_path, after=after, limit=2)[1]] == [n for n in (after + 1, after + 2) if n <= 300]
        assert len(seen) < 40, after  # of three hundred


def test_a_long_journal_is_laid_aside_and_goes_on(tmp_path: Path) -> None:
    old, spent = NOW - timedelta(hours=1), "c" * 64
    other = Journal(tmp_path)  # a process that knows the journal from before
    other.enter(replace(entry(1), at=old, code=spent), lambda _: None)
    other.enter(replace(entry(2), at=old), lambda _: None)
    other.enter(entry(3), lambda _: None)
    before = (tmp_path / journal.NAME).read_bytes()
    name, _ = journal.read(tmp_path)

    assert journal.rotate(tmp_path, copied=2, now=NOW, longer_than=0) is None  # the third is nowhere else
    assert journal.rotate(tmp_path, copied=3, now=NOW) is None  # it is not long
    aside = journal.rotate(tmp_path, copied=3, now=NOW, longer_than=0)
    assert aside == tmp_path / "signed.3.jsonl"
    assert aside.read_bytes() == before
    assert (tmp_path / journal.NAME).stat().st_mode & 0o077 == 0
    assert [e.n for e in journal.read(tmp_path)[1]] == [1, 3]  # the spent code, and the last minute
    assert journal.read(tmp_path, after=3) == (name, ())

    for process in (other, Journal(tmp_path)):
        process.enter(entry(4), lambda j: None if j.spent_on(spent) == f"{1:064x}" else pytest.fail("the code is free again"))
        assert process.in_last_minute("k", NOW) >= 2
    assert [e.n for e in journal.read(tmp_path, after=3)[1]] == [4, 5]
    assert journal.rotate(tmp_path, copied=5, now=NOW + timedelta(hours=1), longer_than=0) == tmp_path / "signed.5.jsonl"
    Journal(tmp_path).enter(entry(6), lambda _: None)
    assert [e.n for e in journal.read(tmp_path)[1]] == [1, 6]


def test_a_rotation_that_was_killed_is_done_again(tmp_path: Path) -> None:
    Journal(tmp_path).enter(entry(1), lambda _: None)
    (tmp_path / "signed.1.jsonl").hardlink_to(tmp_path / journal.NAME)
    assert [e.n for e in journal.read(tmp_path)[1]] == [1]
    assert journal.rotate(tmp_path, copied=1, now=NOW + timedelta(hours=1), longer_than=0)
    Journal(tmp_path).enter(entry(2), lambda _: None)
    assert [e.n for e in journal.read(tmp_path)[1]] == [2]


def test_a_journal_that_cannot_be_written_stops_signing(store: Keystore) -> None:
    (store.folder / journal.NAME).mkdir()
    with pytest.raises(KeyFileError, match=r"signed\.jsonl"):
        sign(store, claim())


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_text("something else\n")
    with pytest.raises(KeyFileError, match="journal"):
        journal.read(tmp_path)


# --- kill -9


@pytest.fixture
def place() -> Iterator[Keystore]:
    with tempfile.TemporaryDirectory(prefix="k") as short:  # a socket path has about a hundred bytes
        yield init_development(Path(short) / "keys", now=NOW)


@pytest.mark.slow
def test_every_signature_that_anybody_got_is_in_the_journal(place: Keystore) -> None:
    """A signing process is killed eight times in the middle of its work."""
    dice, got, attempts = random.Random(5), [], 0
    leaf = place.signer().chain[0]
    for round_ in range(8):
        path = place.folder.parent / f"s{round_}" / "socket"
        with _started(place.folder, path) as process:
            signer = SocketSigner.connect(path)
            threading.Timer(dice.uniform(0.02, 0.3), process.send_signal, (signal.SIGKILL,)).start()
            while True:
                tbs = structure(leaf, claim(attempts))
                attempts += 1
                try:
                    signature = signer.sign(tbs)
                except KeysError:
                    break
                assert verify(leaf.public_key(), "es256", signature, tbs)
                got.append(f"xmp:iid:{attempts - 1}")
    _, entries = journal.read(place.folder)
    written = [entry.instance for entry in entries]
    assert got
    assert set(got) <= set(written)
    assert len(written) == len(set(written)) <= attempts
    assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))


def _started(folder: Path, path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "keys.service", "--folder", str(folder), "--socket", str(path), "--until-stdin-closes"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"ready"
    return process


def test_the_journal_has_no_certificate_and_no_content(store: Keystore) -> None:
    sign(store, claim())
    text = (store.folder / journal.NAME).read_bytes()
    assert store.signer().chain[0].public_bytes(Encoding.DER) not in text
    assert {"at", "key", "fingerprint", "claim", "instance", "generator", "source_type", "media_type", "code", "n"} == set(
        json.loads(text.splitlines()[1])
    )
