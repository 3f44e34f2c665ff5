"""The history of an asset as a graph across files: what it was made from, what was made from it, and how that is known.

    nodes   manifests; those of registered assets, and those that only a signed claim speaks of
    edges   "this was made from that": from a signed claim, or inferred from a mark in the pixels

Every manifest is judged afresh, as of one instant; what its taker recorded of it at ingest stands beside what is found now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from provenance import tasks
from provenance.credential import Credential
from provenance.desk import Desk
from provenance.errors import NotFoundError, StoreError
from provenance.judge import STORE_TYPE, Evidence, judge
from provenance.sdk import VALIDATOR
from provenance.store.registry import AssetRecord, Registry
from provenance.verdict import AssetFacts, HistoryStep, iso
from provenance.verify import revocations, stamps

MOST = 500  # assets of one graph: beyond, it says that it is cut


@dataclass(frozen=True, slots=True)
class Node:
    """One manifest.

    Attributes:
        asset_id: The registered asset whose active manifest this is; None where only a claim speaks of it.
        made: What the registered asset is: captured | edited | rendition | registered; None where nothing is registered.
        actions: What was done, in order.
        marks: Soft bindings that its claim states, "alg value"; a child that was marked anew has another than its parent.
        trust: trusted | untrusted | expired | unknown: unknown where nothing here can judge it.
        faults: Status codes that hold now; `ingest_faults` those that its taker recorded.
    """

    manifest_id: str
    asset_id: str | None = None
    media_type: str | None = None
    title: str | None = None
    made: str | None = None
    actions: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    signer: str | None = None
    at: datetime | None = None
    trust: str = "unknown"
    faults: tuple[str, ...] = ()
    ingest_faults: tuple[str, ...] = ()
    withdrawn: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "manifest_id": self.manifest_id,
            "asset_id": self.asset_id,
            "media_type": self.media_type,
            "title": self.title,
            "made": self.made,
            "actions": list(self.actions),
            "marks": list(self.marks),
            "signer": self.signer,
            "at": iso(self.at) if self.at else None,
            "trust": self.trust,
            "faults": list(self.faults),
            "ingest_faults": list(self.ingest_faults),
            "withdrawn": self.withdrawn,
        }


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """That one manifest was made from another."""

    child: str
    parent: str
    relationship: str
    inferred: bool

    def as_dict(self) -> dict[str, Any]:
        return {"child": self.child, "parent": self.parent, "relationship": self.relationship, "inferred": self.inferred}


@dataclass(frozen=True)
class Lineage:
    """A graph; `focus` is the manifest that was asked about, `cut` says that there is more than is told."""

    focus: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    as_of: datetime
    cut: bool = False

    def parents(self, manifest_id: str) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges if edge.child == manifest_id)

    def children(self, manifest_id: str) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges if edge.parent == manifest_id)

    def roots(self) -> tuple[str, ...]:
        """Manifests made from nothing that is known here."""
        made = {edge.child for edge in self.edges}
        return tuple(label for label in self.nodes if label not in made)

    def path(self, ancestor: str, descendant: str) -> tuple[str, ...]:
        """The manifests on a shortest way from an ancestor down to a descendant, both included; none if there is no way."""
        came: dict[str, str] = {}
        waiting = deque([descendant])
        while waiting:
            label = waiting.popleft()
            if label == ancestor:
                way = [label]
                while way[-1] != descendant:
                    way.append(came[way[-1]])
                return tuple(way)
            for edge in self.parents(label):
                if edge.parent not in came and edge.parent != descendant:
                    came[edge.parent] = label
                    waiting.append(edge.parent)
        return ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "focus": self.focus,
            "as_of": iso(self.as_of),
            "nodes": [node.as_dict() for node in self.nodes.values()],
            "edges": [edge.as_dict() for edge in self.edges],
            "cut": self.cut,
        }


@dataclass
class _Graph:
    """What was found so far."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str, str], Edge] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Keep what is known already; fill in what is new. Faults of different views of one manifest add up."""
        known = self.nodes.get(node.manifest_id)
        if known is None:
            self.nodes[node.manifest_id] = node
            return
        filled = node if known.asset_id is None and node.asset_id is not None else known
        other = known if filled is node else node
        self.nodes[node.manifest_id] = replace(
            filled,
            title=filled.title or other.title,
            actions=filled.actions or other.actions,
            marks=filled.marks or other.marks,
            faults=tuple(dict.fromkeys((*filled.faults, *other.faults))),
            ingest_faults=tuple(dict.fromkeys((*filled.ingest_faults, *other.ingest_faults))),
        )

    def link(self, edge: Edge) -> None:
        """A signed claim's edge replaces an inferred one; never the other way round."""
        key = (edge.child, edge.parent, edge.relationship)
        if key not in self.edges or self.edges[key].inferred:
            self.edges[key] = edge


