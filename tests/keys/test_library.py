"""Our keys in the hands of the library that writes and reads manifests: signed, stamped, read back trusted."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from keys import oids
from keys.authority import development_name, issue_leaf, new_issuer, new_root
from keys.certificate import to_pem
from keys.keystore import init_development
from keys.service import spawn
from keys.signer import Signer, load
from keys.signers.file import FileSigner
from keys.timestamp import TimeState, check_token, message_assertion, message_v2
from keys.trust import TrustList
from keys.tsa import serve


def context(*lists: TrustList, hosts: tuple[str, ...] | None = None, **builder: Any) -> c2pa.Context:
    kinds = {"signer": "manifest", "tsa": "tsa"}
    anchors = [{"trust_kind": kinds[item.kind], "trust_uri": item.uri, "trust_anchors": to_pem(item.anchors)} for item in lists]
    return c2pa.Context.from_dict(
        {
            "version": 1,
            "trust": {"trust_config": oids.CLAIM_SIGNING + "\n", "anchors": anchors},
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign_hash": True},
            "builder": {"thumbnail": {"enabled": False}, **builder},
            "core": {} if hosts is None else {"allowed_network_hosts": list(hosts)},
        }
    )


def signed(signer: Signer, source: bytes, using: c2pa.Context, url: str | None = None, *, update: bool = False) -> bytes:
    alg = c2pa.C2paSigningAlg[signer.alg.upper()]
    with c2pa.Signer.from_callback(signer.sign, alg, signer.certificate_pem, url) as handle:
        builder = c2pa.Builder({"claim_generator_info": [{"name": "test"}]}, context=using)
        if update:
            builder.set_intent(c2pa.C2paBuilderIntent.UPDATE)
        else:
            builder.set_intent(c2pa.C2paBuilderIntent.CREATE, c2pa.C2paDigitalSourceType.DIGITAL_CAPTURE)
        out = io.BytesIO()
        builder.sign(handle, "image/jpeg", io.BytesIO(source), out)
    return out.getvalue()


def read(data: bytes, using: c2pa.Context) -> tuple[str, set[str]]:
    with c2pa.Reader("image/jpeg", io.BytesIO(data), None, context=using) as reader:
        found = json.loads(reader.json())
    return found["validation_state"], {item["code"] for item in found["validation_results"]["activeManifest"]["success"]}


@pytest.fixture(scope="module")
def photo(corpus: Path) -> bytes:
    return (corpus / "c2pa" / "dev_stripped.jpg").read_bytes()


@pytest.mark.parametrize("alg", ["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"])
def test_every_algorithm_reads_trusted(lab: Any, photo: bytes, alg: str) -> None:
    from keys.algorithms import generate

    now = datetime.now(UTC)
    root = new_root(now)
    issuer = new_issuer(root, now)
    key = rsa.generate_private_key(65537, 2048) if alg.startswith("ps") else generate(alg)
    leaf = issue_leaf(issuer, key.public_key(), development_name("claim signer"), now)
    using = context(lab.list(root))
    assert read(signed(FileSigner(alg, (leaf, issuer.certificate), key), photo, using), using)[0] == "Trusted"


@pytest.mark.slow
def test_signing_process_and_time_stamp(photo: bytes, read_signatures: Callable[[bytes], list[Any]]) -> None:
    with tempfile.TemporaryDirectory(prefix="l") as place:
        store = init_development(Path(place) / "keys", now=datetime.now(UTC))
        lists = store.development_lists()
        using = context(*lists)
        with spawn(store.folder, Path(place) / "run" / "s", tsa=True, timeout_s=60) as process:
            data = signed(load(process.ref, folder=store.folder), photo, using, process.tsa_url)
    state, codes = read(data, using)
    assert state == "Trusted"
    assert {"timeStamp.validated", "timeStamp.trusted", "signingCredential.trusted"} <= codes
    (found,) = read_signatures(data)
    _, token = found.token()
    stamp = check_token(token, message_v2(found.protected, found.signature), lists, at=datetime.now(UTC))
    assert stamp.state is TimeState.TRUSTED
    assert stamp.at is not None
    assert datetime.now(UTC) - stamp.at < timedelta(minutes=1)


@pytest.mark.slow
def test_stamped_later_by_an_update_manifest(
    photo: bytes, read_signatures: Callable[[bytes], list[Any]], read_boxes: Callable[[bytes], list[Any]]
) -> None:
    """Offline capture: the token in the update's `c2pa.time-stamp` covers the parent's signature bytes, bare."""
    with tempfile.TemporaryDirectory(prefix="l") as place:
        store = init_development(Path(place) / "keys", now=datetime.now(UTC))
        lists, signer = store.development_lists(), store.signer()
        captured = signed(signer, photo, context(*lists))
        with serve(store.tsa()) as url:
            late = {"enabled": True, "skip_existing": True, "fetch_scope": "parent"}
            stamping = context(*lists, hosts=(url.split("/")[2],), auto_timestamp_assertion=late)
            updated = signed(signer, captured, stamping, url, update=True)
    (parent,) = read_signatures(captured)
    (tokens,) = (cbor2.loads(box) for path, box in read_boxes(updated) if path[-1] == "c2pa.time-stamp")
    (token,) = tokens.values()
    now = datetime.now(UTC)
    assert check_token(token, message_assertion(parent.signature), lists, at=now).state is TimeState.TRUSTED
    assert check_token(token, message_v2(parent.protected, parent.signature), lists, at=now).state is TimeState.INVALID
