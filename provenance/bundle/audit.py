"""Audit a bundle: offline, with nothing but the file and what the auditor holds from elsewhere. Findings, never a bare yes.

1. The archive is as it was written, byte for byte.
2. Every file has the digest that the index names, and no file is there that it does not name.
3. The checkpoint is signed by the log's key, and by the auditor's own if one is given.
4. Every entry stands in the log at its number, and its payload is what the entry has the digest of.
5. The log grew from the checkpoint that the auditor holds.
6. The first entry of the asset records this media's digest and this manifest.
7. The verdict follows from the files once more; report and certificates say what they say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keys.lists import bundled
from provenance import tasks
from provenance.bundle.archive import unpack
from provenance.bundle.contents import INDEX, REPORT, Contents, from_files
from provenance.bundle.judging import as_plain, judged
from provenance.bundle.make import certificates
from provenance.bundle.report import render
from provenance.credential import Credential
from provenance.errors import BudgetError, MalformedError
from provenance.isolation import Workers
from provenance.trail.checkpoint import Checkpoint, Opened, open_checkpoint
from provenance.trail.entry import parse_body, payload_digest
from provenance.trail.note import NoteKey
from provenance.trail.proof import parse_proof, prove
from provenance.trail.tree import consistent, leaf_hash

HOLDS, FAILS, OPEN = "holds", "fails", "undecided"
_FIRST = ("captured", "edited", "rendition", "registered")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        check: archive, files, checkpoint, entry, growth, asset, verdict, report.
        where: The file of the bundle that it speaks of.
        result: holds | fails | undecided.
        say: A sentence.
    """

    check: str
    where: str
    result: str
    say: str

    def as_dict(self) -> dict[str, str]:
        return {"check": self.check, "where": self.where, "result": self.result, "say": self.say}


@dataclass(frozen=True)
class BundleAudit:
    """What an audit found, in the order of the plan; `status` and `asset` as the bundle has them, None if unreadable."""

    findings: tuple[Finding, ...]
    status: str | None = None
    asset: Mapping[str, Any] | None = None

    @property
    def result(self) -> str:
        results = {finding.result for finding in self.findings}
        return FAILS if FAILS in results else OPEN if OPEN in results else HOLDS

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.result == FAILS)


@dataclass(frozen=True)
class Held:
    """What the auditor has from elsewhere.

    Attributes:
        checkpoint: One of this log that was kept from before; signed by keys that the bundle's have to match.
        keys: Public keys of the log; empty takes the bundle's own word for them.
        witnesses: Keys of witnesses that have to have cosigned.
        media_sha256: Of a file that is to be the asset's.
    """

    checkpoint: bytes | None = None
    keys: tuple[NoteKey, ...] = ()
    witnesses: tuple[NoteKey, ...] = ()
    media_sha256: str | None = None


def audit(data: bytes, workers: Workers, held: Held = Held()) -> BundleAudit:  # noqa: B008 - frozen
    """Audit a bundle's bytes. Never raises for what they say."""
    try:
        archive = unpack(data)
    except MalformedError as error:
        return BundleAudit((Finding("archive", "the archive", FAILS, f"It {error.why}."),))
    found = [Finding("archive", d.where, FAILS, f"At byte {d.offset}: {d.say}.") for d in archive.damage]
    found = found or [Finding("archive", "the archive", HOLDS, "Every byte is as it was written.")]
    found += _files(archive.files)
    try:
        contents = from_files(archive.files)
    except MalformedError as error:
        return BundleAudit((*found, Finding("files", error.what, FAILS, f"It {error.why}.")))
    opened, said = _checkpoint(contents, held)
    found += said
    if opened is not None:
        found += _entries(contents, opened.checkpoint)
        found += _growth(contents, opened.checkpoint, held)
    found += _asset(contents, held)
    found += _taken_back(contents)
    found += _verdict(contents, archive.files, workers)
    status = contents.verdict.get("status") if isinstance(contents.verdict, Mapping) else None
    return BundleAudit(tuple(found), str(status), contents.asset)


def _files(files: Mapping[str, bytes]) -> Iterator[Finding]:
    try:
        listed = json.loads(files[INDEX])["files"]
        wanted = {str(name): str(digest) for name, digest in listed.items()}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        yield Finding("files", INDEX, FAILS, "The index is missing or cannot be read.")
        return
    wrong = False
    for name in sorted(wanted.keys() | (files.keys() - {INDEX})):
        if name not in files:
            wrong, say = True, "The index names it, and it is not there."
        elif name not in wanted:
            wrong, say = True, "It is there, and the index does not name it."
        elif hashlib.sha256(files[name]).hexdigest() != wanted[name]:
            wrong, say = True, "It has not the digest that the index names."
        else:
            continue
        yield Finding("files", name, FAILS, say)
    if not wrong:
        yield Finding("files", INDEX, HOLDS, f"All {len(wanted)} files have the digests that the index names.")


