"""What one verification found: the layers, each by itself, and the one word that sums them up.

`Verdict.as_dict()` is the JSON of the contract; nothing here decides anything (see judge.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """One word for a whole verdict. The order of `GRAVITY` is that of the exit codes, gravest last."""

    TRUSTED = "trusted"
    VALID = "valid"
    RECOVERED = "recovered"
    ALTERED = "altered"
    CONFLICT = "conflict"
    REVOKED = "revoked"
    INVALID = "invalid"
    NONE = "none"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self]


EXIT_CODES: Mapping[Status, int] = {
    Status.TRUSTED: 0,
    Status.VALID: 0,
    Status.RECOVERED: 0,
    Status.NONE: 3,
    Status.UNKNOWN: 4,
    Status.ALTERED: 2,
    Status.CONFLICT: 2,
    Status.REVOKED: 2,
    Status.INVALID: 2,
}
# Over several files the gravest decides: contradiction, error, doubt, absence, success.
_GRAVITY = (0, 3, 4, 1, 2)


def gravest(codes: list[int]) -> int:
    """The exit code of a run over several files; 0 for none."""
    return max(codes, key=_GRAVITY.index, default=0)


class Binding(StrEnum):
    """Does the hard binding (a hash of the content) hold?"""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNCHECKED = "unchecked"  # a manifest store by itself: there is no content to compare


class Signature(StrEnum):
    VERIFIED = "verified"
    FAILED = "failed"


class Trust(StrEnum):
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"  # outside the leaf's validity, and no trusted time stamp says that it was signed before


class Source(StrEnum):
    """Where the credential came from."""

    EMBEDDED = "embedded"
    SIDECAR = "sidecar"
    REGISTRY = "registry"  # of exactly these bytes, whose container holds none
    RECOVERED = "recovered"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """The file that was looked at; `id` is the registered asset it was found to belong to, if any."""

    sha256: str
    media_type: str | None
    id: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SignerFacts:
    name: str
    fingerprint: str  # "sha256:…" of the leaf certificate
    development: bool


@dataclass(frozen=True, slots=True)
class RevocationFacts:
    state: str  # good | revoked | not_checked
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeFacts:
    state: str  # trusted | untrusted | invalid | absent
    at: datetime | None = None  # of a trusted stamp only
    tsa: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialFacts:
    """`found_by` says what led to a recovered one: "mark", "manifest" (the label that is left in the file) or "fingerprint"."""

    source: Source
    manifest_id: str | None = None
    signature: Signature | None = None
    binding: Binding | None = None
    trust: Trust | None = None
    trust_list: str | None = None
    revocation: RevocationFacts = RevocationFacts("not_checked")
    time: TimeFacts = TimeFacts("absent")
    signer: SignerFacts | None = None
    codes: tuple[str, ...] = ()
    found_by: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """One manifest of the store, active first. `faults` hold now; `ingest_faults` were recorded at ingest."""

    manifest_id: str
    action: str
    signer: str | None
    trust: str
    at: datetime | None
    relationship: str | None
    faults: tuple[str, ...] = ()
    ingest_faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentityFacts:
    """An identity assertion (CAWG): whose signature stands beside the claim's. `signature` None: of a kind not looked at."""

    name: str | None
    fingerprint: str | None
    kind: str
    roles: tuple[str, ...]
    signature: Signature | None
    trust: Trust
    trust_list: str | None


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """A consent that the claim speaks of: the digest of its record, the day, what for. Never who."""

    record: str
    given: str
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the manifest declares besides how the asset came about; `training` is the preference by use."""

    identities: tuple[IdentityFacts, ...] = ()
    training: Mapping[str, str] = field(default_factory=dict)
    consents: tuple[ConsentFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class PoseFacts:
    scale: float
    rotation_deg: float
    flipped: bool


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """Seconds of a file that carry the mark, or do not."""

    start_s: float
    end_s: float
    marked: bool


@dataclass(frozen=True, slots=True)
class MarkFacts:
    """`fit` is how well the content agrees with the registered work where both were compared, `covered` the share of the file
    that it covers, `shown` the share of it that the file shows; `spans` and `speed` (of the copy over the signed recording)
    are told of sound and film only.
    """

    found: bool
    alg: str | None = None
    value: str | None = None
    p_false: float | None = None
    bit_errors: int | None = None
    fit: float | None = None
    covered: float | None = None
    shown: float | None = None
    transform: PoseFacts | None = None
    spans: tuple[SpanFacts, ...] = ()
    speed: float | None = None


Part = tuple[float, float, float, float]
"""x, y, width and height as fractions of a picture, origin top left."""


@dataclass(frozen=True, slots=True)
class FoundMark:
    """One of the marks in a file, each under another key or in another part of a picture.

    Attributes:
        owner: "own" (the credential or one that it was made from names it), "registered" (another asset's), "unregistered".
        manifests: Ids of manifests registered with it.
        part: x, y, width and height, as fractions of the picture, of the part that it was found in; None for all of it.
    """

    alg: str
    value: str
    p_false: float | None
    bit_errors: int | None
    owner: str
    manifests: tuple[str, ...] = ()
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A region of the file that is not what was signed, as fractions of its width and height.

    `kind` is what it looks like, an aid and no evidence: "overlaid" (words or lines), "covered" (one plain colour),
    "replaced" (other content). In sound, which has no places, the region is all of it, `start_s` and `end_s` tell when, and
    `kind` is "replaced", "silenced" or "cut" (it goes on at another place of what was signed).
    """

    x: float
    y: float
    w: float
    h: float
    score: float
    kind: str = "replaced"
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    say: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that the judge was given besides the file: the same inputs give the same verdict.

    Attributes:
        given: What was known and looked for: `marks` (whether any were looked for), `revocations` (fingerprint → instant),
            `stamps` got later (manifest → SHA-256), `withdrawn`, `owners` of the mark, the `registered` manifest it led to.
    """

    validator: str
    policy: str
    trust_lists: Mapping[str, tuple[str, ...]]  # kind -> digests
    at: datetime
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    summary: str
    asset: AssetFacts
    credential: CredentialFacts
    mark: MarkFacts
    inputs: Inputs
    marks: tuple[FoundMark, ...] = ()  # all that were read; the first is `mark`
    history: tuple[HistoryStep, ...] = ()
    changes: tuple[Change, ...] = ()
    signals: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    not_checked: tuple[str, ...] = ()
    declared: Declared = field(default_factory=Declared)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON-ready values; instants in UTC, ISO 8601 with Z."""
        plain: dict[str, Any] = _plain(
            {
                "status": self.status,
                "summary": self.summary,
                "asset": self.asset,
                "credential": self.credential,
                "history": self.history,
                "mark": self.mark,
                "marks": self.marks,
                "changes": self.changes,
                "signals": self.signals,
                "reasons": self.reasons,
                "not_checked": self.not_checked,
                "declared": self.declared,
                "inputs": self.inputs,
            }
        )
        plain.update(_plain(self.extra))
        return plain


def iso(instant: datetime) -> str:
    """UTC, to the second: 2026-11-21T10:00:00Z."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
