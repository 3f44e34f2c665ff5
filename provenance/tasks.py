"""What runs inside a killable worker: every touch of media that others made. Values in, values out.

Arguments and results are plain picklable values; pictures stay in the worker, only small JPEGs of them come out.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from keys.errors import KeysError
from keys.notary import witnessed
from provenance import fingerprint, sdk
from provenance import fit as fitting
from provenance.credential import Credential, Remote, Unreadable
from provenance.errors import DamagedMediaError, InputError, OutputError, SigningError, UnmarkableError, UnsupportedMediaError
from provenance.verdict import Change
from watermark import engines, holding, imwatermark, media, several
from watermark.detection import Detection
from watermark.errors import MediaDecodeError, UnsupportedError

Rgb = NDArray[np.uint8]
_PICTURE_SIDE = 1024
_THUMBNAIL_SIDE = 256
# How much finer than the source a copy may be encoded so that its mark can be read; the first that does is taken.
_FINENESS = (1.0, 1.25, 1.5)
# Far below what a detector accepts: what is only just readable here would not live through a platform.
_SURE = 1e-30


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file is, from its own bytes."""

    sha256: str
    size: int
    media_type: str | None


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """What a still picture's pixels say."""

    width: int
    height: int
    detection: Detection
    codes: tuple[str, str]  # as seen, and mirrored
    generator: tuple[str, float] | None
    others: tuple[Detection, ...] = ()  # read under further keys


@dataclass(frozen=True, slots=True)
class Compared:
    """A copy laid on the reference of a registered asset; a sound has neither pose nor pictures."""

    agreement: str
    score: float
    coverage: float  # share of the copy that the reference covers
    kept: float  # share of the reference that the copy shows
    aligned: bool
    scale: float
    rotation_deg: float
    flipped: bool
    changes: tuple[Change, ...]
    copy: bytes | None = None
    reference: bytes | None = None
    picture: bytes | None = None
    laid: bytes | None = None  # the reference as it lies in the copy


@dataclass(frozen=True, slots=True)
class Made:
    """A file that another was made from, and how the claim names it."""

    ingredient: Mapping[str, Any]
    media_type: str
    path: str


@dataclass(frozen=True, slots=True)
class SignJob:
    """A claim to be signed over a file; `mark_id` None leaves the content alone."""

    source: str
    destination: str
    media_type: str
    definition: Mapping[str, Any]
    signer: str
    keys_folder: str
    tsa_url: str | None
    ingredients: tuple[Made, ...] = ()
    resources: Mapping[str, bytes] = field(default_factory=dict)
    update: bool = False  # an update manifest that holds a time stamp for the one before
    identity: str | None = None  # reference of a second key, for an identity assertion
    beside: bool = False  # the file stays as it is: its credential will lie beside it


@dataclass(frozen=True, slots=True)
class MarkJob:
    """A mark to be put into a still picture, or only its upright view to be taken (`mark_id` None)."""

    source: str
    destination: str
    alg: str
    mark_id: int | None
    key: bytes
    strength: float | None
    redact: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture or a sound ready to be signed, and what is kept of it; what a sound has none of is None."""

    width: int | None
    height: int | None
    thumbnail: bytes | None
    reference: bytes
    code: str | None
    steps_ms: Mapping[str, float]
    reference_media_type: str = "image/webp"
    duration_ms: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedFile:
    sha256: str
    size: int
    store: bytes
    credential: Credential | Unreadable | Remote | None
    steps_ms: Mapping[str, float]


def kind(path: str) -> str | None:
    """MIME type of a file, from its first bytes.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    with _reading(path) as stream:
        head = stream.read(media.HEAD_BYTES)
    if not head:
        raise InputError(path, "is empty")
    return media.sniff(head, Path(path).name)


def carries_credential(path: str, media_type: str) -> bool:
    """Whether a credential, sound or not, is in a file or named by it."""
    with _reading(path) as stream:
        if media_type == "image/jpeg" and _unsigned(stream):
            return False
        return sdk.read(stream, media_type) is not None


