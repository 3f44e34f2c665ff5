"""Who a file comes from where no claim says so: the registered asset whose mark is still in the content."""

from __future__ import annotations

from pathlib import Path

from provenance.credential import Credential
from provenance.desk import Desk
from provenance.looking import carried
from provenance.store.registry import Registry


def inferred(path: Path, media_type: str | None, credential: Credential | None, desk: Desk, registry: Registry) -> str | None:
    """The id of a registered asset whose mark a file carries, though no manifest of the file speaks of it.

    A mark that the file's own claims state is no news; what cannot be decoded comes from nobody.
    """
    read = carried(path, media_type, desk)
    if read is None:
        return None
    manifests = credential.manifests if credential is not None else {}
    if any(read in manifest.bindings for manifest in manifests.values()):
        return None
    owners = registry.by_binding(read.alg, read.value)
    return next((owner.asset_id for owner in owners if owner.manifest_id not in manifests), None)
