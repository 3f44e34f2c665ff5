"""What is in a bundle, as values, and as the files that it is written to.

bundle.json               what this is a bundle of, and the SHA-256 of every other file
report.html               the same for a person
media/NAME                the asset, if it was given; else only its digest is known
manifests/N.c2pa          manifest stores, the asset's own first
certificates/N.pem        the signers' chains out of them, for reading
trail/entries.json        every entry of the asset and its parents, and of revocations of their signers
trail/SEQ.tlog-proof      proof that entry SEQ is in the log (C2SP tlog-proof)
trail/checkpoint          the log's newest checkpoint, with cosignatures (C2SP tlog-checkpoint)
trail/keys                the log's and its witnesses' public keys (vkeys): to compare with those that one has already
trail/consistency.json    proofs that the log grew from earlier checkpoints
evidence.json             what else the judge was given: revocations, later time stamps, trust lists
verdict.json              what came of it
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from keys.certificate import load_pem, to_pem
from keys.trust import ListKind, TrustList
from provenance.appraisal import RevocationRecord
from provenance.errors import MalformedError
from provenance.trail.note import NoteKey, decode64, parse_vkey

FORMAT = "org.colophon.bundle.1"
INDEX, REPORT = "bundle.json", "report.html"


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One entry of the log with what lies beside it; payload and salt are None once erased."""

    seq: int
    body: bytes
    payload: bytes | None
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class Grown:
    """That the log grew from an earlier size: the proof from there to the bundle's checkpoint."""

    size: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True)
class Contents:
    """A bundle, taken apart.

    Attributes:
        asset: As registered: id, sha256, media_type, width, height, duration_ms, action, manifest_id.
        media: File name and bytes; None where only the digest is known.
        stores: Manifest id and store, the asset's own first.
        lists: Trust lists that the verdict was judged by.
        revocations: By leaf fingerprint.
        stamps: Time stamps that manifests got later, by manifest id.
        verdict: As JSON.
    """

    made_at: datetime
    asset: Mapping[str, Any]
    media: tuple[str, bytes] | None = field(repr=False)
    stores: tuple[tuple[str, bytes], ...] = field(repr=False)
    entries: tuple[BundleEntry, ...]
    proofs: Mapping[int, bytes] = field(repr=False)
    checkpoint: bytes
    keys: tuple[NoteKey, ...]
    witnesses: tuple[NoteKey, ...]
    grown: tuple[Grown, ...]
    lists: tuple[TrustList, ...] = field(repr=False)
    revocations: Mapping[str, RevocationRecord]
    stamps: Mapping[str, bytes]
    withdrawn: bool
    verdict: Mapping[str, Any] = field(repr=False)


