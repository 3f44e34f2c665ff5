"""Stamps of claim v1 count only from an authority on a TSA list; the library looks at none for them.

Every manifest of the corpus that has one is weighed four times: as it is, without TSA lists, with their anchors on a *signer*
list, and with another's TSA list. All but the first must give no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keys.keystore import init_development
from keys.lists import ListKind, TrustList, bundled
from keys.timestamp import message_v1, parse_response, request
from provenance import sdk
from provenance.appraisal import Appraisal, appraise
from provenance.credential import Credential, Manifest
from provenance.verdict import Trust
from watermark import media

AT = datetime(2026, 11, 21, tzinfo=UTC)
FILES = (
    "adobe-2024.pdf",
    "adobe-CACAICAICICA.jpg",
    "adobe-video1.mp4",
    "boxhash.jpg",
    "cawg-ica-success.jpg",
    "dalle.webp",
    "digimarc-photo.jpg",
    "genai-actions-v2.jpg",
    "ms-cards.avif",
    "ms-cards.svg",
    "ms-cicadas.mp3",
    "ms-expired-with-timestamp.jpg",
    "ocsp-stapled.jpg",
    "sample-signed.avi",
    "truepic-2023-camera.jpg",
)
SIGNERS = tuple(one for one in bundled() if one.kind is ListKind.SIGNER)
AUTHORITIES = tuple(one for one in bundled() if one.kind is ListKind.TSA)
POOLED = tuple(replace(one, kind=ListKind.SIGNER) for one in AUTHORITIES)


def credential(path: Path) -> Credential:
    kind = media.sniff(path.read_bytes()[:8192], path.name)
    with path.open("rb") as stream:
        found = sdk.read(stream, kind)
    assert isinstance(found, Credential)
    return found


def weigh(manifest: Manifest, found: Credential, lists: Sequence[TrustList]) -> Appraisal:
    return appraise(manifest, credential=found, lists=lists, revocations={}, at=AT)


@pytest.mark.parametrize("file", FILES)
def test_a_listed_authority_gives_the_time_and_no_other_does(corpus: Path, tmp_path: Path, file: str) -> None:
    found = credential(corpus / "c2pa" / file)
    stamped = [m for m in found.manifests.values() if m.sealed and {name for name, _ in m.sealed.stamps} == {"sigTst"}]
    assert stamped
    ours = init_development(tmp_path / "keys", now=AT).development_lists()
    for manifest in stamped:
        listed = weigh(manifest, found, bundled())
        assert listed.time.state == "trusted"
        assert listed.time.at is not None
        assert listed.leaf_not_after is not None
        for lists in (SIGNERS, (*SIGNERS, *POOLED), (*SIGNERS, *ours)):
            alone = weigh(manifest, found, lists)
            assert (alone.time.state, alone.time.at) == ("untrusted", None)
            assert alone.trust is (Trust.EXPIRED if listed.leaf_not_after < AT else Trust.UNTRUSTED)


def test_those_who_depend_on_it_are_among_them(corpus: Path) -> None:
    """Controls: for some of these files the stamp is all that keeps the signer trusted."""
    saved = 0
    for file in FILES:
        found = credential(corpus / "c2pa" / file)
        with_time, without = (weigh(found.manifest, found, lists).trust for lists in (bundled(), SIGNERS))
        saved += (with_time, without) == (Trust.TRUSTED, Trust.EXPIRED)
    assert saved >= 4


def test_an_ended_leaf_is_not_stamped_back_to_life(corpus: Path, tmp_path: Path) -> None:
    """Anybody can run an authority whose clock says what they like: a forged stamp from within the leaf's validity."""
    found = credential(corpus / "c2pa" / "ms-expired-no-timestamp.jpg")
    sealed = found.manifest.sealed
    assert sealed is not None
    assert sealed.stamps == ()
    end = weigh(found.manifest, found, bundled()).leaf_not_after
    assert end is not None
    assert end < AT
    then = end.replace(minute=0, second=0) - timedelta(hours=2)
    forger = init_development(tmp_path / "forger", now=then)
    answer = forger.tsa().respond(request(message_v1(sealed.protected, sealed.claim), nonce=7), at=then, serial=1)
    forged = replace(found.manifest, sealed=replace(sealed, stamps=(("sigTst", parse_response(answer, nonce=7)),)))
    told = weigh(forged, found, bundled())
    assert (told.time.state, told.time.at, told.trust) == ("untrusted", None, Trust.EXPIRED)
    believed = weigh(forged, found, (*bundled(), *forger.development_lists()))  # the token is sound: only the list decides
    assert (believed.time.state, believed.time.at) == ("trusted", then)
    assert believed.trust is Trust.UNTRUSTED
