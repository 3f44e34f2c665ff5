"""Wire shapes, for the API description and for the tests that hold our answers to it; nothing is converted at run time.

Answers are built as plain values (`Verdict.as_dict()` and the functions of the routes) and sent as they are. A client must
ignore members that it does not know.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, Field

from provenance.verdict import Binding, Signature, Source, Status, Trust

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
AssetId = Annotated[str, Field(min_length=1, max_length=512)]


class Wire(BaseModel):
    """Root of the shapes."""

    model_config = ConfigDict(extra="ignore")


class AssetFacts(Wire):
    """The file that was looked at."""

    id: AssetId | None = Field(description="The registered asset that the file was found to belong to.")
    sha256: Sha256
    media_type: str | None
    width: int | None
    height: int | None
    duration_ms: int | None


class SignerFacts(Wire):
    name: str
    fingerprint: str = Field(description="`sha256:…` of the leaf certificate.")
    development: bool = Field(description="A development certificate: it names nobody. Say so wherever the name is shown.")


class RevocationFacts(Wire):
    state: Literal["good", "revoked", "not_checked"]
    source: str | None
    at: AwareDatetime | None


class TimeFacts(Wire):
    state: Literal["trusted", "untrusted", "invalid", "absent"]
    at: AwareDatetime | None = Field(description="Only of a trusted time stamp.")
    tsa: str | None


FoundBy = Annotated[
    Literal["mark", "manifest", "fingerprint"],
    Field(description="What led to a recovered credential: the mark, the label that is left in the file, or the fingerprint."),
]


class CredentialFacts(Wire):
    source: Source
    manifest_id: str | None
    signature: Signature | None
    binding: Binding | None = Field(description="Whether the content is, byte for byte, what was signed.")
    trust: Trust | None
    trust_list: str | None
    revocation: RevocationFacts
    time: TimeFacts
    signer: SignerFacts | None
    codes: list[str] = Field(description="Status codes as C2PA spells them.")
    found_by: FoundBy | None = None


class HistoryStep(Wire):
    manifest_id: str
    action: str
    signer: str | None
    trust: str
    at: AwareDatetime | None
    relationship: str | None
    faults: list[str]
    ingest_faults: list[str]


class PoseFacts(Wire):
    scale: float
    rotation_deg: float
    flipped: bool


class SpanFacts(Wire):
    """A stretch of a sound that carries the mark, or does not."""

    start_s: float
    end_s: float
    marked: bool


class MarkFacts(Wire):
    found: bool
    alg: str | None
    value: str | None
    p_false: float | None = Field(description="Chance that media without this mark gives such a reading.")
    bit_errors: int | None
    fit: Fraction | None = Field(description="How well the content agrees with the registered asset.")
    covered: Fraction | None = Field(None, description="Share of the file that the registered asset covers.")
    shown: Fraction | None = Field(None, description="Share of the registered asset that the file shows.")
    transform: PoseFacts | None
    spans: list[SpanFacts] = Field([], description="Of sound: when the mark is there, and when not.")
    speed: float | None = Field(None, description="Of sound: speed of this copy over that of the signed recording.")


class FoundMark(Wire):
    """One of several marks, each read under another key or in another part of a picture."""

    alg: str
    value: str
    p_false: float | None
    bit_errors: int | None
    owner: Literal["own", "registered", "unregistered"]
    manifests: list[str]
    part: tuple[Fraction, Fraction, Fraction, Fraction] | None = Field(
        None, description="x, y, width and height of the part of the picture that it was read in, where that is not all of it."
    )


class Change(Wire):
    """A region that is not what was signed, as fractions of width and height; in sound all of it, from when to when."""

    x: Fraction
    y: Fraction
    w: Fraction
    h: Fraction
    score: float
    kind: Literal["overlaid", "covered", "replaced", "silenced", "cut"] = "replaced"
    start_s: float | None = None
    end_s: float | None = None


class Reason(Wire):
    code: str
    say: str


class Given(Wire):
    """What the registry knew, and whether marks were looked for."""

    marks: bool
    revocations: dict[str, AwareDatetime] = Field(description="Instants by fingerprint.")
    stamps: dict[str, Sha256] = Field(description="Time stamps that came later, by manifest.")
    withdrawn: bool
    owners: list[str] = Field(description="Manifests registered with the mark that was read.")
    registered: str | None = Field(description="The manifest that the file led to.")


class Inputs(Wire):
    """The same inputs give the same verdict."""

    validator: str
    policy: str
    trust_lists: dict[str, list[str]]
    at: AwareDatetime
    given: Given | None = None


class Pictures(Wire):
    """JPEGs of at most 1,024 pixels as `data:` URLs; null where there is none."""

    copy_: Annotated[str | None, Field(alias="copy")]
    reference: str | None
    changes: str | None
    laid: str | None = Field(description="The reference as it lies in the copy, to wipe over it.")


class IdentityFacts(Wire):
    """Whose signature stands beside the claim's (CAWG identity assertion)."""

    name: str | None
    fingerprint: str | None
    kind: str
    roles: list[str]
    signature: Literal["verified", "failed"] | None
    trust: Literal["trusted", "untrusted", "expired"]
    trust_list: str | None


