"""A folder is watched with nobody to tell, and killed at any moment: each file is signed and registered once, in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.settings import Settings
from api.wiring import House, open_house
from provenance.backlog import Backlog
from provenance.capture import SignRequest
from provenance.errors import InputError, UnavailableError
from provenance.fetch import Client
from provenance.verdict import Status
from provenance.verify import verify
from provenance.watching import Deliver, Event, UnwantedError, Watch, locally, to_service


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(Settings(home=tmp_path_factory.mktemp("home"), trust_interim=False, tsa="none")) as opened:
        yield opened


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "in", tmp_path / "out"


def drop(folder: Path, name: str, seed: int) -> Path:
    """A small picture of its own; its time of change is its seed, so that the order is known."""
    path = folder / name
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=90)
    os.utime(path, (1_700_000_000 + seed, 1_700_000_000 + seed))
    return path


def run(folders: tuple[Path, Path], house: House, deliver: Deliver | None = None, **options: bool) -> list[Event]:
    watch = Watch(*folders, SignRequest(*folders, mark="none"), **({"settled": True} | options))
    with watch.backlog.held():
        return list(watch.round(house.studio(offline=True), deliver or locally(house.registry), clock=now))


def kinds(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.path.name) for event in events]


def nobody(_: object) -> str:
    raise UnavailableError("the service")


def test_signed_once_whatever_it_is_called(folders: tuple[Path, Path], own: House) -> None:
    first = drop(folders[0], "a.jpg", 1)
    assert kinds(run(folders, own)) == [("signed", "a.jpg"), ("registered", "a.jpg")]
    (folders[0] / "copy.jpg").write_bytes(first.read_bytes())
    assert run(folders, own) == []
    assert sorted(p.name for p in folders[1].iterdir()) == [".colophon", "a.jpg"]
    assert verify(folders[1] / "a.jpg", own.desk, at=now()).verdict.status is Status.TRUSTED


def test_offline_everything_waits_and_then_goes_in_order(folders: tuple[Path, Path], own: House) -> None:
    for seed, name in enumerate(("c.jpg", "a.jpg", "b.jpg"), start=10):
        drop(folders[0], name, seed)
    first = kinds(run(folders, own, nobody))
    assert first == [("signed", "c.jpg"), ("signed", "a.jpg"), ("signed", "b.jpg"), ("waiting", "c.jpg")]
    assert (folders[1] / "c.jpg").exists()  # the first is placed already; the others are when their turn comes
    told: list[str] = []

    def deliver(entry: object) -> str:
        told.append(entry.name)  # type: ignore[attr-defined]
        return "ok"

    assert kinds(run(folders, own, deliver)) == [("registered", "c.jpg"), ("registered", "a.jpg"), ("registered", "b.jpg")]
    assert told == ["c.jpg", "a.jpg", "b.jpg"]


def test_another_file_of_the_same_name(folders: tuple[Path, Path], own: House) -> None:
    drop(folders[0], "a.jpg", 20)
    run(folders, own)
    before = (folders[1] / "a.jpg").read_bytes()
    drop(folders[0], "a.jpg", 21)
    events = run(folders, own)
    assert [event.kind for event in events] == ["signed", "registered"]
    assert events[0].path.name.startswith("a.")
    assert events[0].path.name != "a.jpg"
    assert (folders[1] / "a.jpg").read_bytes() == before


def test_a_file_that_is_still_written_is_left_alone(folders: tuple[Path, Path], own: House) -> None:
    watch = Watch(*folders, SignRequest(*folders, mark="none"))
    studio, deliver = own.studio(offline=True), locally(own.registry)
    with watch.backlog.held():
        whole = drop(folders[0], "a.jpg", 30).read_bytes()
        (folders[0] / "a.jpg").write_bytes(whole[:500])
        assert list(watch.round(studio, deliver, clock=now)) == []
        (folders[0] / "a.jpg").write_bytes(whole)
        assert list(watch.round(studio, deliver, clock=now)) == []
        assert kinds(list(watch.round(studio, deliver, clock=now)))[0] == ("signed", "a.jpg")


def test_what_cannot_be_signed_is_told_once_and_stops_nobody(folders: tuple[Path, Path], own: House) -> None:
    (folders[0] / "notes.txt").write_text("no picture")
    (folders[0] / ".hidden.jpg").write_bytes(b"x")
    (folders[0] / "folder").mkdir()
    drop(folders[0], "a.jpg", 40)
    watch = Watch(*folders, SignRequest(*folders, mark="none"), settled=True)
    with watch.backlog.held():
        first = kinds(list(watch.round(own.studio(offline=True), locally(own.registry), clock=now)))
        again = list(watch.round(own.studio(offline=True), locally(own.registry), clock=now))
    assert set(first) == {("refused", "notes.txt"), ("signed", "a.jpg"), ("registered", "a.jpg")}
    assert again == []


def test_what_nobody_wants_is_put_aside(folders: tuple[Path, Path], own: House) -> None:
    drop(folders[0], "a.jpg", 50)
    drop(folders[0], "b.jpg", 51)

    def deliver(entry: object) -> str:
        if entry.name == "a.jpg":  # type: ignore[attr-defined]
            raise UnwantedError("no")
        return "ok"

    assert kinds(run(folders, own, deliver))[2:] == [("refused", "a.jpg"), ("registered", "b.jpg")]
    assert [p.read_text() for p in (folders[1] / ".colophon" / "refused").glob("*/why.txt")] == ["no\n"]
    assert run(folders, own) == []


def test_two_watches_of_one_folder(folders: tuple[Path, Path]) -> None:
    with (
        Backlog(folders[1] / ".colophon").held(),
        pytest.raises(InputError, match="another watch"),
        Backlog(folders[1] / ".colophon").held(),
    ):
        pass
    with pytest.raises(InputError, match="is watched"):
        Watch(folders[0], folders[0], SignRequest(*folders))


def test_a_service_that_cannot_be_reached(folders: tuple[Path, Path], own: House) -> None:
    drop(folders[0], "a.jpg", 60)
    events = run(folders, own, to_service("http://127.0.0.1:1", None, Client(allow_private=True, timeout_s=1)))
    assert [event.kind for event in events] == ["signed", "waiting"]