def _checkpoint(contents: Contents, held: Held) -> tuple[Opened | None, list[Finding]]:
    where = "trail/checkpoint"
    keys = held.keys or contents.keys
    try:
        opened = open_checkpoint(contents.checkpoint, (*keys, *contents.witnesses, *held.witnesses))
    except MalformedError as error:
        return None, [Finding("checkpoint", where, FAILS, f"It {error.why}.")]
    tree = opened.checkpoint
    if not opened.signed:
        whose = "the log key that you hold" if held.keys else "the log's own key"
        return None, [Finding("checkpoint", where, FAILS, f"It is not signed by {whose}.")]
    source = "the key that you hold" if held.keys else "the key in the bundle"
    found = [Finding("checkpoint", where, HOLDS, f"{tree.origin}, {tree.size} entries, signed by {source}.")]
    missing = {key.name for key in held.witnesses} - opened.witnesses
    found += [Finding("checkpoint", where, FAILS, f"{name} did not cosign it.") for name in sorted(missing)]
    if opened.witnesses:
        found.append(Finding("checkpoint", where, HOLDS, f"Cosigned by {', '.join(sorted(opened.witnesses))}."))
    return opened, found


def _entries(contents: Contents, tree: Checkpoint) -> Iterator[Finding]:
    good = 0
    order = [entry.seq for entry in contents.entries]
    if order != sorted(set(order)):
        yield Finding("entry", "trail/entries.json", FAILS, "The entries are not in the order of their numbers.")
    for entry in contents.entries:
        where = f"trail/{entry.seq}.tlog-proof"
        try:
            proof = parse_proof(contents.proofs[entry.seq])
            proven = prove(proof, leaf_hash(entry.body), contents.keys)
            body = parse_body(entry.body)
        except MalformedError as error:
            yield Finding("entry", where, FAILS, f"{error}.")
            continue
        same = proven.opened.checkpoint == tree
        if not (proven.included and same and proof.index == entry.seq):
            yield Finding("entry", where, FAILS, f"It does not prove that entry {entry.seq} is in the log of the checkpoint.")
        elif not _payload_fits(body.payload_digest, entry.salt, entry.payload):
            yield Finding("entry", "trail/entries.json", FAILS, f"The payload of entry {entry.seq} is not what was recorded.")
        else:
            good += 1
            if entry.payload is None:
                yield Finding("entry", "trail/entries.json", HOLDS, f"The payload of entry {entry.seq} was erased.")
    if good:
        yield Finding("entry", "trail/entries.json", HOLDS, f"{good} of {len(order)} entries stand in the log at their numbers.")
    elif not order:
        yield Finding("entry", "trail/entries.json", FAILS, "There is no entry.")


def _payload_fits(digest: str, salt: bytes | None, payload: bytes | None) -> bool:
    if salt is None and payload is None:
        return True
    return salt is not None and payload is not None and len(salt) == 16 and payload_digest(salt, payload) == digest


def _growth(contents: Contents, tree: Checkpoint, held: Held) -> Iterator[Finding]:
    where = "trail/consistency.json"
    if held.checkpoint is None:
        if not held.keys:
            say = "You hold no key and no checkpoint of this log: that it is the log that others see is its own word."
            yield Finding("growth", where, HOLDS, say)
        return
    try:
        opened = open_checkpoint(held.checkpoint, held.keys or contents.keys)
    except MalformedError as error:
        yield Finding("growth", "the checkpoint that you hold", FAILS, f"It {error.why}.")
        return
    old = opened.checkpoint
    if old.origin != tree.origin or not opened.signed:
        yield Finding("growth", "the checkpoint that you hold", FAILS, "It is of another log, or not signed by the same key.")
        return
    if old.size > tree.size:
        say = f"You hold {old.size} entries, the bundle's log has {tree.size}: only the log can prove that it grew from there."
        yield Finding("growth", where, OPEN, say)
        return
    proofs: list[Sequence[bytes]] = [g.hashes for g in contents.grown if g.size == old.size]
    if old.size in (0, tree.size):
        proofs = [()]
    if not proofs:
        say = f"The bundle has no proof from {old.size} entries; have it made with --checkpoint and the one that you hold."
        yield Finding("growth", where, OPEN, say)
    elif consistent(old.size, old.root, tree.size, tree.root, proofs[0]):
        yield Finding("growth", where, HOLDS, f"The log grew from the {old.size} entries that you hold to {tree.size}.")
    else:
        yield Finding("growth", where, FAILS, f"The log does not continue the {old.size} entries that you hold.")