class ConsentFacts(Wire):
    """A consent that the claim speaks of: the digest of its record, the day, what for."""

    record: str
    given: str
    uses: list[str]


class Declared(Wire):
    """What the manifest declares besides how the asset came about."""

    identities: list[IdentityFacts]
    training: dict[str, str]
    consents: list[ConsentFacts]


class Verdict(Wire):
    """Everything that one verification found, layer by layer; `status` sums it up in one word."""

    status: Status
    summary: str
    asset: AssetFacts
    credential: CredentialFacts
    history: list[HistoryStep]
    mark: MarkFacts
    marks: list[FoundMark] = Field(
        [], description="All that were read, each under another key or in another part; the first is `mark`."
    )
    changes: list[Change]
    signals: list[str]
    reasons: list[Reason]
    not_checked: list[str]
    declared: Declared
    inputs: Inputs
    pictures: Pictures | None = Field(None, description="Only with `?pictures=true`.")


class TriageReason(Reason):
    weight: Fraction


class Triage(Wire):
    """How soon a person should look: a queue's order, never a judgement."""

    score: Fraction
    band: Literal["low", "medium", "high"]
    reasons: list[TriageReason]
    provenance: Verdict


class SoftBinding(Wire):
    alg: str
    value: str


class Signed(Wire):
    """A file was signed; `download` gives it back until `expires`."""

    asset_id: AssetId
    manifest_id: str
    sha256: Sha256
    media_type: str
    binding: SoftBinding | None = Field(description="The invisible mark; null where none was made.")
    signer: str
    development: bool
    time_state: Literal["trusted", "queued", "absent"]
    time: AwareDatetime | None
    entry_id: int | None
    registered: bool
    credential: str | None = Field(description="Where its manifest store is, if the file's container holds none; else null.")
    notes: list[str]
    steps_ms: dict[str, float]
    download: str
    expires: AwareDatetime


class AssetCredential(Wire):
    manifest_id: str
    signer: SignerFacts
    signed_at: AwareDatetime
    time_state: str


class Asset(Wire):
    """A registered asset."""

    id: AssetId
    sha256: Sha256
    media_type: str
    width: int | None
    height: int | None
    duration_ms: int | None
    action: Literal["captured", "edited", "rendition", "registered"]
    created_at: AwareDatetime
    withdrawn_at: AwareDatetime | None
    credential: AssetCredential
    bindings: list[SoftBinding]
    parents: list[AssetId]
    children: list[AssetId]
    links: dict[str, str]


class TrailEntry(Wire):
    """One entry. `digest` = SHA-256(0x00 ‖ `body`); `body.payload_digest` = SHA-256(`salt` ‖ the payload's canonical JSON)."""

    id: int
    seq: int | None = Field(description="Number in the log; null until it has one.")
    at: AwareDatetime
    kind: str
    asset_id: str | None
    digest: Sha256
    body: str
    payload: dict[str, Any] | None = Field(description="Null once erased.")
    salt: str | None = Field(description="Hex; null once erased.")


class Trail(Wire):
    asset_id: AssetId
    entries: list[TrailEntry]


class SurvivalStep(Wire):
    name: str
    title: str
    found: bool
    bit_errors: int | None = Field(description="Channel bits that the code corrected, of 1280; null where nothing was read.")
    p_false: float | None = Field(description="Bound on the chance that this reading is chance.")