def probe(path: str) -> Probe:
    """Digest and type of a file.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    digest, size, head = hashlib.sha256(), 0, b""
    with _reading(path) as stream:
        while block := stream.read(1 << 20):
            head = head or block[: media.HEAD_BYTES]
            digest.update(block)
            size += len(block)
    if not size:
        raise InputError(path, "is empty")
    return Probe(digest.hexdigest(), size, media.sniff(head, Path(path).name))


def read_credential(path: str, media_type: str | None, store: bytes | None) -> Credential | Unreadable | Remote | None:
    """The credential in a file, or the given store read against it."""
    with _reading(path) as stream:
        return sdk.read(stream, media_type, store=store)


def read_registered(store: bytes) -> Credential | Unreadable | Remote | None:
    """A bare manifest store from the registry."""
    return sdk.read_store(store)


def read_many(stores: Sequence[bytes]) -> list[Credential | Unreadable | Remote | None]:
    """Several bare manifest stores from the registry, in one go."""
    return [sdk.read_store(store) for store in stores]


def read_pixels(path: str, keys: Sequence[bytes]) -> PixelFacts:
    """Look for marks in a still picture and take its fingerprint.

    Raises:
        DamagedMediaError, UnsupportedMediaError: it cannot be decoded.
    """
    rgb = _load(path)
    height, width = rgb.shape[:2]
    detection, *others = several.under_each_key(lambda some: engines.default("image").detect(rgb, keys=some), keys)
    generator = None if detection.found else _generator(rgb)
    codes = (fingerprint.image_code(rgb), fingerprint.mirrored_image_code(rgb))
    return PixelFacts(width, height, detection, codes, generator, tuple(others))


def compare(
    path: str,
    reference: bytes,
    full_size: tuple[int, int],
    hint: tuple[float, float, float, float] | None,
    pictures: bool,
) -> Compared:
    """Measure how well a file's content agrees with a stored reference."""
    copy, stored = _load(path), _decode_reference(reference)
    measured = fitting.measure(copy, stored, full_size=full_size, hint=fitting.Hint(hint) if hint else None)
    shots: tuple[bytes | None, bytes | None, bytes | None, bytes | None] = (None, None, None, None)
    if pictures:
        drawn = _shot(fitting.picture(copy, measured, max_side=_PICTURE_SIDE)) if measured.changes else None
        laid = _shot(fitting.laid(copy, stored, measured, max_side=_PICTURE_SIDE)) if measured.pose is not None else None
        shots = (_shot(copy), _shot(stored), drawn, laid)
    return Compared(
        str(fitting.classify(measured)),
        measured.score,
        measured.coverage,
        measured.kept,
        measured.aligned,
        measured.scale,
        measured.rotation_deg,
        measured.flipped,
        tuple(Change(c.x, c.y, c.w, c.h, c.score, str(c.kind)) for c in measured.changes),
        *shots,
    )


def picture_of(path: str) -> bytes:
    """A small JPEG of a still picture, upright, in sRGB."""
    return _shot(_load(path))


def dimensions(path: str) -> tuple[int | None, int | None, int | None]:
    """Width, height and duration in ms of any medium; None where it has no such thing, or its header does not tell."""
    try:
        found = media.dimensions(Path(path))
        return found.width, found.height, found.duration_ms
    except (MediaDecodeError, UnsupportedError):
        return None, None, None


def prepare(job: MarkJob) -> Prepared:
    """Decode, mark and encode again at the source's own quality, and read the mark back; the source is not touched.

    A coarse quantiser can round the mark away: then, and only then, the copy is encoded more finely than the source was.

    Raises:
        DamagedMediaError, UnsupportedMediaError: the source cannot be decoded.
        CarrierTooSmallError: it cannot hold a mark (watermark.errors).
        UnmarkableError: it holds none that can be read back.
        OutputError: the copy cannot be written.
    """
    clock = Clock()
    with media_errors(job.source):
        picture = media.decode(Path(job.source))
    before = media.rgb8(picture)
    clock.lap("decode")
    if job.mark_id is None:
        _encode(picture, picture.pixels, job, 1.0)
        after = before
    else:
        after = _engine(job.alg).embed(before, job.mark_id, key=job.key, strength=job.strength)
        clock.lap("mark")
        _encode_readably(picture, media.transfer(picture, before, after), job, job.mark_id)
    clock.lap("encode")
    prepared = _copies(after)
    clock.lap("reference")
    return replace(prepared, steps_ms=clock.laps, notes=_weaknesses(after, job))


def _engine(alg: str) -> engines.Engine:
    """An engine by name; those of invisible-watermark mark where they are asked for, and are never looked for."""
    peers: list[engines.Engine] = []
    imwatermark.plug_in(peers.append)
    return next((peer for peer in peers if peer.alg == alg), None) or engines.get(alg)


def _weaknesses(marked: Rgb, job: MarkJob) -> tuple[str, ...]:
    """What the signer should know of a mark of ours that is not going to last."""
    if job.mark_id is None or job.alg != engines.default("image").alg:
        return ()
    lost = holding.lost_after(marked, job.mark_id, key=job.key)
    return (f"this picture cannot hold a mark that survives {' or '.join(lost)}",) if lost else ()


def view(path: str) -> Prepared:
    """The small copies of a picture that is signed as it is."""
    return _copies(_load(path))


