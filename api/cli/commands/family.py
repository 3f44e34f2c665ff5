"""`colophon trail tree`, `diff` and `erase`: the history as a graph, what changed, and what may be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import PATH, Instant, declare, now
from api.cli.terminal import Cell, Row, Terminal
from api.cli.words import moment, percent, place, short

if TYPE_CHECKING:
    from provenance.difference import Difference
    from provenance.lineage import Edge, Lineage, Node
    from provenance.store.registry import AssetRecord

FOUND, NOTHING = 0, 3
_CONTENT = {"fits": "the same", "changed": "changed", "foreign": "shows something else"}


@declare("tree", example="colophon trail tree signed.jpg\ncolophon trail tree 3f0c1d… --as-of 2026-11-01")
@click.argument("asset", metavar="ASSET|FILE")
@click.option("--as-of", type=Instant(), help="Judge as of this instant, and leave out what came later.")
def tree(terminal: Terminal, home: Path | None, asset: str, as_of: datetime | None) -> int:
    """Show what an asset was made from and what was made from it; every step judged afresh.

    `by its mark` means: no signed claim says so, a mark in the pixels does.
    """
    from api.cli.app import finish
    from api.cli.commands.trail import resolve
    from api.cli.house import open_house
    from provenance.lineage import lineage

    with open_house(terminal, home) as house:
        record = resolve(house, asset)
        graph = lineage(record.asset_id, house.desk, at=now(), as_of=as_of) if record else None
    if graph is None:
        if not terminal.as_json:
            terminal.line(f"Nothing is recorded here of {asset}.")
        return finish(terminal, {"asset": None, "lineage": None}, NOTHING)
    assert record is not None
    if not terminal.as_json:
        for text, style in _drawn(graph):
            terminal.line(text, style)
        if graph.cut:
            terminal.note("note: there is more than is shown")
    return finish(terminal, {"asset": record.asset_id, "lineage": graph.as_dict()}, FOUND)


@declare("diff", example="colophon trail diff original.jpg edited.jpg -o where.jpg")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("-o", "--output", type=PATH, help="Write a picture of B with the places marked.")
def diff(terminal: Terminal, home: Path | None, old: str, new: str, output: Path | None) -> int:
    """Say what changed from A to B: the actions that claims state, the pixels, the metadata. A and B are assets or files."""
    from api.cli.app import finish
    from api.cli.commands.trail import resolve
    from api.cli.files import write_new
    from api.cli.house import open_house
    from provenance.difference import difference

    with open_house(terminal, home) as house:
        records = [resolve(house, one) for one in (old, new)]
        found = None
        if records[0] is not None and records[1] is not None:
            file = Path(new) if _is(records[1], Path(new)) else None
            found = difference(records[0].asset_id, records[1].asset_id, house.desk, at=now(), file=file)
    if found is None:
        if not terminal.as_json:
            terminal.line(f"Nothing is recorded here of {old if records[0] is None else new}.")
        return finish(terminal, {"difference": None}, NOTHING)
    if output is not None and found.picture is not None:
        write_new(output, found.picture)
    if not terminal.as_json:
        _print(terminal, found, output)
    return finish(terminal, {"difference": found.as_dict()}, FOUND)


@declare("erase", example='colophon trail erase 12 --reason "asked for by the person shown"')
@click.argument("entry", type=int)
@click.option("--reason", required=True, help="Why; it becomes an entry of its own.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(terminal: Terminal, home: Path | None, entry: int, reason: str, yes: bool) -> int:
    """Erase what lies beside an entry. The entry, its number and every proof stay; what it said is gone for good."""
    from api.cli.app import finish
    from api.cli.house import open_house

    if terminal.as_json and not yes:
        raise click.UsageError("say --yes: with --json nobody is asked")
    if not yes:
        click.confirm(f"Erase for good what entry {entry} says?", abort=True, err=True)
    with open_house(terminal, home) as house:
        said = house.registry.erase(entry, reason, now())
    if not terminal.as_json:
        terminal.line(f"entry {entry}: erased, as entry {said} says" if said else f"entry {entry}: was erased already")
    return finish(terminal, {"entry": entry, "erased": said is not None, "recorded_as": said}, 0)


def _drawn(graph: Lineage) -> Iterator[tuple[str, str]]:
    """The graph as lines, from what nothing known came before; a manifest with several parents stands once in full."""
    told: set[str] = set()
    for root in graph.roots() or tuple(graph.nodes)[:1]:
        yield from _branch(graph, root, "", "", told, ())


def _branch(
    graph: Lineage, label: str, lead: str, hang: str, told: set[str], edges: tuple[Edge, ...]
) -> Iterator[tuple[str, str]]:
    from provenance.lineage import describe

    node = graph.nodes[label]
    how = f" ({describe(edges)})" if edges and describe(edges) else ""
    again = label in told
    yield lead + _node(node, again) + how + ("  ◀" if label == graph.focus else ""), "strong" if label == graph.focus else ""
    if again:
        return
    told.add(label)
    for text in _faults(node):
        yield f"{hang}│  {text}", "bad"
    children: dict[str, list[Edge]] = {}
    for edge in graph.children(label):
        children.setdefault(edge.child, []).append(edge)
    for n, (child, ways) in enumerate(children.items()):
        last = n == len(children) - 1
        yield from _branch(graph, child, hang + ("└─ " if last else "├─ "), hang + ("   " if last else "│  "), told, tuple(ways))


def _node(node: Node, again: bool) -> str:
    name = short(node.asset_id) if node.asset_id else f"{short(node.manifest_id.rsplit(':', 1)[-1])} (not registered)"
    if again:
        return f"{name} …"
    parts = [name, ", ".join(action.removeprefix("c2pa.") for action in node.actions) or "–"]
    parts.append(f"{node.signer or 'unnamed signer'}, {node.trust}")
    if node.made == "rendition":
        parts.append("rendition")
    if node.at is not None:
        parts.append(moment(node.at))
    if node.withdrawn:
        parts.append("withdrawn")
    return "  ".join(parts)


def _faults(node: Node) -> Iterator[str]:
    from provenance.say import serious

    if node.faults:
        yield f"now: {', '.join(node.faults)}"
    if noted := serious(node.ingest_faults):
        yield f"when it was taken in: {', '.join(noted)}"


def _print(terminal: Terminal, found: Difference, output: Path | None) -> None:
    words = {
        "ancestor": "B was made from A",
        "descendant": "A was made from B",
        "kin": "related",
        "none": "not related on record",
    }
    rows = [Row("related", words[found.related], "strong")]
    rows += [Row("done", ", ".join(action.removeprefix("c2pa.") for _, action in found.actions))] if found.actions else []
    if found.agreement is None:
        rows.append(Row("content", "not compared: no small copy of both"))
    else:
        score = f" ({percent(found.score)})" if found.score is not None else ""
        rows.append(Row("content", _CONTENT.get(found.agreement, found.agreement) + score))
    rows += [Row("where", ", ".join(dict.fromkeys(place(change) for change in found.changes)))] if found.changes else []
    if output is not None:
        rows.append(Row("picture", str(output) if found.picture is not None else "none written: no place differs"))
    terminal.rows(rows)
    if found.metadata:
        terminal.line()
        body = [(Cell(name), Cell(_shown(was)), Cell(_shown(is_))) for name, was, is_ in found.metadata]
        terminal.table(("", "A", "B"), body)


def _shown(value: object) -> str:
    return "–" if value is None else str(value)


def _is(record: AssetRecord, path: Path) -> bool:
    """Whether a file is this asset, byte for byte."""
    import hashlib

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == record.sha256