class Survival(Wire):
    """A named, fixed ladder of treatments, and whether the mark was read after each."""

    asset_id: AssetId
    ladder: str
    alg: str
    value: str
    measured_at: AwareDatetime
    passed: int
    of: int
    steps: list[SurvivalStep]


class LineageNode(Wire):
    """A manifest; `asset_id` is null where only a signed claim speaks of it."""

    manifest_id: str
    asset_id: AssetId | None
    media_type: str | None
    title: str | None
    made: Literal["captured", "edited", "rendition", "registered"] | None = Field(description="Null where nothing is registered.")
    actions: list[str]
    marks: list[str] = Field(description="Soft bindings that its claim states, `alg value`.")
    signer: str | None
    at: AwareDatetime | None
    trust: Literal["trusted", "untrusted", "expired", "unknown"]
    faults: list[str] = Field(description="Status codes that hold now.")
    ingest_faults: list[str] = Field(description="Status codes that its taker recorded.")
    withdrawn: bool


class LineageEdge(Wire):
    """`child` was made from `parent`."""

    child: str
    parent: str
    relationship: str = Field(description="parentOf, componentOf or inputTo.")
    inferred: bool = Field(description="From a mark in the pixels; no signed claim says so.")


class Lineage(Wire):
    focus: str = Field(description="Manifest of the asset that was asked about.")
    as_of: AwareDatetime
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    cut: bool = Field(description="There is more than is told.")


class StatedAction(Wire):
    manifest_id: str
    action: str


class ChangedFact(Wire):
    field: str
    old: str | int | None
    new: str | int | None


class ContentDifference(Wire):
    agreement: Literal["fits", "changed", "foreign", "undecided"]
    score: Fraction
    changes: list[Change]


class DifferencePictures(Wire):
    """JPEGs of at most 1,024 pixels as `data:` URLs; null where there is none."""

    copy_: Annotated[str | None, Field(alias="copy", description="The new one.")]
    changes: str | None = Field(description="The same, changed places marked.")
    laid: str | None = Field(description="The old one as it lies in the new one.")


class Difference(Wire):
    """What is otherwise in `new`."""

    old: AssetId
    new: AssetId
    related: Literal["ancestor", "descendant", "kin", "none"] = Field(description="What `old` is to `new`.")
    actions: list[StatedAction] = Field(description="What claims on the way state, oldest first.")
    metadata: list[ChangedFact]
    content: ContentDifference | None = Field(description="Null where there is nothing to compare.")
    pictures: DifferencePictures | None = Field(None, description="Only with `?pictures=true`.")


class Deposit(Wire):
    """A signed asset without the asset: its manifest store, and the small copy that others are compared with."""

    asset_id: AssetId
    sha256: Sha256 = Field(description="Of the signed asset.")
    media_type: str = Field(min_length=1, max_length=512)
    width: int | None = Field(None, ge=1, le=65_535, description="Upright, in pixels.")
    height: int | None = Field(None, ge=1, le=65_535)
    duration_ms: int | None = Field(None, ge=0, le=2**31 - 1)
    manifest_store: Base64Bytes
    reference: Base64Bytes | None = None
    reference_media_type: (
        Literal["image/webp", "application/vnd.colophon.sound-envelope", "application/vnd.colophon.film-reel"] | None
    ) = None


class Deposited(Wire):
    manifest_id: str


class FeedSigner(Wire):
    name: str
    development: bool


class Disclosure(Wire):
    """Only where a signed claim says synthetic, wholly or partly; no disclosure says nothing."""

    ai: Literal["wholly", "partly"]
    say: str
    law: str


class Part(Wire):
    """Only where a recovered copy is a part of what was signed, or has more around it; a share that is not told is whole."""

    covered: Fraction | None = Field(None, description="Share of the file that what was signed covers.")
    shown: Fraction | None = Field(None, description="Share of what was signed that the file shows.")


class ReviewNote(Wire):
    """What a person found of it; the status itself is what was found in the file."""

    decision: Literal["upheld", "explained", "misleading", "unresolved"]
    say: str
    at: AwareDatetime


class Rendition(Signed):
    """A rendition that was signed, and what was found of it before."""

    parent: str
    mark: Literal["kept", "lost", "none"] = Field(description="Whether the parent's mark can still be read.")
    agreement: Literal["fits", "unchecked"]
    fit: Fraction | None


