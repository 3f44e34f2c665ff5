"""One manifest weighed by itself: signature, binding, time, trust, revocation. Pure; the instant and all lists are given.

The library's codes are taken for what was hashed and compared. Trust, time and validity are decided here, because the
library pools signer and time stamp anchors, leaves the authority of old stamps unchecked and accepts expired roots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from keys.certificate import holder, load_der
from keys.timestamp import ABSENT, TimeStamp, TimeState, check_token, message_assertion, message_v1, message_v2
from keys.trust import ListKind, TrustList, build_path
from provenance.credential import Credential, Manifest
from provenance.jumbf import Sealed
from provenance.verdict import Binding, RevocationFacts, Signature, SignerFacts, TimeFacts, Trust

# What our own decisions replace.
REPLACED = ("signingCredential.untrusted", "signingCredential.expired", "claimSignature.outsideValidity", "timeStamp.")
_MISMATCH = frozenset(
    {
        "assertion.dataHash.mismatch",
        "assertion.bmffHash.mismatch",
        "assertion.boxesHash.mismatch",
        "assertion.collectionHash.mismatch",
    }
)
_SIGNATURE = frozenset({"claimSignature.mismatch", "claimSignature.missing"})
_REVOKED = "signingCredential.ocsp.revoked"
# An identity assertion (CAWG) speaks for itself: it neither makes nor breaks the claim that it rides on.
_IDENTITY = "cawg."
TIME_STAMP_ASSERTION = "c2pa.time-stamp"


@dataclass(frozen=True, slots=True)
class RevocationRecord:
    """What the registry knows of a signer's leaf certificate."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The layers of one manifest."""

    manifest: Manifest
    signature: Signature
    binding: Binding
    faults: tuple[str, ...]  # failure codes that make the manifest unsound: not binding, trust or identity
    identity_faults: tuple[str, ...]
    trust: Trust
    trust_list: str | None
    trust_reason: str | None  # why it is not trusted, a phrase
    signer: SignerFacts | None
    time: TimeFacts
    revocation: RevocationFacts
    leaf_not_after: datetime | None

    @property
    def sound(self) -> bool:
        """Signature and assertions hold and the signer was within validity; says nothing of the content."""
        return self.signature is Signature.VERIFIED and not self.faults and self.trust is not Trust.EXPIRED


def appraise(
    manifest: Manifest,
    *,
    credential: Credential,
    lists: Sequence[TrustList],
    revocations: Mapping[str, RevocationRecord],
    at: datetime,
    stamps: Mapping[str, bytes] = MappingProxyType({}),
) -> Appraisal:
    """Weigh one manifest of a credential at an instant.

    1. What was hashed and compared: the library's failure codes, sorted into binding, signature and the rest (2.5 §14).
    2. When it was signed: the first time stamp whose authority is on a TSA list (§14.6), else unknown, and `at` counts.
    3. Whether the leaf was valid then, and whether a path leads to a *signer* list then (§13.4, §13.5).
    4. Whether it was revoked then: stapled answer, registry (§13.7).

    Args:
        stamps: Tokens that the registry got for manifests after they were signed, by manifest id.
    """
    codes = [c.code for c in manifest.results.failure]
    if manifest.id == credential.active:
        codes += [c.code for c in credential.deltas if _breaks(c.code)]
    signature = Signature.FAILED if _SIGNATURE & set(codes) else Signature.VERIFIED
    binding = Binding.MISMATCH if _MISMATCH & set(codes) else Binding.MATCH
    other = [c for c in codes if c not in _MISMATCH and c not in _SIGNATURE and c != _REVOKED and not c.startswith(REPLACED)]
    faults = tuple(dict.fromkeys(c for c in other if not c.startswith(_IDENTITY)))
    identity = tuple(dict.fromkeys(c for c in other if c.startswith(_IDENTITY)))

    chain = _load(manifest.sealed)
    if not chain:
        nobody = (Trust.UNTRUSTED, None, "its certificate chain could not be read")
        return Appraisal(
            manifest,
            signature,
            binding,
            faults,
            identity,
            *nobody,
            None,
            TimeFacts("absent"),
            RevocationFacts("not_checked"),
            None,
        )
    time = _time(manifest, credential, lists, at, stamps.get(manifest.id))
    moment = time.at or at
    leaf = chain[0]
    trust, trust_list, why, development = _trust(chain, lists, moment)
    fingerprint = leaf.fingerprint(hashes.SHA256()).hex()
    signer = SignerFacts(holder(leaf), f"sha256:{fingerprint}", development)
    revocation = _revocation(_REVOKED in codes, manifest, revocations.get(fingerprint), time, development)
    return Appraisal(
        manifest,
        signature,
        binding,
        faults,
        identity,
        trust,
        trust_list,
        why,
        signer,
        time,
        revocation,
        leaf.not_valid_after_utc,
    )


