"""The history as a graph: from claims, across files, from marks; judged afresh; and what differs between two of them."""

from __future__ import annotations

import itertools
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from api.settings import Settings
from api.wiring import House, open_house
from provenance.capture import SignRequest, sign
from provenance.difference import difference
from provenance.edit import EditRequest, edit
from provenance.errors import NotFoundError
from provenance.finishing import Signed
from provenance.importing import Journal, Taken, bring_in, count, files_in
from provenance.lineage import Edge, Lineage, Node, lineage
from provenance.store import Registry
from provenance.store.records import Ingredient, Kin

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PHOTO = ROOT / "api" / "demo" / "media" / "larch.jpg"


@dataclass(frozen=True)
class Family:
    """A photo, its crop, and a crop of that, signed in one home."""

    house: House
    folder: Path
    steps: tuple[Signed, ...]
    at: datetime

    def registry(self) -> Registry:
        assert self.house.desk.registry is not None
        return self.house.desk.registry


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    folder = tmp_path_factory.mktemp("family")
    at = datetime.now(UTC).replace(microsecond=0)
    source = folder / "source.jpg"
    with Image.open(PHOTO) as picture:
        picture.thumbnail((480, 480))
        picture.convert("RGB").save(source, quality=92)
    with open_house(Settings(home=folder / "home", trust_interim=False, tsa="none", worker_count=1)) as house:
        studio = house.studio()
        steps = [sign(SignRequest(source, folder / "0.jpg", mark="none"), studio, at=at)]
        for n in (1, 2):
            with Image.open(steps[-1].path) as picture:
                picture.crop((10, 10, picture.width - 12, picture.height - 10)).save(folder / f"edited{n}.jpg", quality=92)
            request = EditRequest(steps[-1].path, folder / f"edited{n}.jpg", folder / f"{n}.jpg", ("c2pa.cropped",), mark="none")
            steps.append(edit(request, studio, at=at + timedelta(seconds=n)))
        yield Family(house, folder, tuple(steps), at)


def graph_of(family: Family, which: int, **more: datetime) -> Lineage:
    return lineage(family.steps[which].asset_id, family.house.desk, at=family.at + timedelta(minutes=1), **more)


def test_the_same_family_from_every_member(family: Family) -> None:
    graphs = [graph_of(family, n) for n in range(3)]
    labels = [step.manifest_id for step in family.steps]
    for n, graph in enumerate(graphs):
        assert graph.focus == labels[n]
        assert set(graph.nodes) == set(labels)
        assert {(e.child, e.parent) for e in graph.edges} == {(labels[1], labels[0]), (labels[2], labels[1])}
        assert all(e.relationship == "parentOf" and not e.inferred for e in graph.edges)
        assert graph.roots() == (labels[0],)
        assert graph.path(labels[0], labels[2]) == tuple(labels)
        assert graph.path(labels[2], labels[0]) == ()
        assert [graph.nodes[label].asset_id for label in labels] == [step.asset_id for step in family.steps]
        assert all(node.trust == "trusted" and node.faults == () for node in graph.nodes.values())
        assert not graph.cut
    assert graphs[0].nodes[labels[1]].actions == ("c2pa.opened", "c2pa.cropped")


def test_as_of_an_earlier_instant(family: Family) -> None:
    graph = graph_of(family, 0, as_of=family.at + timedelta(seconds=1))
    assert set(graph.nodes) == {family.steps[0].manifest_id, family.steps[1].manifest_id}
    with pytest.raises(NotFoundError):
        graph_of(family, 0, as_of=family.at - timedelta(days=1))
    with pytest.raises(NotFoundError):
        lineage("nobody", family.house.desk, at=family.at)


def test_what_changed_between_two(family: Family) -> None:
    first, _, last = family.steps
    found = difference(first.asset_id, last.asset_id, family.house.desk, at=family.at + timedelta(minutes=1))
    assert found.related == "ancestor"
    assert [action for _, action in found.actions] == ["c2pa.opened", "c2pa.cropped"] * 2
    assert found.agreement == "fits"
    assert {name for name, _, _ in found.metadata} >= {"width", "height", "action"}
    back = difference(last.asset_id, first.asset_id, family.house.desk, at=family.at + timedelta(minutes=1))
    assert (back.related, back.actions) == ("descendant", ())
    with pytest.raises(NotFoundError):
        difference(first.asset_id, "nobody", family.house.desk, at=family.at)


