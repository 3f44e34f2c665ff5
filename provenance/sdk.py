"""The only module that imports `c2pa`; its errors, its settings and its habits stop here.

Read with provenance/README.md at hand: this library embeds, parses and hashes; it does not judge. Contexts are made once
a process and are never used across a fork.
"""

from __future__ import annotations

import ctypes
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import c2pa
from c2pa.c2pa import _lib as _library  # the wrapper's own handle of the library

from provenance.credential import Code, Credential, Remote, Results, Unreadable, assemble, results_of
from provenance.jumbf import JumbfError, manifests

VALIDATOR = "c2pa-python 0.38.1"
STORE_TYPE = "application/c2pa"
_MAX_ANCESTORS = 200

# Every purpose that some trust list admits: which of them a signer may have is decided by our own path building,
# but a purpose missing here would make the library call the certificate itself invalid.
_EKUS = (
    "1.3.6.1.4.1.62558.2.1",  # c2pa-kp-claimSigning
    "1.3.6.1.5.5.7.3.4",  # emailProtection
    "1.3.6.1.5.5.7.3.36",  # documentSigning
    "1.3.6.1.5.5.7.3.8",  # timeStamping
    "1.3.6.1.5.5.7.3.9",  # OCSPSigning
    "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft C2PA signing
)
_SETTINGS: dict[str, Any] = {
    "version": 1,
    "trust": {"trust_config": "\n".join(_EKUS) + "\n"},
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_after_sign": False,  # whoever signs here reads the result back and judges it
    },
    "core": {"allowed_network_hosts": []},
    "builder": {
        "thumbnail": {"enabled": False},
        "created_assertion_labels": ["c2pa.actions", "c2pa.actions.v2", "c2pa.soft-binding", "c2pa.thumbnail.claim"],
    },
}
_ALGORITHMS = {
    "es256": c2pa.C2paSigningAlg.ES256,
    "es384": c2pa.C2paSigningAlg.ES384,
    "es512": c2pa.C2paSigningAlg.ES512,
    "ps256": c2pa.C2paSigningAlg.PS256,
    "ps384": c2pa.C2paSigningAlg.PS384,
    "ps512": c2pa.C2paSigningAlg.PS512,
    "ed25519": c2pa.C2paSigningAlg.ED25519,
}


class SignFailedError(Exception):
    """The library could not sign; the message is its own, or the signer's where that failed first."""


@dataclass(frozen=True, slots=True)
class SealedAsset:
    """What signing gave: the manifest store's bytes as embedded."""

    store: bytes


@cache
def signable_types() -> frozenset[str]:
    """MIME types of the containers that the library can write a manifest into."""
    return frozenset(t for t in c2pa.Builder.get_supported_mime_types() if "/" in t and t != STORE_TYPE)


@cache
def readable_types() -> frozenset[str]:
    """MIME types of the containers that the library can look into."""
    return frozenset(t for t in c2pa.Reader.get_supported_mime_types() if "/" in t)


def read(stream: BinaryIO, media_type: str | None, *, store: bytes | None = None) -> Credential | Unreadable | Remote | None:
    """Read and validate the credential of an asset.

    Args:
        stream: The asset, at its start.
        media_type: Its MIME type; None lets the library look.
        store: A manifest store from elsewhere (sidecar, registry); it wins over an embedded one.
    Returns:
        The credential, whatever its state; `Unreadable` when one is there but damaged; `Remote` when only a pointer is
        there; None when there is none. Never raises for what the bytes say.
    """
    try:
        with c2pa.Reader(media_type, stream, store, context=_context()) as reader:
            return _gather(reader)
    except c2pa.C2paError.ManifestNotFound:
        return None
    except (c2pa.C2paError, JumbfError, ValueError, KeyError, TypeError, RecursionError) as error:
        return _explain(error)


def read_store(store: bytes) -> Credential | Unreadable | Remote | None:
    """Read a bare manifest store; the hard binding cannot match and is to be ignored by the caller."""
    return read(io.BytesIO(store), STORE_TYPE)