def _breaks(code: str) -> bool:
    """Deltas of an ingredient that mean: the bytes that this claim was made over are gone or changed."""
    return code.startswith(("ingredient.manifest.", "ingredient.claimSignature.", "assertion.hashedURI."))


def _load(sealed: Sealed | None) -> list[x509.Certificate]:
    try:
        return [load_der(der) for der in sealed.chain] if sealed else []
    except ValueError:
        return []


def _trust(
    chain: list[x509.Certificate], lists: Sequence[TrustList], moment: datetime
) -> tuple[Trust, str | None, str | None, bool]:
    leaf = chain[0]
    if not leaf.not_valid_before_utc <= moment <= leaf.not_valid_after_utc:
        return Trust.EXPIRED, None, "its certificate was not valid at that time", False
    path = build_path(leaf, chain[1:], lists, kind=ListKind.SIGNER, at=moment)
    if path.trusted:
        return Trust.TRUSTED, path.list_name, None, path.development
    return Trust.UNTRUSTED, None, path.reason, False


def _time(manifest: Manifest, credential: Credential, lists: Sequence[TrustList], at: datetime, kept: bytes | None) -> TimeFacts:
    """The best of the manifest's stamps: its own, those that a later manifest of the store holds for it, the registry's."""
    assert manifest.sealed is not None
    signed = manifest.sealed
    stamps = [
        check_token(
            token,
            message_v2(signed.protected, signed.signature) if header == "sigTst2" else message_v1(signed.protected, signed.claim),
            lists,
            at=at,
        )
        for header, token in signed.stamps
    ]
    stamps += [_later(token, signed, lists, at) for token in later_stamps(manifest.id, credential)]
    stamps += [_later(kept, signed, lists, at)] if kept else []
    for state in (TimeState.TRUSTED, TimeState.UNTRUSTED, TimeState.INVALID):
        for stamp in stamps:
            if stamp.state is state:
                return _facts(stamp)
    return TimeFacts("absent")


def _later(token: bytes, signed: Sealed, lists: Sequence[TrustList], at: datetime) -> TimeStamp:
    """A stamp from a `c2pa.time-stamp` assertion: of what it may cover by its writer's reading, the first that fits."""
    stamp = ABSENT
    for covered in (message_assertion(signed.signature), signed.cose, message_v2(signed.protected, signed.signature)):
        stamp = check_token(token, covered, lists, at=at)
        if stamp.state is not TimeState.INVALID:
            break
    return stamp


def _facts(stamp: TimeStamp) -> TimeFacts:
    trusted = stamp.state is TimeState.TRUSTED
    return TimeFacts(str(stamp.state), stamp.at if trusted else None, stamp.tsa)


def later_stamps(manifest_id: str, credential: Credential) -> list[bytes]:
    """Tokens for a manifest in the `c2pa.time-stamp` assertions of others (2.5 §16.19)."""
    tokens = []
    for other in credential.manifests.values():
        raw = other.sealed.assertions.get(TIME_STAMP_ASSERTION) if other.sealed else None
        try:
            stamped = cbor2.loads(raw) if raw else None
        except (cbor2.CBORError, ValueError, RecursionError):
            continue
        token = stamped.get(manifest_id) if isinstance(stamped, Mapping) else None
        if isinstance(token, bytes):
            tokens.append(token)
    return tokens


def _revocation(
    stapled: bool, manifest: Manifest, record: RevocationRecord | None, time: TimeFacts, ours: bool
) -> RevocationFacts:
    if stapled:
        return RevocationFacts("revoked", "stapled")
    if record is not None:
        before = time.at is not None and time.at < record.at
        return RevocationFacts("good" if before else "revoked", "registry", record.at)
    if any(c.code == "signingCredential.ocsp.notRevoked" for c in manifest.results.success):
        return RevocationFacts("good", "stapled")
    if ours:
        return RevocationFacts("good", "registry")  # our own authority: what it revoked stands in this registry
    return RevocationFacts("not_checked")


def fingerprint(manifest: Manifest) -> str | None:
    """SHA-256 of the leaf certificate, hex: the key under which revocations are kept."""
    chain = _load(manifest.sealed)
    return chain[0].fingerprint(hashes.SHA256()).hex() if chain else None


def leaf_end(manifest: Manifest) -> datetime | None:
    chain = _load(manifest.sealed)
    return chain[0].not_valid_after_utc.astimezone(UTC) if chain else None
