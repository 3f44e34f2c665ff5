"""Name constraints of RFC 5280 §4.2.1.10: which names a CA may certify.

A CA's constraints bind the subject and the alternative names of every certificate below it. Directory names, DNS
names, mailboxes, URIs and IP addresses are understood; a critical constraint on any other kind of name refuses the
whole path, because we cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from keys.certificate import extension, is_self_issued, subject

Names = tuple[x509.GeneralName, ...]


def violation(issuer: x509.Certificate, below: Iterable[x509.Certificate]) -> str | None:
    """Say which name under a CA breaks its constraints, or None.

    Args:
        issuer: the CA whose constraints count.
        below: the certificates of the path under it, leaf first.
    """
    found = extension(issuer, x509.NameConstraints)
    if found is None:
        return None
    permitted = tuple(found.value.permitted_subtrees or ())
    excluded = tuple(found.value.excluded_subtrees or ())
    if found.critical:
        strange = next((item for item in permitted + excluded if type(item) not in _MATCHERS), None)
        if strange is not None:
            return f"constrains a kind of name we do not understand ({type(strange).__name__})"
    for position, certificate in enumerate(below):
        if position > 0 and is_self_issued(certificate):
            continue  # RFC 5280 §6.1.3 (b): a CA's own roll-over certificates are exempt, a leaf never is
        try:
            names = _names(certificate)
        except ValueError:
            return f"cannot be held against a name of {subject(certificate)}, which is malformed"
        for name in names:
            if not _allowed(name, permitted, excluded):
                return f"does not allow the name {name.value} of {subject(certificate)}"
    return None


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    """Subject, mailboxes inside the subject (§4.2.1.10 names them), and all alternative names."""
    names: list[x509.GeneralName] = []
    if certificate.subject.rdns:
        names.append(x509.DirectoryName(certificate.subject))
    mailboxes = certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
    names += [x509.RFC822Name(_text(item.value)) for item in mailboxes]
    alternative = extension(certificate, x509.SubjectAlternativeName)
    return names + (list(alternative.value) if alternative else [])


def _allowed(name: x509.GeneralName, permitted: Names, excluded: Names) -> bool:
    matches = _MATCHERS.get(type(name))
    if matches is None:
        return True  # constraints on such names were refused above when critical
    same = [item for item in permitted if type(item) is type(name)]
    if any(type(item) is type(name) and matches(name.value, item.value) for item in excluded):
        return False
    return not same or any(matches(name.value, item.value) for item in same)


def _directory(name: x509.Name, tree: x509.Name) -> bool:
    wanted = [_rdn(item) for item in tree.rdns]
    return [_rdn(item) for item in name.rdns][: len(wanted)] == wanted


def _rdn(rdn: x509.RelativeDistinguishedName) -> frozenset[tuple[str, str]]:
    """Compared without regard to case and runs of blanks (RFC 5280 §7.1)."""
    return frozenset((item.oid.dotted_string, " ".join(_text(item.value).casefold().split())) for item in rdn)


def _dns(name: str, tree: str) -> bool:
    name, tree = name.casefold().rstrip("."), tree.casefold().rstrip(".")
    if tree.startswith("."):
        return name.endswith(tree)
    return tree == "" or name == tree or name.endswith("." + tree)


def _host(name: str, tree: str) -> bool:
    """A host under a URI or mailbox constraint: with a leading dot its subdomains only, otherwise that host alone."""
    name, tree = name.casefold(), tree.casefold()
    return name.endswith(tree) if tree.startswith(".") else name == tree


def _mailbox(name: str, tree: str) -> bool:
    local, _, host = name.rpartition("@")
    if "@" in tree:
        wanted_local, _, wanted_host = tree.rpartition("@")
        return local == wanted_local and host.casefold() == wanted_host.casefold()
    return tree == "" or _host(host, tree)


def _uri(name: str, tree: str) -> bool:
    try:
        host = urlsplit(name).hostname
    except ValueError:
        host = None
    # §4.2.1.10: a URI without a host name cannot satisfy a constraint; it must not escape an exclusion either
    return False if host is None else tree == "" or _host(host, tree)


Address = IPv4Address | IPv6Address | IPv4Network | IPv6Network


def _address(name: Address, tree: Address) -> bool:
    if isinstance(tree, IPv4Network | IPv6Network) and isinstance(name, IPv4Address | IPv6Address):
        return name in tree
    return name == tree


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


_MATCHERS: dict[type[x509.GeneralName], Callable[..., bool]] = {
    x509.DirectoryName: _directory,
    x509.DNSName: _dns,
    x509.RFC822Name: _mailbox,
    x509.UniformResourceIdentifier: _uri,
    x509.IPAddress: _address,
}