class Deviation(Wire):
    where: str
    before: Any
    after: Any


class Cause(Wire):
    what: str
    certain: bool = Field(description="Putting this input back alone undid what it explains.")
    explains: list[str]
    say: str


class Before(Wire):
    status: str | None
    inputs: dict[str, Any] | None


class Comparison(Wire):
    """A verdict beside an earlier one on the same bytes."""

    same: bool
    before: Before
    differences: list[Deviation]
    causes: list[Cause]
    verdict: Verdict


class Review(Wire):
    """A question to a person, and what they found."""

    id: int
    sha256: Sha256
    asset_id: AssetId | None
    status: str = Field(description="What it was when the question was asked.")
    why: str
    opened_at: AwareDatetime
    opened_by: str
    decided_at: AwareDatetime | None
    decided_by: str | None
    decision: Literal["upheld", "explained", "misleading", "unresolved"] | None
    say: str | None
    entry_id: int | None = Field(description="The trail's entry of the decision.")


class Reviews(Wire):
    items: list[Review]


class Withdrawal(Wire):
    asset_id: AssetId
    withdrawn_at: AwareDatetime


class Revoked(Wire):
    fingerprint: str
    reason: str
    since: AwareDatetime


class ApiKey(Wire):
    id: str
    name: str
    roles: list[str]
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None


class ApiKeys(Wire):
    keys: list[ApiKey]


class NewApiKey(ApiKey):
    secret: str = Field(description="Shown once.")


class JobLinks(Wire):
    self: str
    events: str


class Job(Wire):
    """Work that was promised. `result` is a verdict, or what signing answers, once it is done."""

    id: str
    kind: Literal["verify", "rendition"]
    state: Literal["queued", "running", "done", "failed"]
    stage: str = Field(description="One word: queued, looking, signing, done, failed.")
    sha256: Sha256 | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    links: JobLinks
    result: dict[str, Any] | None = None
    problem: ProblemDocument | None = None


class StatusItem(Wire):
    """What a feed shows for one id. Where `status` is `unregistered`, it and `id` are all there is."""

    id: str = Field(description="As it was asked for.")
    status: Status | Literal["unregistered", "pending"] = Field(
        description="`unregistered`: nobody here has looked at it, or it is no id at all. Show nothing; it is not `none`. "
        "`pending`: a job looks at it now."
    )
    label: str | None = Field(None, description="A few words to show beside the item; empty where nothing should be shown.")
    summary: str | None = None
    signer: FeedSigner | None = None
    signed_at: AwareDatetime | None = Field(None, description="By a trusted time stamp.")
    manifest_id: str | None = None
    asset_id: AssetId | None = None
    signals: list[str] | None = None
    disclosure: Disclosure | None = None
    part: Part | None = None
    found_by: FoundBy | None = None
    review: ReviewNote | None = None
    at: AwareDatetime | None = Field(None, description="When this was found.")
    token: str | None = Field(None, description="A JWT that says the same for minutes; only where it was asked for.")


class Jwk(Wire):
    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    alg: Literal["EdDSA"]
    use: Literal["sig"]


class RecentItem(Wire):
    id: AssetId
    created_at: AwareDatetime
    reference: str = Field(description="Address of a small picture.")


class Recent(Wire):
    items: list[RecentItem]


class SigningKey(Wire):
    """A key that signs claims; `chain` is PEM, leaf first, without the root."""

    key: str
    alg: str
    chain: str


class KeySet(Wire):
    """A JWK set (RFC 7517)."""

    keys: list[Jwk]


class Statuses(Wire):
    items: list[StatusItem]


class StatusQuery(Wire):
    ids: Annotated[list[str], Field(min_length=1, max_length=500)]


class Health(Wire):
    status: Literal["ok"]


class Ready(Wire):
    status: Literal["ready"]
    checks: dict[str, Literal["ok"]]


class FieldError(Wire):
    where: str
    say: str


class ProblemDocument(Wire):
    """RFC 9457, as `application/problem+json`."""

    type: str = Field(description="Address of an explanation of this kind of problem.")
    title: str
    status: int
    detail: str | None = None
    instance: str
    request_id: str
    errors: list[FieldError] | None = None
    code: str | None = None


class ProblemKind(Wire):
    type: str
    title: str
    status: int
    advice: str