def lineage(asset_id: str, desk: Desk, *, at: datetime, as_of: datetime | None = None) -> Lineage:
    """The graph around an asset.

    Args:
        as_of: Judge as of this instant, and leave out what was registered or revoked later.
    Raises:
        NotFoundError: no such asset, or not yet at that instant.
        BudgetError: a manifest store asks for more than one may.
    """
    registry = desk.registry
    assert registry is not None
    moment = as_of or at
    family, relations, cut = _family(asset_id, registry, moment)
    graph = _Graph()
    for record in family.values():
        _tell(record, desk, moment, graph)
    label_of = {record.asset_id: record.manifest_id for record in family.values()}
    for relation in relations:
        if relation.child in label_of and relation.parent in label_of:
            child, parent = label_of[relation.child], label_of[relation.parent]
            if child != parent:
                graph.link(Edge(child, parent, relation.relationship, relation.inferred))
    for edge in registry.ingredients(list(graph.nodes)):
        if edge.child in graph.nodes and edge.parent in graph.nodes:
            graph.link(Edge(edge.child, edge.parent, edge.relationship, False))
    focus = family[asset_id].manifest_id
    return Lineage(focus, graph.nodes, tuple(sorted(graph.edges.values())), moment, cut)


def _family(asset_id: str, registry: Registry, moment: datetime) -> tuple[dict[str, AssetRecord], tuple[Any, ...], bool]:
    """The registered assets that are joined to this one, its own first; their edges; whether there are more."""
    first = registry.asset(asset_id)
    if first is None or first.created_at > moment:
        raise NotFoundError("asset", asset_id[:64])
    family = {asset_id: first}
    edges: dict[Any, None] = {}
    waiting = [asset_id]
    while waiting and len(family) <= MOST:
        found = registry.relations(waiting)
        edges |= dict.fromkeys(found)
        named = dict.fromkeys(one for relation in found for one in (relation.parent, relation.child))
        waiting = []
        for other in named:
            record = registry.asset(other) if other not in family else None
            if record is not None and record.created_at <= moment and len(family) <= MOST:
                family[other] = record
                waiting.append(other)
    return family, tuple(edges), bool(waiting)


def _tell(record: AssetRecord, desk: Desk, moment: datetime, graph: _Graph) -> None:
    """Add an asset's manifest and those of its store, each judged afresh."""
    assert desk.registry is not None
    own = Node(
        manifest_id=record.manifest_id,
        asset_id=record.asset_id,
        media_type=record.media_type,
        made=record.action,
        signer=record.signer_name,
        at=record.signed_at,
        withdrawn=record.withdrawn_at is not None and record.withdrawn_at <= moment,
    )
    try:
        store = desk.registry.manifest_store(record.manifest_id)
    except StoreError:  # erased or damaged: the registry's own word is left
        store = None
    credential = desk.workers.run(tasks.read_registered, store) if store else None
    if not isinstance(credential, Credential):
        graph.add(replace(own, faults=("manifest.inaccessible",)))
        return
    known = {leaf: r for leaf, r in revocations([credential], desk.registry).items() if r.at <= moment}
    evidence = Evidence(
        asset=AssetFacts(record.sha256, STORE_TYPE),
        credential=credential,
        revocations=known,
        stamps=stamps([credential], desk.registry),
    )
    steps = judge(evidence, lists=desk.lists, at=moment, validator=VALIDATOR).history
    for step in steps:
        base = own if step.manifest_id == record.manifest_id else Node(step.manifest_id)
        graph.add(_node(base, step, credential))
    for label, manifest in credential.manifests.items():
        for ingredient in manifest.ingredients:
            if ingredient.manifest_id and ingredient.manifest_id != label:
                graph.link(Edge(label, ingredient.manifest_id, ingredient.relationship, False))
                if ingredient.manifest_id not in credential.manifests:
                    graph.add(Node(ingredient.manifest_id, title=ingredient.title))


def _node(base: Node, step: HistoryStep, credential: Credential) -> Node:
    manifest = credential.manifests[step.manifest_id]
    return replace(
        base,
        title=manifest.title,
        actions=tuple(action.name for action in manifest.actions),
        marks=tuple(dict.fromkeys(f"{b.alg} {b.value}" for b in manifest.bindings)),
        signer=step.signer,
        at=step.at or base.at,
        trust=step.trust,
        faults=tuple(code for code in step.faults if not code.endswith("Hash.mismatch")),  # the store was read without its asset
        ingest_faults=step.ingest_faults,
    )


def describe(edges: Iterable[Edge]) -> str:
    """How an edge is known, in a word for people; the strongest of several."""
    kinds = list(edges)
    if all(edge.inferred for edge in kinds):
        return "by its mark"
    return {"parentOf": "", "componentOf": "component", "inputTo": "input"}.get(kinds[0].relationship, kinds[0].relationship)
