"""What a manifest declares besides how the asset came about: who stands behind it, what it may be used for, who consented.

    cawg.identity          an organisation's own signature over the hard binding (CAWG Identity 1.1 §8.1, X.509)
    cawg.training-mining   whether machines may learn from it (CAWG Training and Data Mining 1.1)
    org.colophon.consent   the digest of a consent record: the record lies beside the trail, where it can be erased

Written as plain values for the builder, read from a manifest's raw assertions. Pure; a person's name never enters a manifest.
What was hashed and signed is the library's to compare; whom an identity belongs to is decided here, by identity lists alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cbor2
from cryptography import x509

from keys.certificate import fingerprint, holder, load_der
from keys.policy import CONSENT
from keys.trust import ListKind, TrustList, build_path
from provenance.credential import Manifest
from provenance.errors import InputError
from provenance.verdict import ConsentFacts, Declared, IdentityFacts, Signature, Trust

IDENTITY, TRAINING = "cawg.identity", "cawg.training-mining"
USES = ("cawg.data_mining", "cawg.ai_inference", "cawg.ai_generative_training", "cawg.ai_training")
PREFERENCES = ("allowed", "notAllowed", "constrained")
_X509 = "cawg.x509.cose"
_X5CHAIN = 33
_MAX_RECORD, _MAX_TEXT, _MAX_USES = 65_536, 200, 20
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent record: `document` is personal and stays here, `salt` keeps its digest from being guessed."""

    given: str  # ISO date
    uses: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False)
    salt: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 over the salt and the record as canonical JSON, hex."""
        text = json.dumps(self.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(self.salt + text.encode()).hexdigest()

    def assertion(self) -> dict[str, Any]:
        """What stands in the manifest: when, for what, and a digest; not who."""
        data = {"alg": "sha256", "record": self.digest, "given": self.given, "uses": list(self.uses)}
        return {"label": CONSENT, "created": True, "data": data}

    def payload(self) -> dict[str, Any]:
        """What the trail keeps beside its entry, and can erase: the record, and the salt that opens the digest."""
        return {"record": dict(self.document), "salt": self.salt.hex(), "digest": self.digest}


def consent(text: bytes, where: str, *, salt: bytes) -> Consent:
    """Read a consent record: a JSON object with `subject`, `given` (date) and `uses` (words); more may be in it.

    Raises:
        InputError: it is no such record; says what is missing.
    """
    if len(text) > _MAX_RECORD:
        raise InputError(where, f"is larger than a consent record may be ({_MAX_RECORD} bytes)")
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(where, "is no JSON") from error
    if not isinstance(document, dict):
        raise InputError(where, "is no JSON object")
    who, given, uses = document.get("subject"), document.get("given"), document.get("uses")
    if not isinstance(who, str) or not who.strip():
        raise InputError(where, 'names nobody: "subject" is missing')
    if not isinstance(uses, list) or not 0 < len(uses) <= _MAX_USES or not all(_is_word(use) for use in uses):
        raise InputError(where, 'does not say what for: "uses" is a list of words')
    try:
        day = datetime.fromisoformat(str(given)).date()
    except ValueError as error:
        raise InputError(where, 'does not say when: "given" is a date such as 2026-11-21') from error
    return Consent(day.isoformat(), tuple(uses), document, salt)


def training(preference: str) -> dict[str, Any]:
    """The training and mining assertion: one preference for every use.

    Raises:
        ValueError: a word that is none of `PREFERENCES`.
    """
    if preference not in PREFERENCES:
        raise ValueError(f"no such preference: {preference!r}")
    return {"label": TRAINING, "data": {"entries": {use: {"use": preference} for use in USES}}}


def read(manifest: Manifest, *, lists: Sequence[TrustList], at: datetime) -> Declared:
    """What a manifest declares; what is malformed is left out, and the library's codes tell of it.

    Args:
        lists: Identity lists among them decide whose word an identity is.
        at: The manifest's trusted time, or now.
    """
    if manifest.sealed is None:
        return Declared()
    found = manifest.sealed.assertions
    return Declared(
        identities=tuple(_identities(manifest, lists, at)),
        training=_training(_data(found, TRAINING)),
        consents=tuple(_consents(_data(found, CONSENT))),
    )


def _identities(manifest: Manifest, lists: Sequence[TrustList], at: datetime) -> Iterator[IdentityFacts]:
    assert manifest.sealed is not None
    for label, content in _labelled(manifest.sealed.assertions, IDENTITY):
        try:
            assertion = cbor2.loads(content)
            payload = assertion["signer_payload"]
            kind, roles = str(payload["sig_type"]), tuple(str(role) for role in payload.get("role", ()))
            chain = _chain(assertion["signature"]) if kind == _X509 else ()
        except (*_MALFORMED, cbor2.CBORError):
            continue
        if not chain:  # other kinds of identity (aggregated claims) are not looked at
            yield IdentityFacts(None, None, kind, roles, None, Trust.UNTRUSTED, None)
            continue
        path = build_path(chain[0], chain[1:], lists, kind=ListKind.IDENTITY, at=at)
        faults = [c.code for c in manifest.results.failure if c.url.endswith(f"/{label}")]
        held = not any(not code.endswith("credential.untrusted") for code in faults)
        trust = Trust.TRUSTED if path.trusted and held else Trust.UNTRUSTED
        yield IdentityFacts(
            name=holder(chain[0]),
            fingerprint=f"sha256:{fingerprint(chain[0])}",
            kind=kind,
            roles=roles,
            signature=Signature.VERIFIED if held else Signature.FAILED,
            trust=trust,
            trust_list=path.list_name if trust is Trust.TRUSTED else None,
        )


def _chain(signature: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a COSE_Sign1, leaf first."""
    message = cbor2.loads(signature)
    protected = cbor2.loads(getattr(message, "value", message)[0])
    chain = protected.get(_X5CHAIN, protected.get("x5chain"))
    return tuple(load_der(item) for item in ([chain] if isinstance(chain, bytes) else chain))


