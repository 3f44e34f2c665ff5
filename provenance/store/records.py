"""The values that go into the registry and come out of it. An invalid one cannot be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provenance.errors import UnstorableError
from provenance.store.objects import is_digest
from provenance.store.trail import utc

NAME_BYTES = 512  # ids, algorithms, media types: what is looked up
VALUE_BYTES = 2_048  # PostgreSQL indexes at most 2,704 bytes, and a binding's index holds its algorithm as well
TEXT_BYTES = 16_384  # what is only shown
_MAX_INTEGER = 2**31 - 1
ACTIONS = frozenset({"captured", "edited", "rendition", "registered"})


def storable(text: str, limit: int) -> str | None:
    """Say why a text cannot be stored, or None if it can.

    PostgreSQL takes no NUL, UTF-8 no lone surrogate, an index no novel; SQLite would take them all, so both refuse.
    """
    if not text:
        return "is empty"
    if "\0" in text:
        return "holds a NUL"
    if len(text) > limit:  # before encoding: it may be huge
        return f"is longer than {limit} bytes"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "holds a lone surrogate"
    return f"is longer than {limit} bytes" if size > limit else None


def is_name(text: str) -> bool:
    """Whether something may be stored under that text; if not, looking it up is pointless."""
    return storable(text, NAME_BYTES) is None


def require_storable(what: str, text: str, limit: int = NAME_BYTES) -> None:
    """Raise UnstorableError unless the text fits."""
    why = storable(text, limit)
    if why is not None:
        raise UnstorableError(what, why)


def require_digest(what: str, text: str) -> None:
    """Raise UnstorableError unless the text is a lower-case hex SHA-256."""
    if not is_digest(text):
        raise UnstorableError(what, "is not a lower-case hex SHA-256")


@dataclass(frozen=True)
class Binding:
    """A soft binding: algorithm and value; the value alone means nothing (C2PA 2.2 §9.3)."""

    alg: str
    value: str

    def __post_init__(self) -> None:
        require_storable("binding alg", self.alg)
        require_storable("binding value", self.value, VALUE_BYTES)


@dataclass(frozen=True)
class Kin:
    """A registered asset that another was made from.

    Attributes:
        asset_id: The parent.
        relationship: As the standard names it: parentOf, componentOf, inputTo.
        inferred: Its mark was read in the pixels; no signed claim says so.
    """

    asset_id: str
    relationship: str = "parentOf"
    inferred: bool = False

    def __post_init__(self) -> None:
        require_storable("asset_id", self.asset_id)
        require_storable("relationship", self.relationship)


@dataclass(frozen=True)
class Relation:
    """An edge between two registered assets."""

    child: str
    parent: str
    relationship: str
    inferred: bool


@dataclass(frozen=True)
class Ingredient:
    """An edge between two manifests, as a signed claim says; either may belong to a file that nobody registered."""

    child: str
    parent: str
    relationship: str

    def __post_init__(self) -> None:
        for name in ("child", "parent", "relationship"):
            require_storable(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One asset with its active manifest, ready to be registered.

    Attributes:
        asset_id: Ours, random; at most 512 bytes, as every name here.
        sha256: Of the asset's bytes, manifest included; lower-case hex.
        width: Upright width of the asset in pixels; None where it has no picture. `height` likewise.
        duration_ms: None for a still.
        manifest_id: Label of the active manifest, `urn:c2pa:…`.
        manifest_store: The store's bytes exactly as they stand in the asset.
        signer_name: To show.
        signer_fingerprint: Of the leaf certificate; what a revocation names.
        signed_at: When, as far as `time_state` allows to believe it.
        action: What made the asset: captured, edited, rendition, or registered as it came.
        parent_asset_id: The registered asset that it was made from.
        kin: Further assets that it was made from: components, or a parent that only its mark tells of.
        ingredients: What the manifests of its store say of each other.
        bindings: Soft bindings that the *signed* claim carries.
        reference: Small copy to compare content with, `reference_width` × `reference_height` pixels.
        fingerprint: ISCC content code.
        summary: Payload of the trail entry; JSON.
        development: The signer is a development credential.
        consent: Payload of a second entry, `consent`: the record of whoever is depicted or voiced; JSON.
        stamp_due: The leaf's notAfter where the signature still lacks a trusted time stamp: until then it can get one.
    Raises:
        UnstorableError: a text that no database could hold, or a digest that is none.
        ValueError: a naive instant, an unknown action, an asset that is its own parent, half a reference.
    """

    asset_id: str
    sha256: str
    media_type: str
    manifest_id: str
    manifest_store: bytes = field(repr=False)
    signer_name: str
    signer_fingerprint: str
    signed_at: datetime
    time_state: str
    action: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    parent_asset_id: str | None = None
    kin: tuple[Kin, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    bindings: tuple[Binding, ...] = ()
    reference: bytes | None = field(default=None, repr=False)
    reference_media_type: str | None = None
    reference_width: int | None = None
    reference_height: int | None = None
    fingerprint: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    development: bool = False
    stamp_due: datetime | None = None
    consent: Mapping[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_digest("sha256", self.sha256)
        for name in ("asset_id", "media_type", "manifest_id", "signer_fingerprint", "time_state"):
            require_storable(name, getattr(self, name))
        for name in ("parent_asset_id", "reference_media_type", "fingerprint"):
            if getattr(self, name) is not None:
                require_storable(name, getattr(self, name))
        if self.signer_name:  # a certificate may well have none
            require_storable("signer_name", self.signer_name, TEXT_BYTES)
        if self.action not in ACTIONS:
            raise ValueError(f"no such action: {self.action[:32]!r}")
        if self.asset_id in {self.parent_asset_id, *(one.asset_id for one in self.kin)}:
            raise ValueError("an asset is not its own parent")
        if (self.reference is None) != (self.reference_media_type is None):
            raise ValueError("a reference and its media type come together")
        for name in ("width", "height", "duration_ms", "reference_width", "reference_height"):
            if not 0 <= (getattr(self, name) or 0) <= _MAX_INTEGER:
                raise UnstorableError(name, "is out of range")
        utc(self.signed_at)
        if self.stamp_due is not None:
            utc(self.stamp_due)


@dataclass(frozen=True)
class Receipt:
    """What came of a registration: the asset's id (the older one, if these bytes were known), its first trail entry."""

    asset_id: str
    entry_id: int
    new: bool


@dataclass(frozen=True, kw_only=True)
class AssetRecord:
    """A registered asset; fields as in `Registration`, stored bytes by their digests.

    Attributes:
        manifest_digest: Object with the manifest store.
        reference_digest: Object with the reference.
        parent_asset_id: First parent; `Registry.parents` has all.
        withdrawn_at: When the asset was withdrawn; None while it stands.
        created_at: When it was registered.
    """

    asset_id: str
    sha256: str
    media_type: str
    width: int | None
    height: int | None
    duration_ms: int | None
    manifest_id: str
    manifest_digest: str
    signer_name: str
    signer_fingerprint: str
    signed_at: datetime
    time_state: str
    action: str
    parent_asset_id: str | None
    bindings: tuple[Binding, ...]
    reference_digest: str | None
    reference_media_type: str | None
    reference_width: int | None
    reference_height: int | None
    fingerprint: str | None
    development: bool
    stamp_due: datetime | None
    stamped_at: datetime | None
    withdrawn_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Revocation:
    """A signer's credential is no longer to be trusted, from `at` on or, by its reason, altogether."""

    fingerprint: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class StatusRecord:
    """A stored status, ready to be served: JSON bytes, and an entity tag still without its quotes (RFC 9110 §8.8.3)."""

    document: bytes
    etag: str
    updated_at: datetime


@dataclass(frozen=True)
class StampDue:
    """A manifest that was signed without a trusted time stamp, and the end of its leaf's validity."""

    manifest_id: str
    manifest_digest: str
    due: datetime
