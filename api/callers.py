"""Who calls: an API key, a person whom an identity provider vouches for, or whoever reaches a service on its own machine."""

from __future__ import annotations

from dataclasses import dataclass

ANONYMOUS_ID = "anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with roles.

    Attributes:
        id: What the trail, quotas and jobs call them: "key:…", "oidc:…" (a digest), "local" or "anonymous"; never a name.
    """

    id: str
    roles: frozenset[str]

    def may(self, role: str) -> bool:
        """Whether they have a role; an admin has all of them."""
        return role in self.roles or "admin" in self.roles

    def owns(self, caller_id: str) -> bool:
        """Whether something of that caller's is theirs to see; what nobody owns has an address that cannot be guessed."""
        return caller_id in {self.id, ANONYMOUS_ID} or self.may("admin")


LOCAL = Caller("local", frozenset({"admin"}))
"""Whoever reaches a service that guards nothing."""
