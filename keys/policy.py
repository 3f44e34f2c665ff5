"""Who may sign what: `policy.toml` in the keys folder, read as a table. Pure but for `load`.

    [default]                                   every key without a section of its own
    generators   = ["Colophon"]                 names of claim generators
    source_types = ["digitalCapture", "none"]   what a claim says that it is; "none": claims that say nothing (edits, stamps)
    media_types  = ["image/jpeg"]
    per_minute   = 120                          signatures of one key
    capture_code = true                         each claim needs a code that was not used for another (`keys code`)
    consent_for  = ["trainedAlgorithmicMedia"]  these need a consent assertion in the claim

    [keys.studio]                               this key follows these lines alone
    per_minute   = 600

What is left out is not limited; without the file nothing is. A file that cannot be understood stops all signing, since half
a policy is none. What a claim says of itself stands in its `claim_generator_info`, under names of our own: that is all that
to-be-signed bytes hold besides digests. Whoever states there another source type than in the actions signs a contradiction.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from keys.errors import KeyFileError

NAME = "policy.toml"
SOURCE_TYPE, MEDIA_TYPE, CAPTURE_CODE = "org.colophon.sourceType", "org.colophon.mediaType", "org.colophon.captureCode"
CONSENT = "org.colophon.consent"  # label of the assertion
NOTHING = "none"
_MOST_PER_MINUTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Statement:
    """What a claim says of itself, as far as a policy asks. `labels` are its assertions', without their numbers."""

    generator: str
    source_type: str | None = None
    media_type: str | None = None
    code: str | None = field(default=None, repr=False)
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """What one key may sign; None is no limit."""

    generators: frozenset[str] | None = None
    source_types: frozenset[str] | None = None
    media_types: frozenset[str] | None = None
    per_minute: int | None = None
    capture_code: bool = False
    consent_for: frozenset[str] = frozenset()

    def objection(self, claim: Statement) -> tuple[str, str] | None:
        """Why a claim is not signed, as (code, words), or None. Rate and capture codes are counted elsewhere."""
        source = claim.source_type or NOTHING
        if self.generators is not None and claim.generator not in self.generators:
            return "generator", f"this key does not sign for {claim.generator[:80]!r}"
        if self.source_types is not None and source not in self.source_types:
            said = f"the source type {source[:80]!r}" if claim.source_type else "a claim that states no source type"
            return "source_type", f"this key does not sign {said}"
        if self.media_types is not None and claim.media_type not in self.media_types:
            said = repr(claim.media_type[:80]) if claim.media_type else "a claim that states no media type"
            return "media_type", f"this key does not sign {said}"
        if source in self.consent_for and CONSENT not in claim.labels:
            return "consent", f"{source} needs the recorded consent of whoever is depicted or voiced"
        if self.capture_code and not claim.code:
            return "capture_code", "this key signs only with a capture code"
        return None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules by key."""

    default: Rule = Rule()
    keys: Mapping[str, Rule] = field(default_factory=dict)

    def rule(self, key: str) -> Rule:
        return self.keys.get(key, self.default)


def load(folder: Path) -> Policy:
    """Read the policy of a keys folder; an absent file limits nothing. Raises KeyFileError."""
    path = folder / NAME
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Policy()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(path, f"cannot be read ({error})") from error
    try:
        return parse(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise KeyFileError(path, f"is no policy: {error}") from error


def parse(document: Mapping[str, Any]) -> Policy:
    """Read a policy from its tables. Raises ValueError for a name or a value that is none of a policy's."""
    strange = set(document) - {"default", "keys"}
    if strange:
        raise ValueError(f"{min(strange)!r} is no section; write [default] or [keys.NAME]")
    sections = document.get("keys", {})
    if not isinstance(sections, Mapping):
        raise ValueError("keys is no table")
    return Policy(_rule("default", document.get("default", {})), {name: _rule(name, rule) for name, rule in sections.items()})


def _rule(where: str, table: Any) -> Rule:
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} is no table")
    known = {one.name for one in fields(Rule)}
    strange = set(table) - known
    if strange:
        raise ValueError(f"{where}: {min(strange)!r} is none of {', '.join(sorted(known))}")
    return Rule(**{name: _value(f"{where}.{name}", name, value) for name, value in table.items()})


def _value(where: str, name: str, value: Any) -> Any:
    if name == "capture_code":
        if not isinstance(value, bool):
            raise ValueError(f"{where} is not true or false")
        return value
    if name == "per_minute":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_PER_MINUTE:
            raise ValueError(f"{where} is no whole number from 0 to {_MOST_PER_MINUTE}")
        return value
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"{where} is no list of words")
    return frozenset(value)