def sign(
    definition: Mapping[str, Any],
    source: BinaryIO,
    destination: BinaryIO,
    media_type: str,
    *,
    algorithm: str,
    chain_pem: str,
    callback: Callable[[bytes], bytes],
    tsa_url: str | None,
    resources: Mapping[str, bytes],
    ingredients: Sequence[tuple[Mapping[str, Any], str, BinaryIO]] = (),
    update: bool = False,
    identity: tuple[str, str, Callable[[bytes], bytes]] | None = None,
    beside: bool = False,
    chunk_kb: int | None = None,
) -> SealedAsset:
    """Write `source` with a new manifest to `destination`, which must be empty.

    Args:
        definition: The manifest definition (see claim.py).
        media_type: Must be right: the library does not look when it writes.
        callback: Signs the COSE Sig_structure; raw r‖s or DER for ECDSA.
        tsa_url: RFC 3161 authority; signing fails when it does not answer well.
        update: Write an update manifest over a signed `source`, holding a time stamp for the manifest that it updates;
            needs `tsa_url`, which is asked twice (C2PA 2.5 §16.19).
        identity: Algorithm, chain and callback of a second key: it signs an identity assertion over the hard binding
            (CAWG Identity 1.1 §8.1).
        beside: Leave `destination` alone and make a store that lies beside `source`, over all of its bytes: for
            containers that the library cannot write into.
        chunk_kb: Hash the media data of an MP4 in pieces of so many KiB, for files of which `chunking` says that they may be.
    Raises:
        SignFailedError: with the signer's own error where there is one.
    """
    if beside and identity is not None:
        raise SignFailedError("a credential that lies beside its file cannot hold an identity assertion: the library has no way")
    causes: list[BaseException] = []

    def guarded(sign_: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        def call(data: bytes) -> bytes:
            try:
                return sign_(data)
            except BaseException as cause:  # the library swallows it: keep the real cause
                causes.append(cause)
                raise

        return call

    try:
        signer = c2pa.Signer.from_callback(guarded(callback), _ALGORITHMS[algorithm], chain_pem, tsa_url)
        if identity is not None:
            second = c2pa.Signer.from_callback(guarded(identity[2]), _ALGORITHMS[identity[0]], identity[1], None)
            signer = _with_identity(signer, second)
        context = _stamping(tsa_url) if update and tsa_url else _chunking(chunk_kb) if chunk_kb else _context()
        builder = c2pa.Builder(dict(definition), context=context)
        if update:
            builder.set_intent(c2pa.C2paBuilderIntent.UPDATE)
        for identifier, data in resources.items():
            builder.add_resource(identifier, io.BytesIO(data))
        for ingredient, ingredient_type, stream in ingredients:
            builder.add_ingredient(dict(ingredient), ingredient_type, stream)
        if beside:
            return SealedAsset(_over_all(builder, signer, source))
        return SealedAsset(builder.sign(signer, media_type, source, destination))
    except c2pa.C2paError as error:
        raise SignFailedError(str(causes[0]) if causes else _clean(error)) from (causes[0] if causes else error)


def _with_identity(signer: c2pa.Signer, second: c2pa.Signer) -> c2pa.Signer:
    """One signer out of two: the second signs an identity assertion. The C API has it, the Python wrapper does not (0.38.1).

    The library takes both over; the wrappers are left without their handles, so that nothing is freed twice, and the second's
    callback is kept alive by the first.
    """
    join = _library.c2pa_identity_signer_create
    join.restype = ctypes.c_void_p
    join.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    handle = type(signer._handle)
    joined = join(ctypes.cast(signer._handle, ctypes.c_void_p), ctypes.cast(second._handle, ctypes.c_void_p), None, None)
    if not joined:
        raise c2pa.C2paError("the library could not join an identity signer")
    signer._handle, second._handle = ctypes.cast(joined, handle), None
    signer.identity = second
    return signer


def _over_all(builder: c2pa.Builder, signer: c2pa.Signer, source: BinaryIO) -> bytes:
    """A store whose hash covers every byte of `source`, for no container. The C API has it, the wrapper does not (0.38.1)."""
    binding = json.dumps({"name": "jumbf manifest", "alg": "sha256", "hash": [], "pad": []}).encode()
    form, out = STORE_TYPE.encode(), ctypes.POINTER(ctypes.c_ubyte)()
    reserve, seal = _library.c2pa_builder_data_hashed_placeholder, _library.c2pa_builder_sign_data_hashed_embeddable
    reserve.restype = seal.restype = ctypes.c_int64
    reserve.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]
    seal.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
    with c2pa.Stream(source) as stream:
        reserve_size = signer.reserve_size()
        _taken(reserve(builder._handle, reserve_size, form, ctypes.byref(out)), out)
        return _taken(seal(builder._handle, signer._handle, binding, form, stream._stream, ctypes.byref(out)), out)


