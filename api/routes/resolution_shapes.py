"""Wire shapes of the Soft Binding Resolution API, spelled as its OpenAPI does, with an example of each answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api import examples

_MANIFEST = "urn:c2pa:5f0c1b7e-3d2a-4c59-8e61-7b9a0d4f2c13"
_ROOT = "https://credentials.example.org"


class Match(BaseModel):
    manifestId: str  # noqa: N815 - the standard's name
    endpoint: str | None = None
    similarityScore: Annotated[int | None, Field(ge=0, le=100)] = None  # noqa: N815 - the standard's name


class QueryResult(BaseModel):
    """Best first. No `endpoint`: fetch the manifest here."""

    model_config = ConfigDict(extra="forbid")
    matches: list[Match]


class BindingQuery(BaseModel):
    alg: Annotated[str, Field(min_length=1, max_length=512)]
    value: Annotated[str, Field(min_length=1, max_length=4096, description="The binding's value in base64.")]


class BindingClaim(BaseModel):
    manifestId: Annotated[str, Field(min_length=1, max_length=512)]  # noqa: N815 - the standard's name
    bindingValue: Annotated[str, Field(min_length=1, max_length=4096)]  # noqa: N815 - the standard's name
    alg: Annotated[str | None, Field(max_length=512, description="Ours: the standard has no such member.")] = None


class Region(BaseModel):
    """Where in the asset; a hint that we do not need."""

    model_config = ConfigDict(extra="allow")


class ReferenceQuery(BaseModel):
    referenceUrl: Annotated[str, Field(pattern="^https://", max_length=2048)]  # noqa: N815 - the standard's name
    assetLength: Annotated[int, Field(ge=1)]  # noqa: N815 - the standard's name
    assetType: Annotated[str | None, Field(max_length=100)] = None  # noqa: N815 - the standard's name
    region: list[Region] | None = None


class Stored(BaseModel):
    manifestId: str  # noqa: N815 - the standard's name
    receipt: Receipt | None = None


class Repository(BaseModel):
    uri: str
    manifestId: str  # noqa: N815 - the standard's name


class Anchor(BaseModel):
    """Where and how the manifest's arrival is recorded: here, an inclusion proof in a transparency log."""

    uri: str
    proof: dict[str, Any]
    parameters: dict[str, Any] | None = None


class Receipt(BaseModel):
    model_config = ConfigDict(extra="forbid")
    context: Annotated[Any, Field(alias="@context")]
    type: Annotated[str, Field(alias="@type")]
    repository: Repository
    anchor: Anchor


class CheckedReceipt(Receipt):
    verified: bool
    error: str | None = None


class Algorithm(BaseModel):
    alg: str


class Algorithms(BaseModel):
    watermarks: list[Algorithm]
    fingerprints: list[Algorithm]


class ServiceStatus(BaseModel):
    status: Literal["ok", "degraded", "down"]
    timestamp: str | None = None


class Capabilities(BaseModel):
    c2paSpecificationVersion: str  # noqa: N815 - the standard's name
    supportedCapabilities: list[Literal["queryByContent", "queryByReference", "storeManifests", "storeBindings"]]  # noqa: N815


class Pointer(BaseModel):
    apiEndpoint: str  # noqa: N815 - the standard's name
    c2paSpecificationVersion: str  # noqa: N815 - the standard's name
    capabilitiesEndpoint: str | None = None  # noqa: N815 - the standard's name
    statusEndpoint: str | None = None  # noqa: N815 - the standard's name


class Token(BaseModel):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


def example(value: Any) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of a 200 with an example."""
    return {200: {"content": {"application/json": {"example": value}}}}


MATCHES = example({"matches": [{"manifestId": _MANIFEST, "similarityScore": 97}]})
STORED = example({"manifestId": _MANIFEST})
RECEIPT: dict[str, Any] = {
    "@context": {"c2pa": "https://c2pa.org/ns/", "receipt": "https://c2pa.org/ns/manifest-receipt#"},
    "@type": "org.c2pa.manifest-receipt",
    "repository": {"uri": f"{_ROOT}/v1", "manifestId": _MANIFEST},
    "anchor": {
        "uri": f"{_ROOT}/api/v1/log",
        "parameters": {"origin": "credentials.example.org/log", "keys": ["credentials.example.org/log+6f2a9c61+ATx…"]},
        "proof": {
            "type": "c2sp.org/tlog-proof@v1",
            "entry": examples.TRAIL["entries"][0]["body"],
            "salt": "00112233445566778899aabbccddeeff",
            "payload": f'{{"manifest":"{_MANIFEST}"}}',
            "tlogProof": "c2sp.org/tlog-proof@v1\nindex 41\n…",
        },
    },
}
CHECKED = example({**RECEIPT, "verified": True})
ALGORITHMS = example({"watermarks": [{"alg": "org.colophon.mark.image.1"}], "fingerprints": [{"alg": "io.iscc.v0"}]})
STATUS = example({"status": "ok", "timestamp": "2026-11-21T09:30:00Z"})
CAPABILITIES = example({"c2paSpecificationVersion": "2.4", "supportedCapabilities": ["queryByContent", "queryByReference"]})
POINTER = example(
    {
        "apiEndpoint": f"{_ROOT}/v1",
        "c2paSpecificationVersion": "2.4",
        "capabilitiesEndpoint": f"{_ROOT}/v1/services/capabilities",
        "statusEndpoint": f"{_ROOT}/v1/services/status",
    }
)