@pytest.mark.slow
def test_a_change_in_the_pixels_is_shown(family: Family) -> None:
    painted = family.folder / "painted.jpg"
    with Image.open(family.steps[0].path) as picture:
        changed = picture.convert("RGB")
        changed.paste((200, 30, 30), (120, 120, 260, 240))
        changed.save(painted, quality=92)
    request = EditRequest(family.steps[0].path, painted, family.folder / "3.jpg", ("c2pa.drawing",), mark="none")
    child = edit(request, family.house.studio(), at=family.at + timedelta(seconds=30))
    at = family.at + timedelta(minutes=2)
    for file in (None, child.path):
        found = difference(family.steps[0].asset_id, child.asset_id, family.house.desk, at=at, file=file)
        assert found.agreement == "changed"
        assert found.changes
        assert found.picture is not None
        assert found.picture[:2] == b"\xff\xd8"


@pytest.mark.slow
def test_files_from_elsewhere_in_any_order(family: Family, tmp_path: Path) -> None:
    """Another home knows nothing; the files come youngest first, one of them twice, one not signed at all."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for name, n in (("a.jpg", 2), ("b.jpg", 0), ("c.jpg", 1), ("d.jpg", 1)):
        shutil.copy(family.folder / f"{n}.jpg", folder / name)
    shutil.copy(PHOTO, folder / "plain.jpg")
    (folder / "notes.txt").write_text("not media")
    (folder / ".hidden").write_bytes(b"x")
    bent = bytearray((family.folder / "1.jpg").read_bytes())
    bent[-200] ^= 0xFF
    (folder / "bent.jpg").write_bytes(bent)
    with open_house(Settings(home=tmp_path / "home", trust_interim=False, tsa="none", worker_count=1)) as house:
        done = _bring(house, folder, tmp_path / "journal", family.at, most=2)  # stopped after two files
        assert count(done) == {"new": 2, "known": 0, "unsigned": 0, "failed": 0}
        rest = _bring(house, folder, tmp_path / "journal", family.at)
        assert [t.result for t in rest] == ["known", "known", "failed", "new", "known", "unsigned", "unsigned"]
        assert [t.why for t in rest if t.why] == ["its content is not what was signed"]
        again = _bring(house, folder, tmp_path / "journal", family.at)
        assert count(again) == {"new": 0, "known": 4, "unsigned": 2, "failed": 1}
        fresh = _bring(house, folder, tmp_path / "other", family.at)
        assert count(fresh) == {"new": 0, "known": 4, "unsigned": 2, "failed": 1}

        registry = house.desk.registry
        assert registry is not None
        youngest = registry.by_manifest(family.steps[2].manifest_id)
        assert youngest is not None
        assert youngest.action == "registered"
        graph = lineage(youngest.asset_id, house.desk, at=datetime.now(UTC) + timedelta(minutes=1))
        labels = [step.manifest_id for step in family.steps]
        assert graph.path(labels[0], labels[2]) == tuple(labels)
        assert all(node.asset_id for node in graph.nodes.values())
        assert {(e.child, e.parent, e.inferred) for e in graph.edges} == {
            (labels[1], labels[0], False), (labels[2], labels[1], False), (labels[2], labels[0], False),
        } - {(labels[2], labels[0], False)}  # fmt: skip
        assert {node.trust for node in graph.nodes.values()} == {"untrusted"}  # their development list is not ours


def test_a_torn_journal_is_read_up_to_the_tear(tmp_path: Path) -> None:
    path, file = tmp_path / "journal", tmp_path / "file"
    file.write_bytes(b"x")
    with Journal(path) as journal:
        journal.add(Taken(file, "new", "an asset"))
    path.write_bytes(path.read_bytes() + b'["/torn", 1')
    with Journal(path) as journal:
        assert journal.done(file) == "known"
        assert journal.done(Path("/torn")) is None
        journal.add(Taken(PHOTO, "unsigned"))
    file.write_bytes(b"longer")
    with Journal(path) as journal:
        assert journal.done(PHOTO) == "unsigned"
        assert journal.done(file) is None
        journal.add(Taken(file, "failed", why="its content is not what was signed"))
    with Journal(path) as journal:
        assert journal.done(file) is None  # looked at again
    assert files_in(tmp_path) == (file, path)


@pytest.mark.slow
def test_an_edit_that_lost_its_manifest_is_joined_through_its_mark(tmp_path: Path) -> None:
    """Signed and marked; screenshotted; signed as something new by somebody who does not say where it came from."""
    folder = tmp_path / "found"
    folder.mkdir()
    source, shot = tmp_path / "source.jpg", tmp_path / "shot.png"
    with Image.open(PHOTO) as picture:
        picture.thumbnail((1200, 1200))
        picture.convert("RGB").save(source, quality=93)
    with open_house(Settings(home=tmp_path / "home", trust_interim=False, tsa="none", worker_count=1)) as house:
        at = datetime.now(UTC)
        parent = sign(SignRequest(source, tmp_path / "signed.jpg"), house.studio(), at=at)
        assert parent.binding is not None
        with Image.open(parent.path) as picture:
            picture.convert("RGB").save(shot)
        sign(SignRequest(shot, folder / "again.png", mark="none", register=False), house.studio(), at=at)
        (taken,) = bring_in(files_in(folder), house.desk, at=lambda: at, new_asset_id=lambda: "found")
        assert (taken.result, taken.inferred) == ("new", parent.asset_id)
        graph = lineage("found", house.desk, at=datetime.now(UTC))
        (edge,) = graph.edges
        assert (edge.parent, edge.inferred) == (parent.manifest_id, True)


# edges, without media


def test_several_parents_and_an_inferred_one(registry: Registry, make_registration: object) -> None:
    make = make_registration
    for n in (1, 2, 3):
        registry.register(make(n), at=AT)  # type: ignore[operator]
    composite = make(  # type: ignore[operator]
        4,
        parent_asset_id="asset-1",
        kin=(Kin("asset-2", "componentOf"), Kin("asset-3", "parentOf", inferred=True)),
    )
    registry.register(composite, at=AT)
    assert {(r.parent, r.relationship, r.inferred) for r in registry.relations(["asset-4"])} == {
        ("asset-1", "parentOf", False),
        ("asset-2", "componentOf", False),
        ("asset-3", "parentOf", True),
    }
    assert [parent.asset_id for parent in registry.parents("asset-4")] == ["asset-1", "asset-2", "asset-3"]
    assert [child.asset_id for child in registry.children("asset-3")] == ["asset-4"]
    for wrong in ("asset-5", "nobody"):
        with pytest.raises((ValueError, NotFoundError)):
            registry.register(make(5, kin=(Kin(wrong),)), at=AT)  # type: ignore[operator]
    assert registry.asset("asset-5") is None


def test_parents_and_children_meet_in_any_order(registry: Registry, make_registration: object) -> None:
    make = make_registration
    claims = (Ingredient("urn:c2pa:2", "urn:c2pa:1", "parentOf"), Ingredient("urn:c2pa:1", "urn:c2pa:0", "componentOf"))
    registry.register(make(2, ingredients=claims), at=AT)  # type: ignore[operator]
    assert registry.relations(["asset-2"]) == ()
    registry.register(make(0), at=AT)  # type: ignore[operator]
    registry.register(make(1, ingredients=claims[1:]), at=AT)  # type: ignore[operator]
    found = {(r.child, r.parent, r.relationship) for r in registry.relations(["asset-1"])}
    assert found == {("asset-2", "asset-1", "parentOf"), ("asset-1", "asset-0", "componentOf")}
    assert set(registry.ingredients(["urn:c2pa:1"])) == set(claims)


def test_a_graph_with_a_circle_ends() -> None:
    """No honest claims make one; two registries that lie might."""
    nodes = {name: Node(name) for name in "abc"}
    edges = tuple(Edge(a, b, "parentOf", False) for a, b in (("a", "b"), ("b", "c"), ("c", "a")))
    graph = Lineage("a", nodes, edges, AT)
    assert graph.roots() == ()
    assert graph.path("b", "a") == ("b", "a")
    assert graph.path("a", "a") == ("a",)
    assert graph.path("x", "a") == ()


def _bring(house: House, folder: Path, journal: Path, at: datetime, *, most: int = 99) -> list[Taken]:
    def new_id() -> str:
        return uuid.uuid4().hex

    with Journal(journal) as kept:
        taken = bring_in(files_in(folder), house.desk, at=lambda: at, new_asset_id=new_id, journal=kept, marks=False)
        return list(itertools.islice(taken, most))