def to_files(contents: Contents, report: bytes, certificates: Mapping[str, bytes]) -> dict[str, bytes]:
    """Write a bundle's files; `bundle.json` names the digest of every other one."""
    files: dict[str, bytes] = {
        REPORT: report,
        "trail/entries.json": _json([_entry(entry) for entry in contents.entries]),
        "trail/checkpoint": contents.checkpoint,
        "trail/keys": "".join(f"{key.vkey}\n" for key in (*contents.keys, *contents.witnesses)).encode(),
        "trail/consistency.json": _json([{"from": g.size, "proof": [h.hex() for h in g.hashes]} for g in contents.grown]),
        "evidence.json": _json(_evidence(contents)),
        "verdict.json": _json(contents.verdict),
        **{f"trail/{seq}.tlog-proof": proof for seq, proof in contents.proofs.items()},
        **{f"manifests/{n}.c2pa": store for n, (_, store) in enumerate(contents.stores)},
        **certificates,
    }
    if contents.media is not None:
        files[f"media/{contents.media[0]}"] = contents.media[1]
    index = {
        "format": FORMAT,
        "made_at": _iso(contents.made_at),
        "asset": dict(contents.asset),
        "media": f"media/{contents.media[0]}" if contents.media else None,
        "manifests": [manifest_id for manifest_id, _ in contents.stores],
        "log_keys": len(contents.keys),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    return files | {INDEX: _json(index)}


def from_files(files: Mapping[str, bytes]) -> Contents:
    """Read a bundle's files; nothing is verified yet.

    Raises:
        MalformedError: a file is missing or not in its form; names it.
    """
    index = _load(files, INDEX)
    evidence = _load(files, "evidence.json")
    entries = _load(files, "trail/entries.json")
    with _reading(INDEX):
        if index["format"] != FORMAT:
            raise MalformedError(INDEX, "is of a format that is not known here")
        media, asset, made_at = index["media"], dict(index["asset"]), datetime.fromisoformat(index["made_at"])
        labels, own = [str(label) for label in index["manifests"]], int(index["log_keys"])
        for name in ("id", "sha256", "media_type", "manifest_id"):
            if not isinstance(asset[name], str):
                raise MalformedError(INDEX, f"has no {name} of the asset")
        named = None if media is None else (str(media).removeprefix("media/"), _need(files, str(media)))
    with _reading("verdict.json"):
        verdict = dict(_load(files, "verdict.json").items())
    with _reading("trail/entries.json"):
        listed = tuple(
            BundleEntry(
                int(e["seq"]),
                e["body"].encode(),
                None if e["payload"] is None else e["payload"].encode(),
                None if e["salt"] is None else bytes.fromhex(e["salt"]),
            )
            for e in entries
        )
    with _reading("trail/consistency.json"):
        grown = tuple(
            Grown(int(g["from"]), tuple(bytes.fromhex(h) for h in g["proof"])) for g in _load(files, "trail/consistency.json")
        )
    with _reading("trail/keys"):
        vkeys = tuple(parse_vkey(line) for line in _need(files, "trail/keys").decode().splitlines())
    with _reading("evidence.json"):
        lists = tuple(_list_from(said) for said in evidence["trust_lists"])
        revocations = {
            leaf: RevocationRecord(datetime.fromisoformat(r["at"]), str(r["reason"]))
            for leaf, r in evidence["revocations"].items()
        }
        stamps = {label: decode64(token, "evidence.json") for label, token in evidence["stamps"].items()}
        withdrawn = evidence["withdrawn"] is True
    return Contents(
        made_at=made_at,
        asset=asset,
        media=named,
        stores=tuple((label, _need(files, f"manifests/{n}.c2pa")) for n, label in enumerate(labels)),
        entries=listed,
        proofs={entry.seq: _need(files, f"trail/{entry.seq}.tlog-proof") for entry in listed},
        checkpoint=_need(files, "trail/checkpoint"),
        keys=vkeys[:own],
        witnesses=vkeys[own:],
        grown=grown,
        lists=lists,
        revocations=revocations,
        stamps=stamps,
        withdrawn=withdrawn,
        verdict=verdict,
    )


def _evidence(contents: Contents) -> dict[str, Any]:
    return {
        "trust_lists": [_list(entry) for entry in contents.lists],
        "revocations": {
            leaf: {"at": _iso(record.at), "reason": record.reason} for leaf, record in sorted(contents.revocations.items())
        },
        "stamps": {label: _encode(token) for label, token in sorted(contents.stamps.items())},
        "withdrawn": contents.withdrawn,
    }


def _entry(entry: BundleEntry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "body": entry.body.decode(),
        "payload": None if entry.payload is None else entry.payload.decode(),
        "salt": None if entry.salt is None else entry.salt.hex(),
    }


def _list(entry: TrustList) -> dict[str, Any]:
    return {
        "kind": entry.kind.value,
        "name": entry.name,
        "uri": entry.uri,
        "digest": entry.digest,
        "date": entry.date.isoformat(),
        "source": entry.uri if entry.development else entry.source,  # a development list's source is a path of its machine
        "anchors": to_pem(entry.anchors),
        "allowed": sorted(entry.allowed),
        "ekus": sorted(entry.ekus),
        "ca_ekus": sorted(entry.ca_ekus),
        "development": entry.development,
    }


def _list_from(said: Mapping[str, Any]) -> TrustList:
    return TrustList(
        kind=ListKind(said["kind"]),
        name=said["name"],
        uri=said["uri"],
        digest=said["digest"],
        date=date.fromisoformat(said["date"]),
        source=said["source"],
        anchors=load_pem(said["anchors"].encode()),
        allowed=frozenset(said["allowed"]),
        ekus=frozenset(said["ekus"]),
        development=said["development"] is True,
        ca_ekus=frozenset(said["ca_ekus"]),
    )


class _reading:  # noqa: N801 - reads as what it does
    """Whatever goes wrong while a file is read is that file's fault."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, MalformedError) and error.what != self._name:
            raise MalformedError(self._name, f"holds a {error.what} that {error.why}") from error
        if isinstance(error, ValueError | TypeError | KeyError | AttributeError | IndexError):
            raise MalformedError(self._name, "is not in its form") from error


def _load(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return json.loads(_need(files, name))
    except (ValueError, RecursionError) as error:
        raise MalformedError(name, "is no JSON") from error


def _need(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise MalformedError(name, "is missing")
    return files[name]


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
