"""Make a bundle: gather an asset's media, manifests, entries, proofs and trust lists, judge them, write one file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from provenance import tasks
from provenance.appraisal import RevocationRecord, fingerprint
from provenance.bundle.archive import MOST_BYTES, pack
from provenance.bundle.contents import BundleEntry, Contents, Grown, to_files
from provenance.bundle.judging import as_plain, judged
from provenance.bundle.report import render
from provenance.credential import Credential
from provenance.desk import Desk
from provenance.errors import InputError, NotFoundError, UnavailableError
from provenance.jumbf import JumbfError, manifests
from provenance.store.log import Log
from provenance.store.registry import AssetRecord, Registry
from provenance.store.trail import TrailEntry
from provenance.trail.checkpoint import parse_checkpoint
from provenance.trail.entry import canonical
from provenance.trail.note import NoteKey, parse_note

_EARLIER = 32  # checkpoints from which growth is proven without being asked for


def make(
    asset_id: str,
    desk: Desk,
    log: Log,
    *,
    at: datetime,
    media: Path | None = None,
    held: Sequence[bytes] = (),
    witnesses: Sequence[NoteKey] = (),
) -> bytes:
    """The bundle of an asset.

    Args:
        media: The asset's file; without it the bundle has its digest alone.
        held: Checkpoints that the auditor holds: growth from each is proven.
        witnesses: Keys whose cosignatures stand under the checkpoint.
    Raises:
        NotFoundError: no such asset.
        InputError: the file is not the asset's.
        UnavailableError: its entries have no numbers yet.
        MalformedError: a checkpoint held that is none.
    """
    registry = desk.registry
    assert registry is not None
    record = registry.asset(asset_id)
    if record is None:
        raise NotFoundError("asset", asset_id[:64])
    family = _family(record, registry)
    stores = tuple({one.manifest_id: registry.manifest_store(one.manifest_id) or b"" for one in family}.items())
    credentials = [c for _, store in stores if isinstance(c := desk.workers.run(tasks.read_registered, store), Credential)]
    leaves = {leaf for c in credentials for m in c.manifests.values() if (leaf := fingerprint(m))}
    known = {leaf: found for leaf in sorted(leaves) if (found := registry.revocation(leaf))}
    entries = _entries(record, registry, log, frozenset(known))
    checkpoint = log.checkpoint()
    size = parse_checkpoint(parse_note(checkpoint).text).size
    contents = Contents(
        made_at=at,
        asset=_facts(record),
        media=_media(media, record),
        stores=stores,
        entries=entries,
        proofs={entry.seq: bytes(log.prove(entry.seq, checkpoint=checkpoint)) for entry in entries},
        checkpoint=checkpoint,
        keys=log.public_keys(),
        witnesses=tuple(witnesses),
        grown=_growth(log, size, held),
        lists=desk.lists,
        revocations={leaf: RevocationRecord(found.at, found.reason) for leaf, found in known.items()},
        stamps=registry.kept_stamps([label for c in credentials for label in c.manifests]),
        withdrawn=record.withdrawn_at is not None,
        verdict={},
    )
    verdict, _ = judged(contents, desk.workers)
    contents = replace(contents, verdict=as_plain(verdict))
    return pack(to_files(contents, render(contents), desk.workers.run(certificates, stores)))


def certificates(stores: Sequence[tuple[str, bytes]]) -> dict[str, bytes]:
    """The signers' chains as PEM, one file a store: what a person, or openssl, reads."""
    found = {}
    for n, (_, store) in enumerate(stores):
        try:
            parts = manifests(store)
            chains = [load_der_x509_certificate(der) for sealed in parts.values() for der in sealed.chain]
            pem = b"".join(dict.fromkeys(one.public_bytes(Encoding.PEM) for one in chains))
        except (JumbfError, ValueError):
            continue
        found[f"certificates/{n}.pem"] = pem
    return found


def _family(record: AssetRecord, registry: Registry) -> tuple[AssetRecord, ...]:
    """The asset and every registered ancestor, nearest first, each once."""
    found = {record.asset_id: record}
    waiting = [record]
    while waiting:
        for parent in registry.parents(waiting.pop(0).asset_id):
            if parent.asset_id not in found:
                found[parent.asset_id] = parent
                waiting.append(parent)
    return tuple(found.values())


def _entries(record: AssetRecord, registry: Registry, log: Log, leaves: frozenset[str]) -> tuple[BundleEntry, ...]:
    """The entries of the asset and its ancestors, and those that revoked their signers, in the log's order."""
    found = [*registry.trail(record.asset_id, include_parents=True), *log.revocations(leaves)]
    if any(entry.seq is None for entry in found):
        raise UnavailableError("the sequencer of the trail")
    return tuple(sorted({_entry(e) for e in found}, key=lambda e: e.seq))


def _entry(entry: TrailEntry) -> BundleEntry:
    assert entry.seq is not None
    payload = None if entry.payload is None else canonical(entry.payload)
    return BundleEntry(entry.seq, entry.body, payload, entry.salt)


def _growth(log: Log, size: int, held: Sequence[bytes]) -> tuple[Grown, ...]:
    sizes = {parse_checkpoint(parse_note(note).text).size for note in held} | set(log.sizes(_EARLIER))
    return tuple(Grown(old, log.consistency(old, size)) for old in sorted(sizes) if 0 < old < size)


def _media(path: Path | None, record: AssetRecord) -> tuple[str, bytes] | None:
    if path is None:
        return None

    try:
        if path.stat().st_size > MOST_BYTES // 2:
            raise InputError(str(path), "is too large to be put into a bundle; make it without the file")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), (error.strerror or "cannot be read").lower()) from error
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise InputError(str(path), "is not the file of this asset, byte for byte")
    return f"asset{_suffix(path)}", data


def _suffix(path: Path) -> str:
    """The file's ending, if it is a plain one; its name may be anybody's private matter."""
    ending = path.suffix.lower()
    return ending if ending[1:].isalnum() and ending.isascii() and len(ending) <= 8 else ""


def _facts(record: AssetRecord) -> dict[str, object]:
    return {
        "id": record.asset_id,
        "sha256": record.sha256,
        "media_type": record.media_type,
        "width": record.width,
        "height": record.height,
        "duration_ms": record.duration_ms,
        "action": record.action,
        "manifest_id": record.manifest_id,
    }
