"""Composites, renditions, marks made anew and receipts in claims: what `edit` and `sign --receipt` put on record."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
from PIL import Image

from api import receipts
from api.settings import Settings
from api.wiring import House, open_house
from provenance.capture import SignRequest, sign
from provenance.edit import EditRequest, edit
from provenance.errors import InputError, NotFoundError
from provenance.finishing import Signed
from provenance.lineage import lineage
from provenance.receipting import receipted
from provenance.trail import receipt

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "api" / "demo" / "media" / "larch.jpg"


@dataclass(frozen=True)
class Desk:
    """A home in which three pictures were signed: a sky, a bird, and one that nobody signed."""

    house: House
    folder: Path
    sky: Signed
    bird: Signed
    at: datetime

    @property
    def unsigned(self) -> Path:
        return self.folder / "tree.png"

    @property
    def collage(self) -> Path:
        return self.folder / "collage.png"

    def edit(self, name: str, **how: Any) -> Signed:
        how = {"parent": self.sky.path, "edited": self.collage, "actions": (), "mark": "none"} | how
        return edit(EditRequest(destination=self.folder / name, **how), self.house.studio(), at=self.at + timedelta(seconds=9))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("composite")
    rng = np.random.default_rng(17)
    for name in ("sky", "bird", "tree", "collage"):
        small = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(small).resize((160, 120)).save(folder / f"{name}.png")
    at = datetime.now(UTC).replace(microsecond=0)
    with open_house(Settings(home=folder / "home", trust_interim=False, tsa="none", worker_count=1)) as house:
        sky, bird = (
            sign(SignRequest(folder / f"{n}.png", folder / f"{n}.signed.png", mark="none"), house.studio(), at=at)
            for n in ("sky", "bird")
        )
        yield Desk(house, folder, sky, bird, at)


def report(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, c2pa.Reader("image/png", file) as reader:
        whole: dict[str, Any] = json.loads(reader.json())
    return whole["manifests"][whole["active_manifest"]]  # type: ignore[no-any-return]


def test_a_composite_names_its_parent_and_what_was_placed_in_it(desk: Desk) -> None:
    child = desk.edit("composite.png", components=(desk.bird.path, desk.unsigned), actions=("c2pa.color_adjustments",))
    said = report(child.path)
    assert [(i["title"], i["relationship"], i.get("active_manifest")) for i in said["ingredients"]] == [
        ("sky.signed.png", "parentOf", desk.sky.manifest_id),
        ("bird.signed.png", "componentOf", desk.bird.manifest_id),
        ("tree.png", "componentOf", None),
    ]
    (steps,) = [a["data"]["actions"] for a in said["assertions"] if a["label"].startswith("c2pa.actions")]
    assert [step["action"] for step in steps] == ["c2pa.opened", "c2pa.placed", "c2pa.placed", "c2pa.color_adjustments"]
    linked = [step["parameters"]["ingredients"][0]["url"] for step in steps[:3]]
    assert len(set(linked)) == 3  # each action points at an ingredient of its own

    graph = lineage(child.asset_id, desk.house.desk, at=desk.at + timedelta(minutes=1))
    assert {(e.parent, e.relationship, e.inferred) for e in graph.parents(child.manifest_id)} == {
        (desk.sky.manifest_id, "parentOf", False),
        (desk.bird.manifest_id, "componentOf", False),
    }
    assert graph.nodes[child.manifest_id].made == "edited"
    assert not any(node.faults for node in graph.nodes.values())
    entry = next(e for e in desk.house.registry.trail(child.asset_id) if e.kind == "edited")
    assert entry.payload is not None
    assert entry.payload["components"] == [desk.bird.manifest_id, None]


def test_the_record_joins_both_sides_of_a_composite(desk: Desk) -> None:
    child = desk.edit("placed.png", components=(desk.bird.path,))
    registry = desk.house.registry
    assert {(r.parent, r.relationship) for r in registry.relations([child.asset_id])} == {
        (desk.sky.asset_id, "parentOf"),
        (desk.bird.asset_id, "componentOf"),
    }
    assert child.asset_id in {one.asset_id for one in registry.children(desk.bird.asset_id)}


@pytest.mark.parametrize(
    ("actions", "components", "kind"),
    [
        (("c2pa.resized.proportional",), 0, "rendition"),
        (("c2pa.transcoded", "c2pa.published"), 0, "rendition"),
        (("c2pa.transcoded", "c2pa.cropped"), 0, "edited"),
        (("c2pa.transcoded",), 1, "edited"),
        (("c2pa.edited.metadata",), 0, "edited"),
    ],
)
def test_what_makes_a_rendition(desk: Desk, actions: tuple[str, ...], components: int, kind: str) -> None:
    name = f"{len(actions)}-{components}-{kind}-{actions[0]}.png"
    child = desk.edit(name, actions=actions, components=(desk.bird.path,) * components)
    assert next(e.kind for e in desk.house.registry.trail(child.asset_id)) == kind
    graph = lineage(child.asset_id, desk.house.desk, at=desk.at + timedelta(minutes=1))
    assert graph.nodes[child.manifest_id].made == kind


@pytest.mark.parametrize(
    ("how", "error", "say"),
    [
        ({}, ValueError, "at least one action"),
        ({"actions": ("c2pa.placed",)}, ValueError, "not an action that an edit may state: c2pa.placed"),
        ({"components": (Path("/nowhere/x.png"),)}, InputError, "no such file"),
        ({"components": (PHOTO.parent.parent / "story.py",)}, InputError, "kind"),
    ],
)
def test_what_is_no_edit(desk: Desk, how: dict[str, Any], error: type[Exception], say: str) -> None:
    before = desk.house.log.waiting()
    with pytest.raises(error, match=say):
        desk.edit("wrong.png", **how)
    assert not (desk.folder / "wrong.png").exists()
    assert desk.house.log.waiting() == before


def test_a_component_is_not_overwritten(desk: Desk) -> None:
    with pytest.raises(InputError, match="would overwrite a component"):
        edit(
            EditRequest(desk.sky.path, desk.collage, desk.bird.path, (), components=(desk.bird.path,), mark="none"),
            desk.house.studio(),
            at=desk.at,
        )


def test_a_damaged_component_is_named(desk: Desk) -> None:
    bent = desk.folder / "bent.png"
    data = bytearray(desk.bird.path.read_bytes())
    place = data.index(b"c2pa.signature")
    data[place - 30 : place + 40] = bytes(70)
    bent.write_bytes(data)
    with pytest.raises(InputError) as caught:
        desk.edit("of-bent.png", components=(bent,))
    assert caught.value.where == str(bent)


def test_a_parents_receipt_stands_in_the_claim(desk: Desk) -> None:
    given = receipts.of_file(desk.house, desk.sky.path)
    child = desk.edit("receipted.png", actions=("c2pa.cropped",), assertions=(receipt.assertion(given),))
    (kept,) = [a["data"] for a in report(child.path)["assertions"] if a["label"] == receipt.ASSERTION]
    found = receipt.check(kept, manifest_id=desk.sky.manifest_id, keys=desk.house.log.public_keys())
    assert (found.verified, found.error) == (True, None)
    assert not receipt.check(kept, manifest_id=desk.bird.manifest_id, keys=desk.house.log.public_keys()).verified
    assert kept["repository"]["uri"] == f"https://{desk.house.log.origin()}/v1"


def test_a_receipt_of_its_own_stands_in_an_update(desk: Desk) -> None:
    first = sign(SignRequest(desk.unsigned, desk.folder / "own.png", mark="none"), desk.house.studio(), at=desk.at)
    before = first.path.read_bytes()
    done = receipted(first, desk.house.studio(), lambda label: receipts.of_manifest(desk.house, label), at=desk.at)
    assert (done.path, str(done.verdict.status)) == (first.path, "trusted")
    assert done.manifest_id != first.manifest_id
    assert first.path.read_bytes() != before
    (kept,) = [a["data"] for a in report(first.path)["assertions"] if a["label"] == receipt.ASSERTION]
    assert receipt.check(kept, manifest_id=first.manifest_id, keys=desk.house.log.public_keys()).verified
    graph = lineage(done.asset_id, desk.house.desk, at=desk.at + timedelta(minutes=1))
    assert graph.path(first.manifest_id, done.manifest_id) == (first.manifest_id, done.manifest_id)


def test_without_a_record_there_is_no_receipt(desk: Desk) -> None:
    with pytest.raises(InputError, match="is not registered here"):
        receipts.of_file(desk.house, desk.unsigned)
    with pytest.raises(NotFoundError):
        receipts.of_manifest(desk.house, "urn:c2pa:nobody")
    stray = sign(
        SignRequest(desk.unsigned, desk.folder / "stray.png", mark="none", register=False), desk.house.studio(), at=desk.at
    )
    before = stray.path.read_bytes()
    with pytest.raises(NotFoundError):
        receipted(stray, desk.house.studio(), lambda label: receipts.of_manifest(desk.house, label), at=desk.at)
    assert stray.path.read_bytes() == before
    assert not list(desk.folder.glob(".*"))


@pytest.mark.slow
def test_a_child_marked_anew_keeps_its_parents_id_findable(tmp_path: Path) -> None:
    """The crop is so coarse that the old mark is gone: the child gets its own, and both ids lead to the family."""
    source = tmp_path / "source.jpg"
    with Image.open(PHOTO) as picture:
        picture.thumbnail((1200, 1200))
        picture.convert("RGB").save(source, quality=93)
    with open_house(Settings(home=tmp_path / "home", trust_interim=False, tsa="none", worker_count=1)) as house:
        at = datetime.now(UTC)
        parent = sign(SignRequest(source, tmp_path / "signed.jpg"), house.studio(), at=at)
        assert parent.binding is not None
        with Image.open(source) as picture:  # redone from the raw picture: the mark is not in it
            picture.convert("L").convert("RGB").save(tmp_path / "grey.jpg", quality=93)
        request = EditRequest(parent.path, tmp_path / "grey.jpg", tmp_path / "child.jpg", ("c2pa.color_adjustments",))
        child = edit(request, house.studio(), at=at)
        assert child.binding is not None
        assert child.binding != parent.binding
        assert [r.asset_id for r in house.registry.by_binding(parent.binding.alg, parent.binding.value)] == [parent.asset_id]
        graph = lineage(child.asset_id, house.desk, at=datetime.now(UTC))
        marks = {label: node.marks for label, node in graph.nodes.items()}
        assert marks[parent.manifest_id] == (f"{parent.binding.alg} {parent.binding.value}",)
        assert marks[child.manifest_id] == (f"{child.binding.alg} {child.binding.value}",)
        assert graph.path(parent.manifest_id, child.manifest_id)


@pytest.mark.slow
def test_a_parent_that_lost_its_credential_is_known_by_its_mark(tmp_path: Path) -> None:
    source, bare = tmp_path / "source.jpg", tmp_path / "bare.jpg"
    with Image.open(PHOTO) as picture:
        picture.thumbnail((1200, 1200))
        picture.convert("RGB").save(source, quality=93)
    with open_house(Settings(home=tmp_path / "home", trust_interim=False, tsa="none", worker_count=1)) as house:
        at = datetime.now(UTC)
        parent = sign(SignRequest(source, tmp_path / "signed.jpg"), house.studio(), at=at)
        with Image.open(parent.path) as picture:
            picture.convert("RGB").save(bare, quality=90)
            picture.convert("L").convert("RGB").save(tmp_path / "grey.jpg", quality=90)
        request = EditRequest(bare, tmp_path / "grey.jpg", tmp_path / "child.jpg", ("c2pa.color_adjustments",), mark="none")
        child = edit(request, house.studio(), at=at)
        graph = lineage(child.asset_id, house.desk, at=datetime.now(UTC))
        assert {(e.parent, e.relationship, e.inferred) for e in graph.parents(child.manifest_id)} == {
            (parent.manifest_id, "parentOf", True)
        }


def test_as_typed(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    from api.cli.app import run

    def call(*arguments: object) -> tuple[int, Any]:
        capfd.readouterr()
        code = run([*(str(a) for a in arguments), "--home", str(desk.folder / "home"), "--json"])
        return code, json.loads(capfd.readouterr().out)

    pair = (desk.sky.path, desk.collage, "-o", desk.folder / "typed.png", "--mark", "none", "--offline")
    code, found = call("edit", *pair, "--ingredient", desk.bird.path, "--receipt")
    assert code == 0
    labels = {a["label"] for a in report(desk.folder / "typed.png")["assertions"]}
    assert receipt.ASSERTION in labels
    code, found = call("trail", "tree", found["signed"]["asset_id"])
    assert {edge["relationship"] for edge in found["lineage"]["edges"]} >= {"parentOf", "componentOf"}
    assert call("edit", *pair)[0] == 1
    assert call("edit", *pair, "--ingredient", desk.folder / "nowhere.png")[0] == 1
    code, found = call("sign", desk.unsigned, "-o", desk.folder / "typed2.png", "--mark", "none", "--offline", "--receipt")
    assert (code, found["results"][0]["signed"]["status"]) == (0, "trusted")
    assert receipt.ASSERTION in {a["label"] for a in report(desk.folder / "typed2.png")["assertions"]}
    assert call("sign", desk.unsigned, "-o", desk.folder / "t3.png", "--receipt", "--no-register")[0] == 1
    assert not (desk.folder / "t3.png").exists()


def test_a_receipt_is_small_enough_to_carry(desk: Desk) -> None:
    """Two signatures are most of it; the hashes grow with the logarithm of the log."""
    given = receipts.of_file(desk.house, desk.sky.path)
    assert len(io.BytesIO(json.dumps(given).encode()).getvalue()) < 8_000
