"""Find the registered assets that a file may come from: by credential, by mark, then by fingerprint, each measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance import tasks
from provenance.credential import Credential
from provenance.desk import Desk
from provenance.errors import UnsupportedMediaError
from provenance.judge import Evidence
from provenance.looking import look, other_marks, read_mark
from provenance.sdk import readable_types
from provenance.store.registry import AssetRecord
from provenance.verdict import AssetFacts, iso
from provenance.verify import follow, leads

_HOW = {"mark": "mark", "manifest": "credential", "fingerprint": "fingerprint"}


@dataclass(frozen=True, slots=True)
class Match:
    """A registered asset, how it was found, and how well the file's content agrees with it.

    Attributes:
        how: "credential", "mark" or "fingerprint".
        p_false: Bound on the chance of a false mark; None unless found by mark.
        distance: Differing bits of 256; None unless found by fingerprint.
        fit: Share of the compared area, or of the seconds, that agrees, 0–1; None if nothing could be compared.
        agreement: "fits", "changed", "foreign" or "unchecked".
        covered: Share of the file that the asset covers, 0–1.
        shown: Share of the asset that the file shows, 0–1.
    """

    asset: AssetRecord
    how: str
    p_false: float | None
    distance: int | None
    fit: float | None
    agreement: str
    covered: float | None = None
    shown: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "asset_id": self.asset.asset_id,
            "manifest_id": self.asset.manifest_id,
            "signer": self.asset.signer_name,
            "signed_at": iso(self.asset.signed_at),
            "how": self.how,
            "p_false": self.p_false,
            "distance": self.distance,
            "fit": self.fit,
            "agreement": self.agreement,
            "covered": self.covered,
            "shown": self.shown,
        }


def find(path: Path, desk: Desk, *, limit: int = 5) -> tuple[Match, ...]:
    """Matches, best first; the second is the runner-up.

    Raises:
        InputError: the file cannot be read.
        UnsupportedMediaError: it is neither a picture nor sound nor film: nothing else can be searched for.
    """
    if desk.registry is None:
        return ()
    seen = desk.workers.run(tasks.probe, str(path))
    looking = look(str(path), seen.media_type, desk)
    if looking is None:
        raise UnsupportedMediaError(str(path), f"{seen.media_type or 'this kind of file'} cannot be searched for")
    facts = looking.result()
    readable = seen.media_type if seen.media_type in readable_types() else None
    credential = desk.workers.run(tasks.read_credential, str(path), readable, None)
    evidence = Evidence(
        asset=AssetFacts(seen.sha256, seen.media_type),
        credential=credential if isinstance(credential, Credential) else None,
        mark=read_mark(facts),
        others=other_marks(facts),
    )
    found = follow(path, leads(evidence, facts, desk, everything=True), facts, desk, pictures=False)
    return tuple(
        Match(
            asset=f.lead.asset,
            how=_HOW[f.lead.how],
            p_false=f.lead.p_false,
            distance=f.lead.distance,
            fit=f.candidate.fit,
            agreement=str(f.candidate.content),
            covered=f.candidate.coverage,
            shown=f.candidate.kept,
        )
        for f in found[:limit]
    )
