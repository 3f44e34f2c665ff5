"""Who was made from whom, in SQL: assets by `lineage`, manifests by `ingredient`; on the caller's connection.

Files come in any order. So an asset is joined to the parents that are there, and to the children that came before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from provenance.store.assets import batches, number_of
from provenance.store.database import insert
from provenance.store.records import Ingredient, Kin, Registration, Relation
from provenance.store.tables import asset, ingredient, lineage


def join(connection: Connection, r: Registration, number: int) -> None:
    """Write an asset's edges.

    Raises:
        NotFoundError: a parent that is not registered.
    """
    first = () if r.parent_asset_id is None else (Kin(r.parent_asset_id),)
    for one in (*first, *r.kin):
        _edge(connection, number, number_of(connection, one.asset_id), one.relationship, inferred=one.inferred)
    for edge in dict.fromkeys(r.ingredients):
        row = {"child": edge.child, "parent": edge.parent, "relationship": edge.relationship}
        connection.execute(insert(connection, ingredient).values(row).on_conflict_do_nothing())
    _join_by_manifest(connection, r, number)


def relations(connection: Connection, asset_ids: Sequence[str]) -> tuple[Relation, ...]:
    """The edges up and down from some assets."""
    child, parent = asset.alias(), asset.alias()
    found: dict[Relation, None] = {}
    for some in batches(asset_ids):
        query = (
            select(child.c.id, parent.c.id, lineage.c.relationship, lineage.c.inferred)
            .join_from(lineage, child, child.c.number == lineage.c.child)
            .join(parent, parent.c.number == lineage.c.parent)
            .where(child.c.id.in_(some) | parent.c.id.in_(some))
            .order_by(lineage.c.child, lineage.c.parent)
        )
        found |= {Relation(c, p, how, inferred): None for c, p, how, inferred in connection.execute(query)}
    return tuple(found)


def ingredients(connection: Connection, labels: Sequence[str]) -> tuple[Ingredient, ...]:
    """The edges up and down from some manifests."""
    found: dict[Ingredient, None] = {}
    for some in batches(labels):
        query = select(ingredient).where(ingredient.c.child.in_(some) | ingredient.c.parent.in_(some))
        found |= {Ingredient(row.child, row.parent, row.relationship): None for row in connection.execute(query)}
    return tuple(found)


def _join_by_manifest(connection: Connection, r: Registration, number: int) -> None:
    """Edges that the ingredient table knows: to parents registered already, and from children registered before."""
    up = select(asset.c.number, ingredient.c.relationship).join(ingredient, ingredient.c.parent == asset.c.manifest_label)
    for parent, relationship in _each(connection.execute(up.where(ingredient.c.child == r.manifest_id)).all(), number):
        _edge(connection, number, parent, relationship, inferred=False)
    down = select(asset.c.number, ingredient.c.relationship).join(ingredient, ingredient.c.child == asset.c.manifest_label)
    for child, relationship in _each(connection.execute(down.where(ingredient.c.parent == r.manifest_id)).all(), number):
        _edge(connection, child, number, relationship, inferred=False)


def _each(rows: Iterable[tuple[int, str]], number: int) -> list[tuple[int, str]]:
    return [(other, relationship) for other, relationship in rows if other != number]


def _edge(connection: Connection, child: int, parent: int, relationship: str, *, inferred: bool) -> None:
    row = {"child": child, "parent": parent, "relationship": relationship, "inferred": inferred}
    connection.execute(insert(connection, lineage).values(row).on_conflict_do_nothing())
