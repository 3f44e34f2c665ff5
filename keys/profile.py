"""Does a certificate chain meet the C2PA certificate profile, and if not, what is wrong and how is it mended?

This is about the chain itself, before anybody signs with it: whether somebody *trusts* it is for `trust.build_path`.
It is stricter than the library, which accepts in silence a chain with an expired or wrongly purposed CA, violated
name constraints, a root appended, or a leaf without digitalSignature (README.md). Rules
and their clauses stand in `rules`; the object identifiers in `oids`; `authority.issue_leaf` builds a leaf that passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from keys import rules
from keys.certificate import extension, is_self_issued, purposes, signed_by, subject, unreadable
from keys.constraints import violation
from keys.issuing import shared_purposes
from keys.rules import RFC, Rule, Severity

CHAIN = "C2PA 2.5 §13.2"


@dataclass(frozen=True)
class Finding:
    """One broken rule. `rule` is for programs ("leaf.purpose.any"), `say` and `mend` are plain phrases."""

    rule: str
    clause: str
    subject: str
    severity: Severity
    say: str
    mend: str


def check(chain: Sequence[x509.Certificate], *, at: datetime) -> tuple[Finding, ...]:
    """Find every broken rule in four steps: the leaf alone, each CA alone, each link, the whole.

    Args:
        chain: leaf first, then intermediates, as they would stand in x5chain.
        at: aware instant at which it would sign.
    Returns:
        Findings in chain order; empty when there is nothing to say. No `error` among them: fit to sign.
    Raises:
        ValueError: an empty chain.
    """
    if not chain:
        raise ValueError("an empty chain")
    found = list(_alone("leaf", chain[0], (*rules.COMMON, *rules.LEAF), at))
    for ca in chain[1:]:
        found += _alone("ca", ca, (*rules.COMMON, *rules.CA), at)
    if any(unreadable(item) for item in chain):
        return tuple(found)  # told already; links cannot be judged
    for position in range(1, len(chain)):
        found += _link(chain[:position], chain[position])
    return (*found, *_whole(chain))


def _alone(role: str, certificate: x509.Certificate, table: Sequence[Rule], at: datetime) -> Iterator[Finding]:
    fault = unreadable(certificate)
    if fault:
        yield Finding(f"{role}.unreadable", RFC, subject(certificate), "error", f"cannot be read: {fault}", "issue it again")
        return
    for rule in table:
        say = rule.broken(certificate, at)
        if say is not None:
            yield Finding(f"{role}.{rule.name}", rule.clause, subject(certificate), rule.severity, say, rule.mend)


def _link(below: Sequence[x509.Certificate], ca: x509.Certificate) -> Iterator[Finding]:
    child = below[-1]

    def finding(rule: str, clause: str, say: str, mend: str) -> Finding:
        return Finding(rule, clause, subject(ca), "error", say, mend)

    if child.issuer != ca.subject:
        yield finding("chain.order", CHAIN, f"did not issue {subject(child)}", "order the chain leaf, issuer, its issuer, …")
        return
    if not signed_by(child, ca):
        yield finding("chain.signature", RFC, f"its key did not sign {subject(child)}", "put the CA that really issued it")
        return
    yield from (finding(*row) for row in _limits(below, ca))


def _limits(below: Sequence[x509.Certificate], ca: x509.Certificate) -> Iterator[tuple[str, str, str, str]]:
    """What a CA restricts below itself: depth, purposes, names."""
    basic, own = extension(ca, x509.BasicConstraints), purposes(below[0])
    depth = sum(not is_self_issued(item) for item in below[1:])
    if basic is not None and basic.value.path_length is not None and depth > basic.value.path_length:
        yield "ca.path-length", RFC, f"allows {basic.value.path_length} CA below it, not {depth}", "issue from a higher CA"
    if own and not shared_purposes(ca, own):
        yield "ca.purpose", RFC, "is restricted to other purposes", "use a CA made for claim signing"
    forbidden = violation(ca, below)
    if forbidden:
        yield "ca.name-constraints", RFC, forbidden, "ask that CA for a name it may certify"


def _whole(chain: Sequence[x509.Certificate]) -> Iterator[Finding]:
    last = chain[-1]
    if not is_self_issued(last):
        if len(chain) == 1:
            yield Finding(
                "chain.intermediate",
                CHAIN,
                subject(last),
                "warning",
                "comes without the CA that issued it",
                "append every intermediate, leaf first; readers do not fetch them",
            )
    elif len(chain) == 1:
        yield Finding(
            "chain.self-signed",
            CHAIN,
            subject(last),
            "warning",
            "is signed by itself: nobody vouches for it",
            "have a CA issue it; readers will show the signer as not verified",
        )
    else:
        yield Finding(
            "chain.root",
            CHAIN,
            subject(last),
            "warning",
            "is a root; readers bring their own",
            "leave the root out of the chain",
        )
