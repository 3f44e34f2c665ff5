"""`colophon bundle`, `audit`, `import` and `trail tree|diff|erase`, as typed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.cli.app import run

Colophon = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def colophon(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Colophon:
    monkeypatch.setenv("COLOPHON_HOME", str(home))
    monkeypatch.setenv("COLOPHON_TSA", "none")

    def call(*arguments: object) -> tuple[int, Any]:
        capfd.readouterr()
        code = run([str(a) for a in arguments])
        out = capfd.readouterr().out
        return code, json.loads(out) if "--json" in arguments else out

    return call


@pytest.fixture(scope="module")
def signed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A photo and its child, signed in the home."""
    folder = tmp_path_factory.mktemp("media")
    pixels = np.random.default_rng(7).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((256, 192)).save(folder / "a.png")
    Image.fromarray(pixels[2:]).resize((256, 176)).save(folder / "b.png")
    common = ["--home", str(home), "--mark", "none", "--json"]
    assert run(["sign", str(folder / "a.png"), "-o", str(folder / "one.png"), *common]) == 0
    edit = ["edit", str(folder / "one.png"), str(folder / "b.png"), "-o", str(folder / "two.png"), "--action", "c2pa.cropped"]
    assert run([*edit, *common]) == 0
    return folder / "one.png", folder / "two.png"


