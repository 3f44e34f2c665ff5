"""Which bytes a time stamp covers, and what ours says of the stamps of many writers, at 2026-11-21."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest

from keys.timestamp import TimeState, check_token, message_assertion, message_v1, message_v2
from keys.trust import bundled

AT = datetime(2026, 11, 21, tzinfo=UTC)
INTERIM = "Interim trust list (frozen), time stamps"

STAMPS = [  # file, manifest, state, stamped day, list
    ("adobe-2024.pdf", 2, "trusted", "2023-11-27", INTERIM),
    ("adobe-C.jpg", 0, "trusted", "2023-01-24", INTERIM),
    ("boxhash.jpg", 0, "trusted", "2022-06-15", INTERIM),
    ("dalle.webp", 1, "trusted", "2024-03-08", INTERIM),
    ("digimarc-photo.jpg", 1, "trusted", "2023-11-29", INTERIM),
    ("truepic-2023-camera.jpg", 0, "trusted", "2023-02-12", INTERIM),  # SHA-384 imprint
    ("ms-expired-with-timestamp.jpg", 0, "trusted", "2024-05-30", INTERIM),
    ("ocsp-stapled.jpg", 1, "trusted", "2025-08-13", INTERIM),
    ("cawg-x509.jpg", 0, "trusted", "2025-07-29", INTERIM),
    ("ebu-sony-cawg.mp4", 1, "trusted", "2026-01-26", INTERIM),
    ("pixel-2026-02.jpg", 0, "trusted", "2026-02-08", "C2PA TSA Trust List"),
    ("pixel-2026-02.jpg", 1, "trusted", "2026-02-08", "C2PA TSA Trust List"),
    ("trustnxt.heic", 0, "untrusted", "2025-01-27", None),  # a public TSA on no list; sigTst2 with a whole response in it
    ("adobe-E-sig-CA.jpg", 0, "invalid", None, None),  # the claim was changed after stamping
    ("adobe-CIE-sig-CA.jpg", 0, "invalid", None, None),
]


@pytest.mark.parametrize(("file", "manifest", "state", "day", "list_name"), STAMPS)
def test_stamp(signatures: Any, file: str, manifest: int, state: str, day: str | None, list_name: str | None) -> None:
    found = signatures(file)[manifest]
    label, token = found.token()
    second = found.claim if label == "sigTst" else found.signature
    message = (message_v1 if label == "sigTst" else message_v2)(found.protected, second)
    stamp = check_token(token, message, bundled(), at=AT)
    assert (stamp.state, stamp.at and f"{stamp.at:%Y-%m-%d}", stamp.list_name) == (state, day, list_name), stamp
    assert (stamp.reason is None) == (state == "trusted")


def test_only_the_right_message_is_covered(signatures: Any) -> None:
    """The same token against the neighbouring readings of the standard."""
    for file in ("adobe-C.jpg", "pixel-2026-02.jpg"):
        found = signatures(file)[0]
        label, token = found.token()
        v1, v2 = message_v1(found.protected, found.claim), message_v2(found.protected, found.signature)
        right = v1 if label == "sigTst" else v2
        for message in (v1, v2, found.signature, found.claim, message_v1(found.protected, found.signature), b""):
            expected = TimeState.TRUSTED if message == right else TimeState.INVALID
            assert check_token(token, message, bundled(), at=AT).state is expected


def test_without_the_interim_list_its_stamps_are_untrusted(signatures: Any) -> None:
    found = signatures("ms-expired-with-timestamp.jpg")[0]
    _, token = found.token()
    stamp = check_token(token, message_v1(found.protected, found.claim), bundled()[:2], at=AT)
    assert (stamp.state, stamp.code) == (TimeState.UNTRUSTED, "timeStamp.untrusted")
    assert stamp.at == datetime(2024, 5, 30, 21, 42, 8, tzinfo=UTC)
    assert "DigiCert" in (stamp.tsa or "")


def test_a_stamp_in_an_update_manifest_of_2025(signatures: Any, read_boxes: Any, corpus: Path) -> None:
    """It covers the whole COSE_Sign1 of the manifest it is for, which today's writers no longer do."""
    parent = signatures("update-manifest.jpg")[0]
    boxes = read_boxes((corpus / "c2pa" / "update-manifest.jpg").read_bytes())
    (token,) = (cbor2.loads(box) for path, box in boxes if path[-1] == "c2pa.time-stamp")
    (cose,) = (box for path, box in boxes if path[-1] == "c2pa.signature" and parent.signature in box)
    states = [
        check_token(next(iter(token.values())), message, bundled(), at=AT).state
        for message in (cose, message_assertion(parent.signature), message_v2(parent.protected, parent.signature))
    ]
    assert states == [TimeState.TRUSTED, TimeState.INVALID, TimeState.INVALID]
