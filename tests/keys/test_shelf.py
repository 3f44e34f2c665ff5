"""Trust lists that are taken in: pinned or signed, never older, never half."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys import shelf
from keys.certificate import to_pem
from keys.errors import TrustListError
from keys.lists import ListKind, bundled

NOW = datetime.now(UTC)


@pytest.fixture
def pem(lab: Any) -> bytes:
    return to_pem((lab.ca("A root").certificate,)).encode()


def keep(folder: Path, data: bytes, **changes: Any) -> Any:
    given = {
        "kind": ListKind.SIGNER,
        "name": "Mine",
        "uri": "urn:x",
        "source": "x",
        "day": date(2026, 9, 1),
        "pinned_by": "x",
        "today": NOW,
    }
    return shelf.keep(folder, data, **(given | changes))


def test_a_list_adds_to_the_bundled_ones_or_replaces_one(tmp_path: Path, pem: bytes) -> None:
    assert shelf.merged(tmp_path / "none") == bundled()
    made = keep(tmp_path, pem)
    assert shelf.merged(tmp_path) == (*bundled(), made)
    name = bundled()[0].name
    keep(tmp_path, pem, name=name)
    found = shelf.merged(tmp_path)
    assert [one.name for one in found if one.kind is ListKind.SIGNER].count(name) == 1
    assert found[0].digest == "sha256:" + hashlib.sha256(pem).hexdigest()


def test_the_digest_must_be_the_one_that_was_named(pem: bytes) -> None:
    right = hashlib.sha256(pem).hexdigest()
    assert shelf.require_digest(pem, right.upper(), "x") == shelf.require_digest(pem, f"sha256:{right}", "x")
    for wrong in ("0" * 64, right[:-1], "", "sha256:"):
        with pytest.raises(TrustListError):
            shelf.require_digest(pem, wrong, "x")


def test_a_signature_by_openssl(tmp_path: Path, pem: bytes, lab: Any) -> None:
    signer, other = lab.issue("editor"), lab.issue("somebody")
    (tmp_path / "list.pem").write_bytes(pem)
    (tmp_path / "cert.pem").write_text(to_pem((signer.certificate,)))
    (tmp_path / "key.pem").write_bytes(signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for more in ([], ["-noattr"], ["-md", "sha384"]):
        command = [
            "openssl",
            "cms",
            "-sign",
            "-binary",
            "-in",
            "list.pem",
            "-signer",
            "cert.pem",
            "-inkey",
            "key.pem",
            "-outform",
            "DER",
            "-out",
            "s",
        ]
        subprocess.run([*command, *more], cwd=tmp_path, check=True, capture_output=True)
        signature = (tmp_path / "s").read_bytes()
        assert shelf.require_signature(pem, signature, signer.certificate, "x", at=NOW).startswith("signed by sha256:")
        broken = signature[:-1] + bytes([signature[-1] ^ 1])
        wrong = (
            (pem + b"\n", signature, signer),
            (pem, signature, other),
            (pem, broken, signer),
            (pem, b"", signer),
            (pem, pem, signer),
        )
        for data, mark, who in wrong:
            with pytest.raises(TrustListError, match="does not hold"):
                shelf.require_signature(data, mark, who.certificate, "x", at=NOW)
    with pytest.raises(TrustListError, match="expired"):
        shelf.require_signature(pem, signature, signer.certificate, "x", at=NOW + timedelta(days=900))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"day": date(2999, 1, 1)}, "still to come"),
        ({"name": "C2PA Trust List", "day": date(2020, 1, 1)}, "older than the one in use"),
        ({"name": "../x"}, "name has"),
        ({"name": ""}, "name has"),
    ],
)
def test_lists_that_are_not_taken(tmp_path: Path, pem: bytes, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(TrustListError, match=says):
        keep(tmp_path, pem, **changes)
    assert shelf.kept(tmp_path) == ()


@pytest.mark.parametrize(
    "data", [b"", b"no list", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n", bytes(5 << 20)]
)
def test_bytes_that_are_no_list(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(TrustListError):
        keep(tmp_path, data)
    assert shelf.kept(tmp_path) == ()


def test_a_shelf_that_somebody_touched_is_not_used(tmp_path: Path, pem: bytes, lab: Any) -> None:
    keep(tmp_path, pem)
    (path,) = tmp_path.glob("*.pem")
    path.write_bytes(to_pem((lab.ca("Another root").certificate,)).encode())
    with pytest.raises(TrustListError, match="was changed"):
        shelf.merged(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(TrustListError, match="damaged"):
        shelf.merged(tmp_path)


def test_age_and_ended_anchors_are_told(tmp_path: Path, lab: Any) -> None:
    ended = lab.ca("Ended", end=timedelta(days=-3))
    soon = lab.ca("Soon", end=timedelta(days=10))
    made = keep(tmp_path, to_pem((ended.certificate, soon.certificate)).encode(), day=date(2026, 1, 2))
    said = [notice.say for notice in shelf.notices([made], at=datetime(2026, 11, 22, tzinfo=UTC))]
    assert said[0] == "is 324 days old"
    assert "1 of 2 anchors have ended" in said[1]
    assert "1 of 2 anchors end within 30 days" in said[2]
    assert shelf.notices([made], at=datetime(2026, 1, 3, tzinfo=UTC)) == ()


def test_kinds_are_kept_apart_on_the_shelf(tmp_path: Path, pem: bytes) -> None:
    for kind in ListKind:
        keep(tmp_path, pem, kind=kind)
    assert {one.kind for one in shelf.kept(tmp_path)} == set(ListKind)
    assert {json.loads(path.read_text())["kind"] for path in tmp_path.glob("*.json")} == {"signer", "tsa", "identity"}