@pytest.mark.slow
def test_a_bundle_is_made_and_audited_elsewhere(
    colophon: Colophon, signed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "story.zip"
    code, made = colophon("bundle", signed[1], "-o", bundle, "--json")
    assert (code, made["media"], made["bytes"]) == (0, True, bundle.stat().st_size)
    monkeypatch.setenv("COLOPHON_HOME", str(tmp_path / "nowhere"))
    code, found = colophon("audit", bundle, "--json")
    assert (code, found["result"], found["status"]) == (0, "holds", "trusted")
    assert not (tmp_path / "nowhere").exists()  # no home, no database, no key is made for it
    code, text = colophon("audit", bundle, "--media", signed[0])
    assert code == 2
    assert "It is not the asset's file." in text
    bent = bytearray(bundle.read_bytes())
    bent[bent.index(b"PK\x03\x04", 100) + 200] ^= 1
    bundle.write_bytes(bent)
    assert colophon("audit", bundle, "--json")[0] == 2


def test_a_checkpoint_that_one_kept(colophon: Colophon, home: Path, signed: tuple[Path, Path], tmp_path: Path) -> None:
    held = tmp_path / "held.txt"
    held.write_bytes((home / "trail.checkpoint").read_bytes())
    bundle = tmp_path / "story.zip"
    assert colophon("bundle", signed[0], "-o", bundle, "--no-media", "--checkpoint", held)[0] == 0
    assert colophon("audit", bundle, "--checkpoint", held)[0] == 0
    held.write_text("nonsense")
    assert colophon("audit", bundle, "--checkpoint", held)[0] == 2


def test_tree_and_diff(colophon: Colophon, signed: tuple[Path, Path], tmp_path: Path) -> None:
    code, text = colophon("trail", "tree", signed[0])
    assert code == 0
    assert "└─ " in text
    assert "opened, cropped" in text
    assert "signingCredential.untrusted" not in text  # whom the writer's library trusted is no fault of the parent
    code, found = colophon("trail", "tree", signed[1], "--json")
    assert len(found["lineage"]["nodes"]) == 2
    code, text = colophon("trail", "diff", signed[0], signed[1], "-o", tmp_path / "where.jpg")
    assert code == 0
    assert "B was made from A" in text
    code, found = colophon("trail", "diff", signed[1], signed[0], "--json")
    assert found["difference"]["related"] == "descendant"
    stranger = tmp_path / "stranger.png"
    Image.new("RGB", (64, 64), (9, 9, 9)).save(stranger)
    assert colophon("trail", "tree", stranger)[0] == 3
    assert colophon("trail", "diff", signed[0], stranger)[0] == 3
    assert colophon("bundle", stranger, "-o", tmp_path / "x.zip")[0] == 3
    assert colophon("trail", "tree", "nobody")[0] == 1


def test_erase(colophon: Colophon, signed: tuple[Path, Path]) -> None:
    code, found = colophon("trail", "erase", 1, "--reason", "asked for", "--json")
    assert code == 1
    assert "--yes" in json.dumps(found)
    code, found = colophon("trail", "erase", 1, "--reason", "asked for", "--yes", "--json")
    assert (code, found["erased"]) == (0, True)
    code, found = colophon("trail", "erase", 1, "--reason", "asked for", "--yes", "--json")
    assert (code, found["erased"]) == (0, False)
    assert colophon("trail", "erase", 999, "--reason", "x", "--yes", "--json")[0] == 1
    assert colophon("trail", "erase", 1, "--yes", "--json")[0] == 1
    code, shown = colophon("trail", "show", signed[0], "--json")
    assert [(e["kind"], e["payload"] is None) for e in shown["entries"]][:1] == [("captured", True)]
    text = colophon("trail", "show", signed[0])[1]
    assert "captured, since erased" in text
    assert "number" in text.splitlines()[4]


def test_an_older_database_is_told_and_stops_no_reader(
    colophon: Colophon, home: Path, signed: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Signing goes on and waits, with a warning each time; a proof cannot be had."""

    def told(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run([str(one) for one in arguments])
        return code, *capfd.readouterr()

    def copied(source: Path, to: Path) -> None:
        with closing(sqlite3.connect(source)) as a, closing(sqlite3.connect(to)) as b:
            a.backup(b)

    database, plain = home / "colophon.db", signed[0].parent / "a.png"
    older, newer, lost, waits = (tmp_path / name for name in ("older.db", "newer.db", "lost.png", "waits.png"))
    copied(database, older)
    assert told("sign", plain, "-o", lost, "--mark", "none")[0] == 0
    copied(database, newer)
    copied(older, database)
    code, _, warned = told("sign", plain, "-o", waits, "--mark", "none")
    assert (code, warned.count("warning: the log has")) == (0, 1)
    assert "restored" in warned
    code, shown, warned = told("trail", "show", waits)
    assert (code, warned.count("warning: the log has")) == (0, 1)
    assert " waits " in shown
    assert told("bundle", waits, "-o", tmp_path / "w.zip")[0] == 1
    assert not (tmp_path / "w.zip").exists()
    copied(newer, database)
    code, _, warned = told("trail", "show", lost)
    assert (code, warned) == (0, "")


def test_import(colophon: Colophon, signed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOPHON_HOME", str(tmp_path / "other"))
    code, found = colophon("import", signed[0].parent, "--no-marks", "--json")
    assert (code, found["totals"]) == (0, {"new": 2, "known": 0, "unsigned": 2, "failed": 0})
    code, found = colophon("import", signed[0].parent, "--no-marks", "--json")
    assert found["totals"] == {"new": 0, "known": 2, "unsigned": 2, "failed": 0}
    broken = tmp_path / "more" / "broken.jpg"
    broken.parent.mkdir()
    data = bytearray(signed[0].read_bytes())
    data[-100] ^= 1  # in the picture
    broken.write_bytes(data)
    for _ in range(2):  # what failed is looked at again, and said again
        code, found = colophon("import", broken.parent, "--no-marks", "--json")
        assert (code, found["totals"]["failed"]) == (1, 1)
    code, text = colophon("trail", "tree", signed[0])
    assert "└─ " in text
    assert colophon("import", signed[0])[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit",),
        ("audit", "none.zip"),
        ("audit", "a.zip", "--log", "http://x"),
        ("audit", "--log", "http://127.0.0.1:1/"),
        ("audit", "a.zip", "--key", "nonsense"),
        ("bundle", "nobody", "-o", "x.zip"),
        ("bundle", "x"),
        ("import", "nowhere"),
    ],
)
def test_what_is_typed_wrong(colophon: Colophon, arguments: tuple[str, ...]) -> None:
    assert colophon(*arguments)[0] == 1
