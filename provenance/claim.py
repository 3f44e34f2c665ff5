"""What we put into a manifest: definitions for the builder, as plain values. Pure.

A departure from C2PA 2.5 §16.14.4: `c2pa.watermarked.bound` should point at its soft-binding assertion through
`relatedAssertions`, a hashed URI. The library salts every assertion while it signs, so the hash cannot be known before, and
it takes no URI without one; the same URI stands in a parameter of our own instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provenance import actions
from provenance.credential import SOFT_BINDING, SoftBinding
from provenance.verdict import iso

GENERATOR = {"name": "Colophon", "version": "0.1.0"}
THUMBNAIL = "thumbnail.jpg"
PARENT = "parent"
_BINDING_URI = f"self#jumbf=c2pa.assertions/{SOFT_BINDING}"


@dataclass(frozen=True, slots=True)
class Input:
    """An asset that an edit was made from: the one that it started from, or one that was placed in it.

    Attributes:
        component: Its place among the components, from 1; None for the parent, of which there is one at most (C2PA 2.5 §10.3).
    """

    title: str
    component: int | None = None

    @property
    def label(self) -> str:
        return PARENT if self.component is None else f"component-{self.component}"

    def ingredient(self) -> dict[str, Any]:
        relationship = "parentOf" if self.component is None else "componentOf"
        return {"title": self.title, "relationship": relationship, "label": self.label}


def captured(
    *,
    title: str,
    source_type: str,
    at: datetime,
    binding: SoftBinding | None,
    thumbnail: bool,
    also: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A standard manifest for something new.

    Args:
        source_type: A key of `actions.SOURCE_TYPES`.
        at: When it was made, as the claim generator states it.
        binding: The mark that the content carries.
        thumbnail: Whether a JPEG is given as resource `THUMBNAIL`.
        also: Further assertions (see `declared`).
    Raises:
        KeyError: no such source type.
    """
    first = {"action": actions.CREATED, "when": iso(at), "digitalSourceType": actions.SOURCE_TYPES[source_type]}
    definition = _definition(title, [first], binding, thumbnail)
    definition["assertions"] = [*definition["assertions"], *also]
    return definition


def further(binding: SoftBinding) -> dict[str, Any]:
    """An assertion of the same mark under another algorithm: in the sound of a film, or as one of its stills reads."""
    block = {"scope": {}, "value": binding.value}
    return {"label": SOFT_BINDING, "created": True, "data": {"alg": binding.alg, "blocks": [block]}}


def edited(
    *,
    title: str,
    names: Sequence[str],
    at: datetime,
    binding: SoftBinding | None,
    renewed: bool,
    thumbnail: bool,
    components: Sequence[Input] = (),
    assertions: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A standard manifest for a child of one parent; the parent is given as ingredient `PARENT`.

    Args:
        names: Members of `actions.EDIT_ACTIONS`, in order.
        renewed: Whether the mark was put in now rather than kept from the parent.
        components: What was placed in it, each given as an ingredient too.
        assertions: Further ones, as the builder takes them.
    """
    steps: list[dict[str, Any]] = [_taken(actions.OPENED, Input(""), at)]
    steps += [_taken(actions.PLACED, component, at) for component in components]
    for name in names:
        step: dict[str, Any] = {"action": name, "when": iso(at)}
        if actions.states_source_type(name):
            step["digitalSourceType"] = actions.SOURCE_TYPES["humanEdits"]
        steps.append(step)
    definition = _definition(title, steps, binding, thumbnail, mark_now=renewed)
    definition["assertions"] += assertions
    return definition


def updated(*, title: str, assertions: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """An update manifest over unchanged content: a later time stamp, further assertions.

    The library states `c2pa.opened` and the parent itself.
    """
    return {"title": title, "claim_generator_info": [GENERATOR], "assertions": [*assertions]}


def _taken(action: str, made_from: Input, at: datetime) -> dict[str, Any]:
    return {"action": action, "when": iso(at), "parameters": {"ingredientIds": [made_from.label]}}


def _definition(
    title: str, steps: list[dict[str, Any]], binding: SoftBinding | None, thumbnail: bool, *, mark_now: bool = True
) -> dict[str, Any]:
    assertions: list[Mapping[str, Any]] = []
    if binding is not None:
        if mark_now:
            steps = [*steps, {"action": actions.MARKED, "parameters": {"org.colophon.softBinding": _BINDING_URI}}]
        assertions.append(further(binding))
    assertions.append({"label": "c2pa.actions.v2", "created": True, "data": {"actions": steps, "allActionsIncluded": True}})
    definition: dict[str, Any] = {"title": title, "claim_generator_info": [GENERATOR], "assertions": assertions}
    if thumbnail:
        definition["thumbnail"] = {"format": "image/jpeg", "identifier": THUMBNAIL}
    return definition