def _asset(contents: Contents, held: Held) -> Iterator[Finding]:
    asset = contents.asset
    if contents.media is not None:
        name, data = contents.media
        same = hashlib.sha256(data).hexdigest() == asset["sha256"]
        say = "It is the asset's file, byte for byte." if same else "It is not the asset's file."
        yield Finding("asset", f"media/{name}", HOLDS if same else FAILS, say)
    if held.media_sha256 is not None:
        same = held.media_sha256 == asset["sha256"]
        say = "It is the asset's file, byte for byte." if same else "It is not the asset's file."
        yield Finding("asset", "the file that you hold", HOLDS if same else FAILS, say)
    recorded = next((e for e in contents.entries if _kind(e.body, str(asset["id"])) in _FIRST), None)
    if recorded is None:
        yield Finding("asset", "trail/entries.json", FAILS, "No entry records how this asset came in.")
    elif recorded.payload is None:
        yield Finding("asset", "trail/entries.json", OPEN, "What the entry recorded of the asset's file was erased.")
    else:
        said = _plain(recorded.payload)
        same = said.get("sha256") == asset["sha256"] and said.get("manifest") == asset["manifest_id"]
        say = (
            f"Entry {recorded.seq} records this file and this manifest."
            if same
            else "The trail records another file or manifest."
        )
        yield Finding("asset", "trail/entries.json", HOLDS if same else FAILS, say)


def _taken_back(contents: Contents) -> Iterator[Finding]:
    """What the trail says was revoked or withdrawn is what the judge was told, no more and no less."""
    said = [(parse_body(e.body), _plain(e.payload)) for e in contents.entries if e.payload and _readable(e.body)]
    revoked = {str(payload.get("fingerprint")) for body, payload in said if body.kind == "revoked"}
    for leaf in sorted(revoked ^ contents.revocations.keys()):
        say = "The trail says that it was revoked" if leaf in revoked else "No entry says that it was revoked"
        yield Finding("verdict", "evidence.json", FAILS, f"Signer {leaf[:16]}…: {say}, and the judge was told otherwise.")
    withdrawn = any(body.kind == "withdrawn" and body.asset == contents.asset["id"] for body, _ in said)
    if withdrawn and not contents.withdrawn:
        yield Finding(
            "verdict", "evidence.json", FAILS, "The trail says that the asset was withdrawn, and the judge was not told."
        )


def _verdict(contents: Contents, files: Mapping[str, bytes], workers: Workers) -> Iterator[Finding]:
    if not contents.stores or contents.stores[0][0] != contents.asset["manifest_id"]:
        yield Finding("verdict", "manifests/0.c2pa", FAILS, "It is not the asset's manifest store.")
        return
    try:
        verdict, credential = judged(contents, workers)
    except BudgetError as error:
        yield Finding("verdict", "verdict.json", OPEN, f"{error}.")
        return
    active = credential.active if isinstance(credential, Credential) else None
    if active != contents.asset["manifest_id"]:
        where = "manifests/0.c2pa" if contents.media is None else f"media/{contents.media[0]}"
        yield Finding("verdict", where, FAILS, "Its credential is not the asset's.")
    for n, (label, store) in enumerate(contents.stores):
        read = workers.run(tasks.read_registered, store)
        if not isinstance(read, Credential) or read.active != label:
            yield Finding("verdict", f"manifests/{n}.c2pa", FAILS, f"It is not the store of {label}.")
    again = json.loads(json.dumps(as_plain(verdict)))
    if again == contents.verdict:
        yield Finding("verdict", "verdict.json", HOLDS, f"Judged again from these files: {verdict.status}.")
    else:
        yield Finding("verdict", "verdict.json", FAILS, _difference(contents.verdict, again))
    known = {entry.digest for entry in bundled()}
    strange = [entry.name for entry in contents.lists if entry.digest not in known and not entry.development]
    if strange:
        yield Finding(
            "verdict", "evidence.json", HOLDS, f"Judged by lists that this program does not ship: {', '.join(strange)}."
        )
    if files.get(REPORT) != render(contents):
        yield Finding("report", REPORT, FAILS, "It is not the report of what is in this bundle.")
    wanted = workers.run(certificates, contents.stores)
    for name in sorted(wanted.keys() | {n for n in files if n.startswith("certificates/")}):
        if files.get(name) != wanted.get(name):
            yield Finding("report", name, FAILS, "It is not the certificates of these manifests.")


def _difference(then: Any, now: Mapping[str, Any]) -> str:
    """What a new judgement says otherwise."""
    if not isinstance(then, Mapping):
        return "It is no verdict."
    was, made_by = then.get("status"), (then.get("inputs") or {}).get("validator")
    if made_by != now["inputs"]["validator"]:
        return f"It was {was} by {made_by}; judged again by {now['inputs']['validator']} it is {now['status']}."
    if was != now["status"]:
        return f"It says {was}; judged again from these files it is {now['status']}."
    names = sorted(name for name in now.keys() | then.keys() if then.get(name) != now.get(name))
    return f"Judged again, these parts are otherwise: {', '.join(names)}."


def _readable(body: bytes) -> bool:
    try:
        parse_body(body)
    except MalformedError:
        return False
    return True


def _kind(body: bytes, asset_id: str) -> str | None:
    try:
        said = parse_body(body)
    except MalformedError:
        return None
    return said.kind if said.asset == asset_id else None


def _plain(payload: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, Mapping) else {}
