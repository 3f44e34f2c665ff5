"""`colophon watch` where neither a database nor a service can be reached: it signs, keeps the order, and delivers later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.road.test_watching import drop

if TYPE_CHECKING:
    from tests.cli.conftest import Colophon

NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing?connect_timeout=1"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    folder = tmp_path / "card"
    folder.mkdir()
    for seed, name in enumerate(("b.jpg", "a.jpg"), start=1):
        drop(folder, name, seed)
    return folder


def test_no_database_is_needed_to_sign(colophon: Colophon, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, arguments = tmp_path / "out", ("--once", "--offline", "--mark", "none", "--json")
    with monkeypatch.context() as away:
        away.setenv("COLOPHON_DATABASE_URL", NOWHERE)
        ran = colophon("watch", card, "--to", out, *arguments)
    assert ran.code == 4
    assert [event["event"] for event in ran.document["events"]] == ["signed", "signed", "waiting"]
    assert "127.0.0.1" in ran.document["events"][-1]["why"]
    assert colophon("verify", out / "b.jpg").code == 0

    later = colophon("watch", card, "--to", out, *arguments)
    assert later.code == 0
    said = [(event["event"], Path(event["path"]).name) for event in later.document["events"]]
    assert said == [("registered", "b.jpg"), ("registered", "a.jpg")]
    for event in later.document["events"]:
        assert colophon("trail", "show", event["receipt"]).code == 0
    assert colophon("watch", card, "--to", out, *arguments).document["events"] == []


def test_no_service_is_needed_to_sign(colophon: Colophon, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOPHON_DATABASE_URL", NOWHERE)  # with --server it is not asked at all
    ran = colophon(
        "watch", card, "--to", tmp_path / "out", "--server", "http://127.0.0.1:9", "--once", "--mark", "none", "--json"
    )
    assert ran.code == 4
    assert [event["event"] for event in ran.document["events"]] == ["signed", "signed", "waiting"]


@pytest.mark.parametrize(
    "address",
    [
        "http://desk.example", "ftp://desk.example", "desk.example", "https://", "http://[::1",
        "http://127.0.0.1.desk.example", "http://localhost.desk.example", "http://127.0.0.1:80@desk.example",  # begin as ours do
    ],
)  # fmt: skip
def test_keys_go_nowhere_in_the_clear(colophon: Colophon, card: Path, tmp_path: Path, address: str) -> None:
    ran = colophon("watch", card, "--to", tmp_path / "out", "--server", address, "--once")
    assert ran.code == 1
    assert "https" in ran.err
