"""Paths that must hold, and the forgeries that must not."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import oids
from keys.authority import new_issuer, new_root, new_signer, new_tsa, new_tsa_root
from keys.certificate import fingerprint
from keys.errors import TrustListError
from keys.trust import ListKind, TrustList, build_path, bundled


def path(lab: Any, leaf: Any, above: Any, *lists: TrustList, kind: ListKind = ListKind.SIGNER, at: Any = None) -> Any:
    return build_path(leaf.certificate, [item.certificate for item in above], lists, kind=kind, at=at or lab.now)


# --- what holds


def test_leaf_issuer_root(lab: Any, chain: Any) -> None:
    trust_list = lab.list(chain.root)
    found = path(lab, chain.leaf, [chain.issuer], trust_list)
    assert found.trusted
    assert found.chain == (chain.leaf.certificate, chain.issuer.certificate, chain.root.certificate)
    assert (found.list_name, found.list_digest, found.reason) == (trust_list.name, trust_list.digest, None)
    assert found.anchor == chain.root.certificate.subject.rfc4514_string()
    assert not found.development


def test_order_and_company_of_the_intermediates_do_not_matter(lab: Any, chain: Any) -> None:
    stranger, decoy = lab.ca("stranger"), lab.ca("issuer", lab.ca("root"))
    assert path(lab, chain.leaf, [decoy, stranger, chain.root, chain.issuer, chain.leaf], lab.list(chain.root)).trusted


@pytest.mark.parametrize("anchor", ["root", "issuer", "leaf"])
def test_any_certificate_of_the_path_may_be_the_anchor(lab: Any, chain: Any, anchor: str) -> None:
    found = path(lab, chain.leaf, [chain.issuer], lab.list(getattr(chain, anchor)))
    assert found.trusted
    assert found.chain[-1] == getattr(chain, anchor).certificate


def test_issuer_as_anchor_needs_nothing_beside_the_leaf(lab: Any, chain: Any) -> None:
    assert path(lab, chain.leaf, [], lab.list(chain.issuer)).trusted


@pytest.mark.parametrize("alg", ["es256", "es384", "es512", "ed25519", "ps256"])
def test_every_key_type_as_root_issuer_and_leaf(lab: Any, alg: str) -> None:
    root = lab.ca("root", alg=alg)
    issuer = lab.ca("issuer", root, alg=alg)
    assert path(lab, lab.issue("leaf", issuer, alg=alg), [issuer], lab.list(root)).trusted


def test_rsa_pss_certificate_signature(lab: Any) -> None:
    root = lab.ca("root", alg="ps256")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    leaf = lab.issue("leaf", root, rsa_padding=pss)
    assert path(lab, leaf, [], lab.list(root)).trusted


def test_first_list_that_holds_is_named(lab: Any, chain: Any) -> None:
    lists = [lab.list(lab.ca("other"), name="a"), lab.list(chain.issuer, name="b"), lab.list(chain.root, name="c")]
    assert path(lab, chain.leaf, [chain.issuer], *lists).list_name == "b"


def test_allowed_leaf_without_any_path(lab: Any) -> None:
    leaf = lab.issue("lonely", lab.ca("unknown"))
    allowed = lab.list(allowed_pem=leaf.certificate.public_bytes(Encoding.PEM))
    found = path(lab, leaf, [], allowed)
    assert found.trusted
    assert found.chain == (leaf.certificate,)
    assert not path(lab, leaf, [], allowed, at=lab.now + timedelta(days=200)).trusted


def test_development_lists_say_so(lab: Any) -> None:
    root = new_root(lab.now)
    issuer = new_issuer(root, lab.now)
    assert path(lab, new_signer(issuer, lab.now), [issuer], lab.list(root, development=True)).development


def test_cross_signed_root_expired_on_one_side(lab: Any) -> None:
    """The same CA under an expired and a living root: the living one counts."""
    old, new = lab.ca("old", end=timedelta(days=-1)), lab.ca("new")
    issuer = lab.ca("issuer", old)
    again = lab.ca("issuer", new, key=issuer.key)
    leaf = lab.issue("leaf", issuer)
    assert path(lab, leaf, [issuer, again], lab.list(old, new)).trusted
    assert not path(lab, leaf, [issuer], lab.list(old, new)).trusted


# --- what does not


def refused(lab: Any, leaf: Any, above: Any, *lists: TrustList, says: str, kind: ListKind = ListKind.SIGNER) -> None:
    found = path(lab, leaf, above, *lists, kind=kind)
    assert not found.trusted
    assert (found.list_name, found.anchor, found.chain) == (None, None, (leaf.certificate,))
    assert says in (found.reason or ""), found.reason


def test_no_list_of_that_kind(lab: Any, chain: Any) -> None:
    refused(lab, chain.leaf, [chain.issuer], says="no signer list to check against")
    refused(lab, chain.leaf, [chain.issuer], lab.list(chain.root, kind=ListKind.TSA), says="no signer list")


def test_mail_certificate_under_a_time_stamp_root_is_no_signer(lab: Any) -> None:
    """Public CAs on a TSA list also issue S/MIME; that must not make their customers camera makers."""
    public = lab.ca("public CA")
    mail = lab.issue("mallory", public, purposes=[oids.EMAIL_PROTECTION])
    tsa = lab.list(public, kind=ListKind.TSA)
    refused(lab, mail, [], tsa, says="no signer list")
    refused(lab, mail, [], tsa, lab.list(lab.ca("camera root")), says="none of the purposes")
    refused(lab, mail, [], tsa, says="not made for time stamping", kind=ListKind.TSA)


def test_claim_signer_under_an_identity_root_is_no_signer(lab: Any, chain: Any) -> None:
    refused(lab, chain.leaf, [chain.issuer], lab.list(chain.root, kind=ListKind.IDENTITY), says="no signer list")


def test_expired_root(lab: Any) -> None:
    root = lab.ca("root", end=timedelta(days=-1))
    refused(lab, lab.issue("leaf", root), [], lab.list(root), says="expired on 2026-11-20")


def test_root_not_yet_valid(lab: Any) -> None:
    root = lab.ca("root", start=timedelta(days=1))
    refused(lab, lab.issue("leaf", root), [], lab.list(root), says="valid only from")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"end": timedelta(days=-1)}, "expired on"),
        ({"start": timedelta(days=1)}, "valid only from"),
        ({"ca": False}, "is not a CA"),
        ({"ca": None}, "is not a CA"),
        ({"usage": "D"}, "may not sign certificates"),
        ({"purposes": [oids.TIME_STAMPING]}, "not made to issue for this purpose"),
        ({"purposes": ["1.3.6.1.5.5.7.3.2"]}, "not made to issue for this purpose"),
        ({"extra": [(x509.PolicyConstraints(0, None), True)]}, "critical extension we do not know"),
        ({"extra": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]}, "(1.2.3.4)"),
        ({"digest": hashes.SHA3_256()}, "sha3-256"),
    ],
)
def test_faulty_intermediate(lab: Any, changes: dict[str, Any], says: str) -> None:
    root = lab.ca("root")
    issuer = lab.ca("issuer", root, **changes)
    leaf = lab.issue("leaf", issuer)
    refused(lab, leaf, [issuer], lab.list(root), says=says)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"end": timedelta(days=-1, hours=23)}, "expired on"),
        ({"start": timedelta(hours=1)}, "valid only from"),
        ({"ca": True}, "is a CA"),
        ({"usage": "N"}, "lacks digitalSignature"),
        ({"usage": "E"}, "lacks digitalSignature"),
        ({"purposes": None}, "none of the purposes"),
        ({"purposes": [oids.ANY_PURPOSE]}, "none of the purposes"),
        ({"purposes": [oids.EMAIL_PROTECTION]}, "none of the purposes"),
        ({"purposes": [oids.TIME_STAMPING]}, "none of the purposes"),
        ({"extra": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b""), True)]}, "(1.2.3.4)"),
    ],
)
@pytest.mark.parametrize("as_anchor", [False, True])
def test_faulty_leaf_even_as_its_own_anchor(lab: Any, changes: dict[str, Any], says: str, as_anchor: bool) -> None:
    root = lab.ca("root")
    leaf = lab.issue("leaf", root, **changes)
    refused(lab, leaf, [], lab.list(leaf if as_anchor else root), says=says)


def test_weak_rsa_leaf(lab: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    root = lab.ca("root")
    leaf = lab.issue("leaf", root, key=rsa.generate_private_key(65537, 1024))
    refused(lab, leaf, [], lab.list(root), says="1024 bits")


def test_path_length(lab: Any) -> None:
    root = lab.ca("root", path_length=0)
    issuer = lab.ca("issuer", root)
    refused(lab, lab.issue("leaf", issuer), [issuer], lab.list(root), says="path length")
    assert path(lab, lab.issue("leaf", root), [], lab.list(root)).trusted


def test_leaf_that_plays_ca(lab: Any, chain: Any) -> None:
    """The oldest forgery: sign another certificate with an ordinary leaf key."""
    forged = lab.issue("forged", chain.leaf)
    refused(lab, forged, [chain.leaf, chain.issuer], lab.list(chain.root), says="is not a CA")


def test_same_names_other_keys(lab: Any, chain: Any) -> None:
    root = lab.ca("root")
    issuer = lab.ca("issuer", root, path_length=0)
    forged = lab.issue("leaf", issuer)
    refused(lab, forged, [issuer, root], lab.list(chain.root), says="does not hold")


def test_signature_by_somebody_else(lab: Any, chain: Any) -> None:
    forged = lab.issue("leaf", chain.issuer, signed_with=lab.issue("mallory").key)
    refused(lab, forged, [chain.issuer], lab.list(chain.root), says="does not hold")


def test_root_in_the_file_is_worth_nothing(lab: Any, chain: Any) -> None:
    refused(lab, chain.leaf, [chain.issuer, chain.root], lab.list(lab.ca("other")), says="no signer list knows who issued")


def test_missing_intermediate(lab: Any, chain: Any) -> None:
    refused(lab, chain.leaf, [], lab.list(chain.root), says="knows who issued CN=leaf")


def test_purposes_narrow_along_the_path(lab: Any) -> None:
    """Each CA allows a purpose of the leaf, but no purpose is allowed by both."""
    signing = [oids.CLAIM_SIGNING, oids.DOCUMENT_SIGNING]
    root = lab.ca("root", purposes=[oids.CLAIM_SIGNING])
    issuer = lab.ca("issuer", root, purposes=[oids.DOCUMENT_SIGNING])
    both = lab.list(root, ekus=frozenset(signing))
    refused(lab, lab.issue("leaf", issuer, purposes=signing), [issuer], both, says="not made to issue")


def test_ca_with_any_purpose_restricts_nothing(lab: Any) -> None:
    root = lab.ca("root", purposes=[oids.ANY_PURPOSE])
    assert path(lab, lab.issue("leaf", root), [], lab.list(root)).trusted


def test_tolerated_purpose_of_a_ca_only_where_the_list_says_so(lab: Any) -> None:
    root = lab.ca("root")
    issuer = lab.ca("issuer", root, purposes=[oids.ADOBE_ISSUING])
    leaf = lab.issue("leaf", issuer)
    refused(lab, leaf, [issuer], lab.list(root), says="not made to issue")
    assert path(lab, leaf, [issuer], lab.list(root, ca_ekus=frozenset({oids.ADOBE_ISSUING}))).trusted


@pytest.mark.parametrize(
    ("purposes", "critical", "says"),
    [
        ([oids.TIME_STAMPING], False, "does not mark its purpose critical"),
        ([oids.TIME_STAMPING, oids.CLAIM_SIGNING], True, "not made for time stamping alone"),
        ([oids.ANY_PURPOSE], True, "not made for time stamping alone"),
        (None, True, "not made for time stamping alone"),
    ],
)
def test_time_stamp_leaf_has_one_critical_purpose(lab: Any, purposes: Any, critical: bool, says: str) -> None:
    root = lab.ca("root")
    leaf = lab.issue("tsa", root, purposes=purposes, purposes_critical=critical)
    refused(lab, leaf, [], lab.list(root, kind=ListKind.TSA), says=says, kind=ListKind.TSA)


def test_time_stamp_leaf(lab: Any) -> None:
    root = new_tsa_root(lab.now)
    leaf = new_tsa(root, lab.now)
    assert path(lab, leaf, [], lab.list(root, kind=ListKind.TSA), kind=ListKind.TSA).trusted
    refused(lab, leaf, [], lab.list(root), says="none of the purposes")


# --- hostile bags of certificates


def test_a_loop_ends(lab: Any) -> None:
    a, b = lab.ca("a"), lab.ca("b")
    a2, b2 = lab.ca("a", b, key=a.key), lab.ca("b", a, key=b.key)
    refused(lab, lab.issue("leaf", a2), [a, b, a2, b2] * 4, lab.list(lab.ca("root")), says="no signer list knows")


def test_too_many_certificates(lab: Any, chain: Any) -> None:
    refused(lab, chain.leaf, [chain.issuer] * 33, lab.list(chain.root), says="more than 32")


def test_cross_signed_crowd_is_cut_off(lab: Any) -> None:
    """32 CAs of one name that all signed each other: without a budget 32·31·30·… paths."""
    first = lab.ca("x")
    crowd = [lab.ca("x", first, key=first.key) for _ in range(32)]
    refused(lab, lab.issue("leaf", first), crowd, lab.list(lab.ca("root")), says="")


def test_long_path_is_cut_off(lab: Any) -> None:
    root = lab.ca("ca0")
    cas = [root]
    for number in range(1, 9):
        cas.append(lab.ca(f"ca{number}", cas[-1]))
    refused(lab, lab.issue("leaf", cas[-1]), cas[1:], lab.list(root), says="longer than 8")


# --- name constraints


def constrained(lab: Any, permitted: Any = None, excluded: Any = None, *, critical: bool = True) -> Any:
    return lab.ca("root", extra=[(x509.NameConstraints(permitted, excluded), critical)])


def test_names_outside_the_constraints(lab: Any) -> None:
    ours = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.oid.NameOID.COUNTRY_NAME, "ZZ")]))
    theirs = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.oid.NameOID.COUNTRY_NAME, "YY")]))
    for root, holds in (
        (constrained(lab, [ours]), True),
        (constrained(lab, [theirs]), False),
        (constrained(lab, None, [ours]), False),
        (constrained(lab, [ours, theirs]), True),
        (constrained(lab, [theirs], critical=False), False),
    ):
        found = path(lab, lab.issue("leaf", root), [], lab.list(root))
        assert found.trusted is holds, found.reason


def test_constraints_reach_through_intermediates(lab: Any) -> None:
    root = constrained(lab, [x509.RFC822Name("example.org")])
    issuer = lab.ca("issuer", root)
    inside, outside = (
        lab.issue("leaf", issuer, extra=[(x509.SubjectAlternativeName([x509.RFC822Name(mailbox)]), False)])
        for mailbox in ("a@example.org", "a@evil.example")
    )
    assert path(lab, inside, [issuer], lab.list(root)).trusted
    refused(lab, outside, [issuer], lab.list(root), says="does not allow the name a@evil.example")


@pytest.mark.parametrize(
    ("tree", "name", "holds"),
    [
        (x509.DNSName("example.org"), x509.DNSName("a.EXAMPLE.org"), True),
        (x509.DNSName("example.org"), x509.DNSName("badexample.org"), False),
        (x509.RFC822Name("example.org"), x509.RFC822Name("a@sub.example.org"), False),
        (x509.RFC822Name(".example.org"), x509.RFC822Name("a@sub.example.org"), True),
        (x509.RFC822Name("a@example.org"), x509.RFC822Name("b@example.org"), False),
        (x509.UniformResourceIdentifier(".example.org"), x509.UniformResourceIdentifier("https://x.example.org/y"), True),
        (x509.UniformResourceIdentifier("example.org"), x509.UniformResourceIdentifier("https://x.example.org/"), False),
        (x509.UniformResourceIdentifier("example.org"), x509.UniformResourceIdentifier("urn:uuid:1"), False),
        (x509.IPAddress(ip_network("10.0.0.0/8")), x509.IPAddress(ip_address("10.1.2.3")), True),
        (x509.IPAddress(ip_network("10.0.0.0/8")), x509.IPAddress(ip_address("11.1.2.3")), False),
        (x509.DNSName("example.org"), x509.RFC822Name("a@other.example"), True),  # another kind is not constrained
    ],
)
def test_permitted_trees(lab: Any, tree: Any, name: Any, holds: bool) -> None:
    root = constrained(lab, [tree])
    leaf = lab.issue("leaf", root, extra=[(x509.SubjectAlternativeName([name]), False)])
    assert path(lab, leaf, [], lab.list(root)).trusted is holds


def test_mailbox_in_the_subject_is_constrained_too(lab: Any) -> None:
    root = constrained(lab, None, [x509.RFC822Name("evil.example")])
    name = x509.Name([*lab.name("leaf"), x509.NameAttribute(x509.oid.NameOID.EMAIL_ADDRESS, "a@evil.example")])
    refused(lab, lab.issue(name, root), [], lab.list(root), says="a@evil.example")


def test_constraint_of_unknown_kind(lab: Any) -> None:
    strange = x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))
    root = constrained(lab, None, [strange])
    refused(lab, lab.issue("leaf", root), [], lab.list(root), says="kind of name we do not understand")


# --- lists


def test_a_list_is_whole_or_an_error(lab: Any, chain: Any) -> None:
    pem = chain.root.certificate.public_bytes(Encoding.PEM)

    def read(text: bytes, **changes: Any) -> TrustList:
        defaults: dict[str, Any] = {"kind": ListKind.SIGNER, "name": "n", "uri": "u", "date": date(2026, 1, 1), "source": "s"}
        return TrustList.from_pem(text, **(defaults | changes))

    assert len(read(b"# comment\n" + pem + b"tail\n" + pem).anchors) == 2
    for text in (b"", b"junk", pem[:-30], pem + pem[:200], pem.replace(b"MII", b"AAA", 1)):
        with pytest.raises(TrustListError):
            read(text)
    for changes in (
        {"ekus": frozenset()},
        {"ekus": frozenset({oids.ANY_PURPOSE})},
        {"kind": ListKind.TSA, "allowed_pem": pem},
        {"kind": ListKind.TSA, "ekus": frozenset({oids.CLAIM_SIGNING})},
    ):
        with pytest.raises(TrustListError):
            read(pem, **changes)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_our_error(text: bytes) -> None:
    framed = b"-----BEGIN CERTIFICATE-----\n" + text + b"\n-----END CERTIFICATE-----\n"
    for candidate in (text, framed):
        with contextlib.suppress(TrustListError):
            TrustList.from_pem(candidate, kind=ListKind.SIGNER, name="n", uri="u", date=date(2026, 1, 1), source="s")


def test_bundled_lists() -> None:
    signer, tsa, interim, interim_tsa = bundled()
    assert [item.kind for item in bundled()] == [ListKind.SIGNER, ListKind.TSA, ListKind.SIGNER, ListKind.TSA]
    assert (len(signer.anchors), len(tsa.anchors), len(interim.anchors), len(interim.allowed)) == (30, 22, 18, 86)
    assert signer.digest == "sha256:75cacc98b79ecac33713c7ecfb58d4a0ef383f3c1f886e7409f9e37e8664aea5"
    assert tsa.digest == "sha256:c688d3555f4a2f1f8d663472bbd37888ff234abdd234c25934c0f9292e4eb5c9"
    assert signer.ekus == {oids.CLAIM_SIGNING}
    assert tsa.ekus == interim_tsa.ekus == {oids.TIME_STAMPING}
    assert interim.ekus == {
        oids.CLAIM_SIGNING,
        oids.EMAIL_PROTECTION,
        oids.DOCUMENT_SIGNING,
        oids.MICROSOFT_C2PA,
    }
    assert signer.date > interim.date
    assert not any(item.development for item in bundled())
    shared = {fingerprint(item) for item in signer.anchors} & {fingerprint(item) for item in tsa.anchors}
    assert len(shared) == 16


# --- corpus: whom the real lists reach, at the stamped or given time


@pytest.mark.parametrize(
    ("file", "at", "list_name"),
    [
        ("pixel-2026-02.jpg", (2026, 2, 8), "C2PA Trust List"),
        ("dalle.webp", (2024, 3, 8), "Interim trust list (frozen)"),
        ("adobe-2024.pdf", (2023, 11, 27), "Interim trust list (frozen)"),
        ("truepic-2023-camera.jpg", (2023, 2, 12), "Interim trust list (frozen)"),
        ("pixel-2026-02.jpg", (2027, 2, 8), None),  # the leaf ended on 2026-11-26
        ("dalle.webp", (2026, 11, 21), None),
        ("ebu-sony-cawg.mp4", (2026, 1, 26), None),  # a mail certificate of a public CA that is on no signer list
        ("ms-expired-with-timestamp.jpg", (2024, 5, 30), None),
        ("dev_signed.jpg", (2026, 11, 21), None),
    ],
)
def test_corpus_signers(signatures: Any, file: str, at: tuple[int, int, int], list_name: str | None) -> None:
    leaf, *above = signatures(file)[-1].certificates
    found = build_path(leaf, above, bundled(), kind=ListKind.SIGNER, at=datetime(*at, 20, tzinfo=UTC))
    assert found.list_name == list_name
    assert found.trusted is (list_name is not None)
    assert found.trusted or found.reason