def _taken(size: int, data: Any) -> bytes:
    """Take over bytes that the library gave. Raises C2paError where it gave none."""
    if size < 0:
        raise c2pa.C2paError(ctypes.string_at(_library.c2pa_error()).decode("utf-8", "replace"))
    try:
        return ctypes.string_at(data, size)
    finally:
        _library.c2pa_free(data)


@cache
def _context() -> c2pa.Context:
    return c2pa.Context.from_dict(_SETTINGS)


@cache
def _stamping(tsa_url: str) -> c2pa.Context:
    """A context that may ask one authority and nobody else; the library compares host and port as they stand in the URL."""
    late = {"enabled": True, "skip_existing": True, "fetch_scope": "parent"}
    builder = {**_SETTINGS["builder"], "auto_timestamp_assertion": late}
    core = {"allowed_network_hosts": [urlsplit(tsa_url).netloc]}
    return c2pa.Context.from_dict({**_SETTINGS, "core": core, "builder": builder})


@cache
def _chunking(chunk_kb: int) -> c2pa.Context:
    return c2pa.Context.from_dict({**_SETTINGS, "core": {**_SETTINGS["core"], "merkle_tree_chunk_size_in_kb": chunk_kb}})


def _gather(reader: c2pa.Reader) -> Credential:
    report = json.loads(reader.json())
    active = report["active_manifest"]
    if active not in report["manifests"]:  # a damaged store can leave the reader with nothing but its name
        raise ValueError(f"the active manifest {active} is not in the store")
    store = _sub_store(reader, active)
    parts = manifests(store)
    ancestors: dict[str, Results] = {}
    for label in report["manifests"]:
        if label != active and len(ancestors) < _MAX_ANCESTORS:
            ancestors[label] = _fresh(reader, label)
    return assemble(report, parts, ancestors, store=store, embedded=bool(reader.is_embedded()))


def _fresh(reader: c2pa.Reader, label: str) -> Results:
    """An ancestor judged by itself, now; its hard binding cannot match without its asset and says nothing."""
    try:
        with c2pa.Reader(STORE_TYPE, io.BytesIO(_sub_store(reader, label)), None, context=_context()) as ancestor:
            return results_of(json.loads(ancestor.json()))
    except c2pa.C2paError as error:
        return Results(failure=(Code("general.error", label, _clean(error)),))


def _sub_store(reader: c2pa.Reader, label: str) -> bytes:
    out = io.BytesIO()
    reader.resource_to_stream(f"self#jumbf=/c2pa/{label}", out)
    return out.getvalue()


def _explain(error: Exception) -> Unreadable | Remote:
    text = _clean(error)
    marker = "must fetch remote manifests from url "
    if marker in text:
        return Remote(text.split(marker, 1)[1].strip())
    return Unreadable(type(error).__name__.strip("_"), text)


def _clean(error: BaseException) -> str:
    """The library's message without the noise that it sometimes ends in."""
    return str(error).split("UntrackedPointer", 1)[0].strip(" :;\n") or type(error).__name__
