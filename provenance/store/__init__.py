"""What is kept: the registry and the trail in one database, large bytes beside it in a folder of objects.

Open it with `connect` and `migrate`, then make a `Registry` of the engine and an `Objects` folder.
"""

from provenance.store.database import connect, current, migrate, require_current
from provenance.store.objects import Objects
from provenance.store.records import AssetRecord, Binding, Receipt, Registration, Revocation, StampDue, StatusRecord
from provenance.store.registry import Registry
from provenance.store.trail import Kind, TrailEntry

__all__ = [
    "AssetRecord",
    "Binding",
    "Kind",
    "Objects",
    "Receipt",
    "Registration",
    "Registry",
    "Revocation",
    "StampDue",
    "StatusRecord",
    "TrailEntry",
    "connect",
    "current",
    "migrate",
    "require_current",
]
