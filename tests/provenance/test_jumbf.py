"""The box walk: whatever the bytes, it gives manifests or one error, and what it gives stands in the bytes."""

from __future__ import annotations

from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import sdk
from provenance.credential import Credential
from provenance.jumbf import JumbfError, manifests

CBOR_BOX = bytes.fromhex("63626f7200110010800000aa00389b71")


def superbox(label: str, *content: bytes) -> bytes:
    described = CBOR_BOX + b"\x03" + label.encode() + b"\0"
    return box(b"jumb", box(b"jumd", described) + b"".join(content))


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def signature(chain: object = (b"leaf",), *, label: object = 33, bucket: int = 0, payload: object = None) -> bytes:
    headers: list[dict[object, object]] = [{1: -7}, {}]
    headers[bucket][label] = chain
    return cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps(headers[0]), headers[1], payload, b"sig"]))


def store(sealed: bytes, claim: bytes = b"\xa0") -> bytes:
    claims = superbox("c2pa.claim.v2", box(b"cbor", claim))
    return superbox("c2pa", superbox("urn:c2pa:x", claims, superbox("c2pa.signature", box(b"cbor", sealed))))


@pytest.fixture(scope="module")
def real(corpus: Path) -> bytes:
    with (corpus / "c2pa" / "dev_edited.jpg").open("rb") as stream:
        found = sdk.read(stream, "image/jpeg")
    assert isinstance(found, Credential)
    return found.store


@pytest.mark.parametrize("label", [33, "x5chain"])
@pytest.mark.parametrize("bucket", [0, 1])
def test_chain_is_found_wherever_writers_put_it(label: object, bucket: int) -> None:
    (sealed,) = manifests(store(signature([b"leaf", b"ica"], label=label, bucket=bucket))).values()
    assert sealed.chain == (b"leaf", b"ica")
    assert sealed.signature == b"sig"


def test_a_single_certificate_stands_by_itself() -> None:
    (sealed,) = manifests(store(signature(b"leaf"))).values()
    assert sealed.chain == (b"leaf",)


@pytest.mark.parametrize("chain", [5, "text", [1, 2], [], {}])
def test_what_is_no_chain_is_none(chain: object) -> None:
    (sealed,) = manifests(store(signature(chain))).values()
    assert sealed.chain == ()


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"\xa0", b"\x01", cbor2.dumps([1, 2]), cbor2.dumps("x")])
def test_a_signature_that_is_none_leaves_its_manifest_out(garbage: bytes) -> None:
    assert manifests(store(garbage)) == {}


def test_a_store_without_claims_is_empty() -> None:
    assert manifests(superbox("c2pa")) == {}
    assert manifests(b"") == {}


@pytest.mark.parametrize("length", [0xFFFFFFFF, 7, 2])
def test_a_box_that_lies_about_its_length(length: int) -> None:
    lying = length.to_bytes(4) + store(signature())[4:]
    with pytest.raises(JumbfError) as caught:
        manifests(lying)
    assert caught.value.offset == 0


def test_boxes_within_boxes_end_somewhere() -> None:
    deep = b""
    for _ in range(100):
        deep = superbox("c2pa", deep)
    with pytest.raises(JumbfError, match="too deep"):
        manifests(deep)


def test_real_store(real: bytes) -> None:
    found = manifests(real)
    assert len(found) == 2
    for sealed in found.values():
        assert len(sealed.chain) == 2
        assert sealed.claim in real
        assert sealed.signature in real
        assert cbor2.loads(sealed.claim)["instanceID"].startswith("xmp.iid")


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    try:
        manifests(data)
    except JumbfError as error:
        assert 0 <= error.offset <= len(data)


@settings(max_examples=300)
@given(data=st.data())
def test_any_damage_to_a_real_store(real: bytes, data: st.DataObject) -> None:
    hurt = bytearray(real)
    for _ in range(data.draw(st.integers(1, 8))):
        hurt[data.draw(st.integers(0, len(hurt) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(hurt)))
    for piece in (bytes(hurt), bytes(hurt[:end])):
        try:
            found = manifests(piece)
        except JumbfError:
            continue
        assert all(isinstance(sealed.chain, tuple) for sealed in found.values())
