"""Trust lists of this installation: `trust/` in the home, what `trust update` fetched and somebody pinned or signed.

    trust/KIND-NAME.pem    anchors, as they were published
    trust/KIND-NAME.json   {"kind", "name", "uri", "date", "digest", "source", "pinned_by"}

A list replaces the bundled one of the same kind and name, or adds to them. It is taken only with a reason to believe it: its
SHA-256 as told by the person who asks, or a detached CMS signature by a certificate that was given. One file without the other,
or bytes that are no longer the digest's, stop whoever opens the home: half a trust list is worse than an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from keys.certificate import outside_validity, weak
from keys.errors import TrustListError
from keys.files import private_folder, write_private
from keys.lists import ListKind, TrustList, bundled
from keys.token import MALFORMED

OLD_DAYS = 180  # a list that nobody renewed for so long is told of
MAX_LIST = 4 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()-]{0,79}")
_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


@dataclass(frozen=True)
class Notice:
    """Something about a list that a person should know."""

    list_name: str
    say: str


def require_digest(data: bytes, pinned: str, name: str) -> str:
    """Check a list's bytes against the digest that a person named; returns what pinned it. Raises TrustListError."""
    wanted = pinned.lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise TrustListError(name, "the digest to compare with is no SHA-256 (64 hexadecimal digits)")
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise TrustListError(name, f"has the digest sha256:{found}, not the one that was named; nothing was changed")
    return f"sha256:{wanted}"


def require_signature(data: bytes, signature: bytes, signer: x509.Certificate, name: str, *, at: datetime) -> str:
    """Check a detached CMS signature (DER) over a list's bytes by a given certificate; returns what pinned it.

    `openssl cms -sign -binary -in list.pem -signer cert.pem -inkey key.pem -outform DER -out list.p7s` makes one.
    Raises:
        TrustListError: no such signature, another signer, other bytes, or a certificate that is not valid now.
    """
    outside = outside_validity(signer, at) or weak(signer, signature=False)
    if outside:
        raise TrustListError(name, f"the certificate that signed it {outside}")
    try:
        held = _verified(data, signature, signer)
    except (*MALFORMED, InvalidSignature):
        held = False
    if not held:
        raise TrustListError(name, "its signature does not hold; nothing was changed")
    return f"signed by sha256:{signer.fingerprint(hashes.SHA256()).hex()}"


def _verified(data: bytes, signature: bytes, signer: x509.Certificate) -> bool:
    """RFC 5652 §5.4: signed attributes with the digest of the data, or the signature over the data itself."""
    signed = cms.ContentInfo.load(signature, strict=True)["content"]
    if len(signed["signer_infos"]) != 1:
        return False
    info = signed["signer_infos"][0]
    digest = _HASHES[info["digest_algorithm"]["algorithm"].native]
    covered = data
    if info["signed_attrs"]:
        named = {one["type"].native: one["values"] for one in info["signed_attrs"]}
        if bytes(named["message_digest"][0].native) != hashlib.new(digest.name, data).digest():
            return False
        covered = b"\x31" + bytes(info["signed_attrs"].dump())[1:]
    key, mark = signer.public_key(), bytes(info["signature"].native)
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(mark, covered, ec.ECDSA(digest))
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(mark, covered, padding.PKCS1v15(), digest)
    else:
        return False
    return True


def keep(
    folder: Path, data: bytes, *, kind: ListKind, name: str, uri: str, source: str, day: date, pinned_by: str, today: datetime
) -> TrustList:
    """Put a list on the shelf in place of the one of its kind and name.

    Raises:
        TrustListError: it cannot be read, is older than the one that is there, or dated in the future.
        KeyFileError: the folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise TrustListError(name, "a list's name has letters, digits, spaces and . _ ( ) -")
    if day > today.date():
        raise TrustListError(name, f"is dated {day}, which is still to come")
    if len(data) > MAX_LIST:
        raise TrustListError(name, "is too large for a trust list")
    made = TrustList.from_pem(data, kind=kind, name=name, uri=uri, date=day, source=source)
    for other in merged(folder):
        if other.kind is kind and other.name == name and other.date > day:
            raise TrustListError(name, f"is dated {day}, older than the one in use ({other.date}); nothing was changed")
    place, stem = private_folder(folder), _stem(kind, name)
    said = {"kind": kind.value, "name": name, "uri": uri, "date": day.isoformat(), "digest": made.digest, "source": source}
    (place / f"{stem}.json").unlink(missing_ok=True)  # until both are there again, the home does not open on half a list
    write_private(place / f"{stem}.pem", data)
    write_private(place / f"{stem}.json", json.dumps(said | {"pinned_by": pinned_by}, sort_keys=True).encode("utf-8"))
    return made


def kept(folder: Path) -> tuple[TrustList, ...]:
    """The lists on the shelf. Raises TrustListError for one that is damaged."""
    return tuple(_read(path) for path in sorted(folder.glob("*.pem")))


def merged(folder: Path) -> tuple[TrustList, ...]:
    """The bundled lists, each replaced by the one on the shelf of its kind and name, then those that only the shelf has."""
    own = {(one.kind, one.name): one for one in kept(folder)}
    replaced = tuple(own.pop((one.kind, one.name), one) for one in bundled())
    return (*replaced, *own.values())


def notices(lists: Sequence[TrustList], *, at: datetime) -> tuple[Notice, ...]:
    """What a person should know of lists at an instant: old ones, and anchors that have ended or will within 30 days."""
    found = []
    for one in lists:
        age = (at.date() - one.date).days
        if age > OLD_DAYS and not one.development:
            found.append(Notice(one.name, f"is {age} days old"))
        ended = sum(anchor.not_valid_after_utc < at for anchor in one.anchors)
        soon = sum(0 <= (anchor.not_valid_after_utc - at).days < 30 for anchor in one.anchors)
        if ended:
            found.append(
                Notice(one.name, f"{ended} of {len(one.anchors)} anchors have ended: they vouch for what was stamped before")
            )
        if soon:
            found.append(Notice(one.name, f"{soon} of {len(one.anchors)} anchors end within 30 days"))
    return tuple(found)


def _read(path: Path) -> TrustList:
    try:
        said = json.loads(path.with_suffix(".json").read_text("utf-8"))
        data = path.read_bytes()
        kind, day = ListKind(said["kind"]), date.fromisoformat(said["date"])
        made = TrustList.from_pem(data, kind=kind, name=said["name"], uri=said["uri"], date=day, source=said["source"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrustListError(path.stem, f"is damaged on the shelf ({path.parent}); run trust update again") from error
    if made.digest != said.get("digest"):
        raise TrustListError(path.stem, "was changed on the shelf since it was checked; run trust update again")
    return made


def _stem(kind: ListKind, name: str) -> str:
    return f"{kind.value}-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
