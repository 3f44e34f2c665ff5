"""Every rule of the profile has a chain that breaks it and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from asn1crypto.core import ObjectIdentifier, OctetBitString, UTF8String
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import oids
from keys.authority import development_name, issue_leaf, new_issuer, new_root, new_signer
from keys.certificate import fingerprint, holder, load_der
from keys.errors import ProfileError
from keys.profile import check
from keys.rules import CA, COMMON, LEAF

Maker = Callable[[Any], list[Any]]


def raw(oid: str, der: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der)


OCSP = x509.AuthorityInformationAccess(
    [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.test/"))]
)
LEVEL_1 = raw(oids.ASSURANCE_LEVEL, ObjectIdentifier(oids.ASSURANCE_LEVEL_1).dump())
LEVEL_2 = raw(oids.ASSURANCE_LEVEL, ObjectIdentifier(oids.ASSURANCE_LEVEL_2).dump())
RECORD = raw(oids.CPL_RECORD, UTF8String("0193a1b2-0000-7000-8000-000000000000").dump())
FULL = {"ocsp": OCSP, "assurance": LEVEL_1, "product-record": RECORD}
SIGNING = (oids.CLAIM_SIGNING, oids.DOCUMENT_SIGNING)
CRITICAL = raw("1.2.3.4", b"\x05\x00")


def leaf_of(lab: Any, by: Any, *, without: str = "", extra: Any = (), **changes: Any) -> Any:
    """A leaf as the programme wants it, except for the changes."""
    kept = [(item, False) for name, item in FULL.items() if name != without]
    return lab.issue(changes.pop("name", "leaf"), by, extra=[*kept, *extra], **changes)


def with_leaf(**changes: Any) -> Maker:
    def make(lab: Any) -> list[Any]:
        issuer = lab.ca("issuer", lab.ca("root"), path_length=0)
        return [leaf_of(lab, issuer, **changes), issuer]

    return make


def with_issuer(**changes: Any) -> Maker:
    def make(lab: Any) -> list[Any]:
        issuer = lab.ca("issuer", lab.ca("root"), **changes)
        return [leaf_of(lab, issuer), issuer]

    return make


def rewritten(change: Callable[[asn1_x509.Certificate], None]) -> Maker:
    """A leaf whose body was changed below the level that `cryptography` builds, and signed again by its issuer."""

    def make(lab: Any) -> list[Any]:
        leaf, issuer = with_leaf()(lab)
        parsed = asn1_x509.Certificate.load(leaf.certificate.public_bytes(Encoding.DER))
        change(parsed)
        body = parsed["tbs_certificate"].dump(force=True)
        parsed["signature_value"] = OctetBitString(issuer.key.sign(body, ec.ECDSA(hashes.SHA256())))
        certificate = x509.load_der_x509_certificate(parsed.dump(force=True))
        return [type(leaf)(certificate, leaf.key), issuer]

    return make


def as_v1(parsed: asn1_x509.Certificate) -> None:
    parsed["tbs_certificate"]["version"] = "v1"


def with_unique_id(parsed: asn1_x509.Certificate) -> None:
    parsed["tbs_certificate"]["subject_unique_id"] = OctetBitString(b"\x01\x02")


def path_length_broken(lab: Any) -> list[Any]:
    upper = lab.ca("upper", lab.ca("root"), path_length=0)
    issuer = lab.ca("issuer", upper, path_length=0)
    return [leaf_of(lab, issuer), issuer, upper]


def wrong_order(lab: Any) -> list[Any]:
    issuer = lab.ca("issuer", lab.ca("root"))
    return [leaf_of(lab, issuer), lab.ca("somebody", lab.ca("root"))]


def wrong_signature(lab: Any) -> list[Any]:
    root = lab.ca("root")
    return [leaf_of(lab, lab.ca("issuer", root)), lab.ca("issuer", root)]


def root_appended(lab: Any) -> list[Any]:
    root = lab.ca("root")
    issuer = lab.ca("issuer", root)
    return [leaf_of(lab, issuer), issuer, root]


def constrained(lab: Any) -> list[Any]:
    tree = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "YY")]))
    return with_issuer(extra=[(x509.NameConstraints([tree], None), True)])(lab)


def unreadable(lab: Any) -> list[Any]:
    return with_leaf(extra=[(raw("2.5.29.17", b"\x30\x03\x82\x05a"), False)])(lab)


def days(count: float) -> timedelta:
    return timedelta(days=count)


BROKEN: dict[str, Maker] = {
    "leaf.version": rewritten(as_v1),
    "leaf.unique-id": rewritten(with_unique_id),
    "leaf.critical-unknown": with_leaf(extra=[(CRITICAL, True)]),
    "leaf.key": with_leaf(key=rsa.generate_private_key(65537, 1024)),
    "leaf.signature": with_leaf(digest=hashes.SHA3_256()),
    "leaf.validity": with_leaf(start=days(-90), end=days(-1)),
    "leaf.authority-key-id": with_leaf(authority_id=False),
    "leaf.key-usage.critical": with_leaf(usage_critical=False),
    "leaf.ca": with_leaf(ca=True, usage="DN"),
    "leaf.basic-constraints": with_leaf(ca=None),
    "leaf.subject-key-id": with_leaf(subject_id=False),
    "leaf.key-usage": with_leaf(usage="N"),
    "leaf.key-cert-sign": with_leaf(usage="DNC"),
    "leaf.non-repudiation": with_leaf(usage="D"),
    "leaf.purpose": with_leaf(purposes=None),
    "leaf.purpose.any": with_leaf(purposes=[*SIGNING, oids.ANY_PURPOSE]),
    "leaf.purpose.exclusive": with_leaf(purposes=[*SIGNING, oids.TIME_STAMPING]),
    "leaf.purpose.foreign": with_leaf(purposes=["1.3.6.1.5.5.7.3.2"]),
    "leaf.purpose.claim-signing": with_leaf(purposes=[oids.EMAIL_PROTECTION]),
    "leaf.purpose.companion": with_leaf(purposes=[oids.CLAIM_SIGNING]),
    "leaf.purpose.extra": with_leaf(purposes=[*SIGNING, "1.3.6.1.5.5.7.3.2"]),
    "leaf.lifetime": with_leaf(start=days(-1), end=days(400)),
    "leaf.name": with_leaf(name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])),
    "leaf.policy": with_leaf(policy=False),
    "leaf.ocsp": with_leaf(without="ocsp"),
    "leaf.assurance": with_leaf(without="assurance"),
    "leaf.product-record": with_leaf(without="product-record"),
    "leaf.unreadable": unreadable,
    "ca.critical-unknown": with_issuer(extra=[(CRITICAL, True)]),
    "ca.signature": with_issuer(digest=hashes.SHA3_256()),
    "ca.validity": with_issuer(end=days(-1)),
    "ca.authority-key-id": with_issuer(authority_id=False),
    "ca.key-usage.critical": with_issuer(usage_critical=False),
    "ca.basic-constraints": with_issuer(ca=None, usage="CR"),
    "ca.basic-constraints.critical": with_issuer(basic_critical=False),
    "ca.key-usage": with_issuer(usage="D"),
    "ca.subject-key-id": with_issuer(subject_id=False),
    "ca.path-length": path_length_broken,
    "ca.purpose": with_issuer(purposes=["1.3.6.1.5.5.7.3.2"]),
    "ca.name-constraints": constrained,
    "chain.order": wrong_order,
    "chain.signature": wrong_signature,
    "chain.root": root_appended,
    "chain.intermediate": lambda lab: with_leaf()(lab)[:1],
    "chain.self-signed": lambda lab: [leaf_of(lab, None)],
}


@pytest.mark.parametrize("rule", BROKEN)
def test_breaks_this_rule_and_no_other(lab: Any, rule: str) -> None:
    made = [item.certificate for item in BROKEN[rule](lab)]
    found = check(made, at=lab.now)
    assert {item.rule for item in found} == {rule}, found
    assert all(item.say and item.mend and item.clause and item.subject for item in found)


def test_every_rule_has_its_certificate() -> None:
    """Version, unique ids and keys of CAs are the same rows as for leaves; one test each is enough."""
    named = {f"leaf.{rule.name}" for rule in (*COMMON, *LEAF)} | {f"ca.{rule.name}" for rule in (*COMMON, *CA)}
    assert named - set(BROKEN) == {"ca.version", "ca.unique-id", "ca.key"}


def test_a_chain_without_fault(lab: Any) -> None:
    assert check([item.certificate for item in with_leaf()(lab)], at=lab.now) == ()


def test_assurance_level_2_lives_90_days(lab: Any) -> None:
    issuer = lab.ca("issuer", lab.ca("root"))
    level_2 = [(LEVEL_2, False)]
    short, long = (leaf_of(lab, issuer, without="assurance", extra=level_2, start=days(-1), end=days(end)) for end in (89, 100))
    assert check([short.certificate, issuer.certificate], at=lab.now) == ()
    assert [item.rule for item in check([long.certificate, issuer.certificate], at=lab.now)] == ["leaf.lifetime"]


def test_ca_first_in_the_chain(lab: Any, chain: Any) -> None:
    found = {item.rule for item in check([chain.issuer.certificate, chain.leaf.certificate], at=lab.now)}
    assert {"leaf.ca", "chain.order", "ca.basic-constraints"} <= found


def test_an_empty_chain_is_our_callers_bug(lab: Any) -> None:
    with pytest.raises(ValueError, match="empty"):
        check([], at=lab.now)


def test_the_development_leaf_lacks_only_what_a_public_ca_adds(lab: Any) -> None:
    issuer = new_issuer(new_root(lab.now), lab.now)
    for alg in ("es256", "es384", "es512", "ps256", "ed25519"):
        made = new_signer(issuer, lab.now, alg=alg)
        found = check([made.certificate, issuer.certificate], at=lab.now)
        assert {item.rule for item in found} == {"leaf.ocsp", "leaf.assurance", "leaf.product-record"}
        assert {item.severity for item in found} == {"warning"}


def test_leaves_the_builder_refuses(lab: Any) -> None:
    issuer = new_issuer(new_root(lab.now), lab.now)
    key, name = ec.generate_private_key(ec.SECP256R1()).public_key(), development_name("x")
    for life in (timedelta(0), timedelta(days=-1), timedelta(days=90, seconds=1)):
        with pytest.raises(ProfileError, match="lifetime"):
            issue_leaf(issuer, key, name, lab.now, life=life)
    with pytest.raises(ProfileError, match="1024"):
        issue_leaf(issuer, rsa.generate_private_key(65537, 1024).public_key(), name, lab.now)
    with pytest.raises(ProfileError, match=r"leaf\.name"):
        issue_leaf(issuer, key, x509.Name([]), lab.now)
    good = issue_leaf(issuer, key, name, lab.now, ocsp_url="http://ocsp.test/")
    assert "leaf.ocsp" not in {item.rule for item in check([good, issuer.certificate], at=lab.now)}


@pytest.mark.parametrize(
    ("attribute", "damaged"),
    [
        (b"\x06\x03\x55\x04\x0a\x0c\x03Lab", b"\x06\x03\x55\x04\x0a\x03\x03Lab"),  # a bit string for an organisation
        (b"\x06\x03\x55\x04\x06\x13\x02ZZ", b"\x06\x03\x55\x04\x06\x03\x02\x00Z"),  # and for a country
    ],
)
def test_a_name_that_cannot_be_read_is_a_finding(lab: Any, chain: Any, attribute: bytes, damaged: bytes) -> None:
    der = chain.leaf.certificate.public_bytes(Encoding.DER)
    assert attribute in der
    certificate = load_der(der.replace(attribute, damaged))
    found = [item for item in check([certificate, chain.issuer.certificate], at=lab.now) if item.rule == "leaf.unreadable"]
    assert [item.subject for item in found] == [f"sha256:{fingerprint(certificate)}"]
    assert holder(certificate) == f"sha256:{fingerprint(certificate)}"


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damaged_certificates_give_findings_or_do_not_load(chain: Any, lab: Any, data: Any) -> None:
    der = bytearray(chain.leaf.certificate.public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        certificate = load_der(bytes(der))
    except ValueError:
        return
    check([certificate, chain.issuer.certificate], at=lab.now)