def _training(assertions: Iterator[Any]) -> Mapping[str, str]:
    """The preference for each use; where assertions differ, the stricter word counts."""
    found: dict[str, str] = {}
    strict = {word: number for number, word in enumerate(("allowed", "constrained", "notAllowed"))}
    for data in assertions:
        entries = data.get("entries") if isinstance(data, Mapping) else None
        for use, entry in entries.items() if isinstance(entries, Mapping) else ():
            word = entry.get("use") if isinstance(entry, Mapping) else None
            if isinstance(use, str) and word in strict and strict[word] >= strict.get(found.get(use, ""), -1):
                found[use] = word
    return found


def _consents(assertions: Iterator[Any]) -> Iterator[ConsentFacts]:
    for data in assertions:
        if isinstance(data, Mapping) and isinstance(data.get("record"), str):
            uses = data.get("uses") or ()
            yield ConsentFacts(data["record"], str(data.get("given", "")), tuple(use for use in uses if _is_word(use)))


def _data(assertions: Mapping[str, bytes], label: str) -> Iterator[Any]:
    for _, content in _labelled(assertions, label):
        try:
            yield cbor2.loads(content)
        except (*_MALFORMED, cbor2.CBORError):
            continue


def _labelled(assertions: Mapping[str, bytes], label: str) -> Iterator[tuple[str, bytes]]:
    """Assertions of a label and its repeats (`__1`)."""
    return ((name, content) for name, content in assertions.items() if name.partition("__")[0] == label)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and value.isprintable()


def _refuse(word: str) -> Any:
    raise ValueError(word)


def stated(definition: Mapping[str, Any], **said: str | None) -> dict[str, Any]:
    """A manifest definition whose claim says more of itself, for the signing process to read (`keys.policy`)."""
    first, *rest = definition["claim_generator_info"]
    more = {name: value for name, value in said.items() if value is not None}
    return {**definition, "claim_generator_info": [{**first, **more}, *rest]}