def sign_file(job: SignJob) -> SignedFile:
    """Sign a file into a new one and read the result back.

    Raises:
        SigningError: the library could not sign.
        KeysError: the signer could not, or refused.
        OutputError: the result cannot be written (disk full, no rights).
    """
    clock = Clock()
    signer = witnessed(job.signer, folder=Path(job.keys_folder))
    named = witnessed(job.identity, folder=Path(job.keys_folder)) if job.identity else None
    with ExitStack() as files, _reading(job.source) as source, _Watched(job.destination) as destination:
        made_from = [(one.ingredient, one.media_type, files.enter_context(_reading(one.path))) for one in job.ingredients]
        try:
            if job.beside:
                shutil.copyfileobj(source, destination, 1 << 20)
                source.seek(0)
            sealed = sdk.sign(
                job.definition,
                source,
                destination,
                job.media_type,
                algorithm=signer.alg,
                chain_pem=signer.certificate_pem,
                callback=signer.sign,
                tsa_url=job.tsa_url,
                resources=job.resources,
                ingredients=made_from,
                update=job.update,
                beside=job.beside,
                identity=(named.alg, named.certificate_pem, named.sign) if named else None,
            )
        except OSError:
            destination.reraise()
            raise
        except sdk.SignFailedError as error:
            destination.reraise()
            if isinstance(error.__cause__, KeysError):
                raise error.__cause__ from error
            raise SigningError(job.source, str(error)) from error
    clock.lap("sign")
    digest = probe(job.destination)
    clock.lap("digest")
    with _reading(job.destination) as stream:
        credential = sdk.read(stream, sdk.STORE_TYPE, store=sealed.store) if job.beside else sdk.read(stream, job.media_type)
    clock.lap("read back")
    return SignedFile(digest.sha256, digest.size, sealed.store, credential, clock.laps)


def _unsigned(jpeg: BinaryIO) -> bool:
    """Whether a JPEG's header surely names no credential: the library would read, and rate, the whole file."""
    with mmap(jpeg.fileno(), 0, access=ACCESS_READ) as data:
        header = media.before_scan(data)
    return header is not None and b"c2pa" not in header and b"provenance" not in header  # embedded, or named in its XMP


def _encode(picture: media.Picture, pixels: Any, job: MarkJob, fineness: float) -> None:
    with writing(job.destination):
        media.encode(picture, pixels, Path(job.destination), redact=job.redact, fineness=fineness)


def _encode_readably(picture: media.Picture, pixels: Any, job: MarkJob, mark_id: int) -> None:
    for fineness in _FINENESS:
        _encode(picture, pixels, job, fineness)
        read = _engine(job.alg).detect(_load(job.destination), keys=(job.key,))
        if read.mark_id == mark_id and (read.p_false <= _SURE or job.alg != engines.default("image").alg):
            return
    raise UnmarkableError(job.source, "its quality is too low to hold a mark that can be read back")


def _copies(rgb: Rgb) -> Prepared:
    """The small copies of a picture, all from one that is already small."""
    height, width = rgb.shape[:2]
    scale = _PICTURE_SIDE / max(height, width)
    small = rgb
    if scale < 1:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    thumbnail = media.thumbnail(small, max_side=_THUMBNAIL_SIDE)
    reference = media.reference(small, max_side=_PICTURE_SIDE)
    return Prepared(width, height, thumbnail, reference, fingerprint.image_code(small), {})


class _Watched:
    """A new file for the library to write to; it remembers the real error, which the library replaces by its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = Path(path).open("w+b")  # noqa: SIM115 - closed in __exit__
        except OSError as error:
            raise OutputError(path, _phrase(error)) from error
        self._error: OSError | None = None
        for name in ("read", "write", "seek", "tell", "flush", "truncate"):
            setattr(self, name, self._guard(getattr(self._file, name)))

    def _guard(self, method: Any) -> Any:
        def guarded(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except OSError as error:
                self._error = error
                raise

        return guarded

    def reraise(self) -> None:
        if self._error is not None:
            raise OutputError(self._path, _phrase(self._error)) from self._error

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise OutputError(self._path, _phrase(error)) from error


class Clock:
    """Milliseconds of process time since the last lap, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name] = round((now - self._last) * 1000, 1)
        self._last = now


def _load(path: str) -> Rgb:
    with media_errors(path):
        return media.load_rgb8(Path(path))


def _shot(rgb: Rgb) -> bytes:
    return media.thumbnail(rgb, max_side=_PICTURE_SIDE)


def _decode_reference(data: bytes) -> Rgb:
    """A reference is our own encoding; it was checked against its digest when it was fetched."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DamagedMediaError("stored reference", "cannot be decoded")
    return np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8, copy=False)


def _generator(rgb: Rgb) -> tuple[str, float] | None:
    try:
        read = imwatermark.generator_mark(rgb)
    except UnsupportedError:  # the optional second engine is not installed
        return None
    return (read.name, read.p_value) if read else None


@contextmanager
def _reading(path: str) -> Iterator[BinaryIO]:
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(path, _phrase(error)) from error
    with stream:
        try:
            yield stream
        except IsADirectoryError as error:
            raise InputError(path, _phrase(error)) from error


@contextmanager
def writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(path, _phrase(error)) from error


@contextmanager
def media_errors(path: str) -> Iterator[None]:
    try:
        yield
    except MediaDecodeError as error:
        raise DamagedMediaError(path, error.what) from error
    except UnsupportedError as error:
        raise UnsupportedMediaError(path, error.what) from error
    except OSError as error:
        raise InputError(path, _phrase(error)) from error


def _phrase(error: OSError) -> str:
    known = {
        FileNotFoundError: "no such file",
        IsADirectoryError: "is a folder",
        PermissionError: "no permission",
        FileExistsError: "is in the way",
    }
    for kind, text in known.items():
        if isinstance(error, kind):
            return text
    return (error.strerror or str(error)).lower()
