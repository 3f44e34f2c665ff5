"""The verdict of a bundle: judged from what is in it and nothing else, so that anybody comes to the same one.

With the media, that is what `verify` finds of an intact file; without it, of the manifest store by itself: then nothing is
said of the content. Marks are not looked for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from provenance import tasks
from provenance.bundle.contents import Contents
from provenance.credential import Credential, Remote, Unreadable
from provenance.isolation import Workers
from provenance.judge import STORE_TYPE, Evidence, judge
from provenance.sdk import VALIDATOR, readable_types
from provenance.verdict import AssetFacts, Source, Verdict


def judged(contents: Contents, workers: Workers) -> tuple[Verdict, Credential | Unreadable | Remote | None]:
    """The verdict at the instant when the bundle was made, and the credential that it was judged by.

    Raises:
        BudgetError: the media asks for more time or memory than a file may.
    """
    asset = contents.asset
    if contents.media is None:
        credential = workers.run(tasks.read_registered, contents.stores[0][1])
        facts = AssetFacts(str(asset["sha256"]), STORE_TYPE, str(asset["id"]))
    else:
        with tempfile.TemporaryDirectory(prefix="colophon-bundle-") as folder:
            path = Path(folder) / "media"
            path.write_bytes(contents.media[1])
            seen = workers.run(tasks.probe, str(path))
            readable = seen.media_type if seen.media_type in readable_types() else None
            credential = workers.run(tasks.read_credential, str(path), readable, None)
            width, height, duration = workers.run(tasks.dimensions, str(path))
        facts = AssetFacts(seen.sha256, seen.media_type, str(asset["id"]), width, height, duration)
    evidence = Evidence(
        asset=facts,
        credential=credential,
        source=Source.EMBEDDED,
        revocations=contents.revocations,
        stamps=contents.stamps,
        withdrawn=contents.withdrawn,
        not_checked=() if contents.media else ("content",),
    )
    return judge(evidence, lists=contents.lists, at=contents.made_at, validator=VALIDATOR), credential


def as_plain(verdict: Verdict) -> dict[str, Any]:
    """The verdict as it stands in `verdict.json`."""
    return verdict.as_dict()
