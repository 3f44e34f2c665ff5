"""`keys list`, `keys revoke`, `keys token`, `worker`: one home from its first key to its second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli.app import run


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: keys are revoked in it."""
    monkeypatch.setenv("COLOPHON_HOME", str(tmp_path / "home"))
    return tmp_path


def test_from_the_first_key_to_the_second(own: Path, photo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def call(*arguments: str, code: int = 0) -> dict[str, object]:
        capfd.readouterr()
        assert run([*arguments, "--json"]) == code
        document: dict[str, object] = json.loads(capfd.readouterr().out)
        return document

    call("sign", str(photo), "-o", str(own / "a.jpg"), "--mark", "none", "--offline")
    first = call("keys", "list")["keys"][0]  # type: ignore[index]
    assert (first["key"], first["state"]) == ("development", "good")
    assert call("keys", "revoke", "development", "--reason", "key-compromise")["statuses"] == {"seen": 1, "changed": 1}
    assert call("keys", "list")["keys"][0]["state"] == "revoked"  # type: ignore[index]
    assert call("worker", "--once")["rejudged"] == []  # nothing is left to do, and a new key is made
    second = call("keys", "list")["keys"][0]  # type: ignore[index]
    assert second["state"] == "good"
    assert second["fingerprint"] != first["fingerprint"]
    assert call("keys", "revoke", first["fingerprint"], "--reason", "key-compromise")["statuses"] == {"seen": 0, "changed": 0}


def test_tokens(own: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "token", "Camera 3"]) == 0
    token = capfd.readouterr().out.split()[1]
    assert token not in (own / "home" / "keys" / "book.jsonl").read_text()
    for wrong in ("", " ", "x" * 41, "a\nb"):
        assert run(["keys", "token", wrong]) == 1


@pytest.mark.parametrize("wrong", [["nobody"], ["development", "--at", "2999-01-01"], ["no.pem"]])
def test_what_cannot_be_revoked(own: Path, wrong: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "revoke", *wrong, "--reason", "superseded"]) == 1
    assert capfd.readouterr().err.count("\n") >= 1
