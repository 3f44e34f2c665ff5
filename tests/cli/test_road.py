"""The whole road by command line: sign, verify, lose the credential, find it again, edit, read the trail."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.cli.conftest import Colophon

pytestmark = pytest.mark.slow


@pytest.fixture
def stripped(signed: Path, tmp_path: Path) -> Path:
    """The signed photo, half the size and without metadata."""
    path = tmp_path / "stripped.jpg"
    with Image.open(signed) as image:
        image.convert("RGB").resize((480, 360), Image.Resampling.LANCZOS).save(path, "JPEG", quality=80)
    return path


def test_sign_says_three_aligned_lines(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jpg"
    before = hashlib.sha256(photo.read_bytes()).hexdigest()
    ran = colophon("sign", photo, "-o", out)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [re.split(r"\s{2,}", line)[0] for line in lines] == ["signed", "mark", "trail"]
    assert lines[0].startswith(f"signed  {out} by ")
    assert "time-stamped" in lines[0]
    assert re.fullmatch(r"mark    org\.colophon\.mark\.image\.1 [0-9a-f]{16}", lines[1])
    assert re.fullmatch(r"trail   entry \d+, asset [0-9a-f]{32}", lines[2])
    assert hashlib.sha256(photo.read_bytes()).hexdigest() == before


def test_verify_says_a_paragraph_for_one(colophon: Colophon, signed: Path) -> None:
    ran = colophon("verify", signed)
    assert ran.code == 0
    head, summary, *facts = ran.out.splitlines()
    assert head == f"trusted  {signed}"
    assert "intact credential" in summary
    assert {line.split("  ")[1].strip() for line in facts} >= {"signed by", "signed at"}
    assert ran.err == ""


def test_verify_says_a_table_for_many_and_the_gravest_wins(
    colophon: Colophon, signed: Path, stranger: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.jpg"
    ran = colophon("verify", "--no-marks", signed, stranger, missing)
    assert ran.code == 1
    assert [line.split()[0] for line in ran.out.splitlines()] == ["status", "trusted", "none"]
    assert ran.err == f"colophon: {missing}: no such file\n"


def test_verify_as_json_is_the_contract(colophon: Colophon, signed: Path, stranger: Path) -> None:
    ran = colophon("verify", signed, stranger, "--no-marks", "--json")
    assert ran.code == 3
    document = ran.document
    assert document["exit_code"] == 3
    assert [result["path"] for result in document["results"]] == [str(signed), str(stranger)]
    first = document["results"][0]["verdict"]
    assert {"status", "summary", "asset", "credential", "mark", "inputs", "not_checked"} <= set(first)


def test_verify_walks_folders_only_when_asked(colophon: Colophon, signed: Path, stranger: Path, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    (folder / ".hidden").mkdir(parents=True)
    (folder / "b.jpg").write_bytes(signed.read_bytes())
    (folder / "a.jpg").write_bytes(stranger.read_bytes())
    (folder / "notes.txt").write_text("not media")
    (folder / ".hidden" / "c.jpg").write_bytes(stranger.read_bytes())
    refused = colophon("verify", folder)
    assert refused.code == 1
    assert "is a folder; -r looks into it" in refused.err
    ran = colophon("verify", "-r", folder, "--no-marks", "--json")
    assert [Path(result["path"]).name for result in ran.document["results"]] == ["a.jpg", "b.jpg"]
    assert "1 other file passed over" in ran.err


def test_a_folder_without_media(colophon: Colophon, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not media")
    ran = colophon("verify", "-r", tmp_path)
    assert ran.code == 3
    assert "no media in there" in ran.err


def test_without_marks_nobody_looks_for_one(colophon: Colophon, signed: Path) -> None:
    verdict = colophon("verify", signed, "--no-marks", "--json").document["results"][0]["verdict"]
    assert verdict["status"] == "trusted"
    assert "mark" in verdict["not_checked"]


def test_other_anchors_make_another_verdict(colophon: Colophon, signed: Path, tmp_path: Path) -> None:
    from keys.authority import new_root
    from keys.certificate import to_pem
    from provenance.verdict import Trust

    root = new_root(_now())
    anchors = tmp_path / "anchors.pem"
    anchors.write_text(to_pem((root.certificate,)))
    verdict = colophon("verify", signed, "--trust", anchors, "--json").document["results"][0]["verdict"]
    assert verdict["status"] == "valid"
    assert verdict["credential"]["trust"] == Trust.UNTRUSTED


def test_a_stripped_copy_is_recovered(colophon: Colophon, stripped: Path) -> None:
    ran = colophon("verify", stripped)
    assert ran.code == 0
    assert ran.out.startswith(f"recovered  {stripped}\n")
    assert "signed by" in ran.out


def test_explain_is_the_whole_account_and_its_json_the_verdict(colophon: Colophon, stripped: Path) -> None:
    ran = colophon("explain", stripped)
    assert ran.code == 0
    titles = [line for line in ran.out.splitlines() if line and not line.startswith(" ")]
    assert titles[0].startswith("recovered")
    assert titles[1:4] == ["Why", "Layers", "History, newest first"]
    assert {"Codes", "Not checked", "Judged"} <= set(titles)
    verdict = colophon("explain", stripped, "--json").document
    assert verdict["status"] == "recovered"
    assert verdict["mark"]["found"]


def test_find_tells_match_and_fit(colophon: Colophon, stripped: Path, photo: Path) -> None:
    ran = colophon("find", stripped)
    assert ran.code == 0
    assert ran.out.splitlines()[1].startswith("match")
    assert "the content fits" in ran.out
    best = colophon("find", stripped, "--json").document["matches"][0]
    assert best["how"] == "mark"
    assert best["agreement"] == "fits"


def test_trail_by_file_by_copy_and_by_id(colophon: Colophon, signed: Path, stripped: Path) -> None:
    by_file = colophon("trail", "show", signed, "--json").document
    by_copy = colophon("trail", "show", stripped, "--json").document
    asset = by_file["asset"]["id"]
    assert by_copy["asset"]["id"] == asset
    assert by_file["entries"][0]["kind"] == "captured"
    ran = colophon("trail", "show", asset)
    assert ran.code == 0
    assert "captured" in ran.out


def test_trail_of_nothing(colophon: Colophon, tmp_path: Path) -> None:
    ran = colophon("trail", "show", "0123456789abcdef")
    assert ran.code == 1
    assert "neither a file nor the id" in ran.err


def test_edit_makes_a_child(colophon: Colophon, signed: Path, tmp_path: Path) -> None:
    cropped, child = tmp_path / "cropped.jpg", tmp_path / "child.jpg"
    with Image.open(signed) as image:
        image.convert("RGB").crop((20, 20, 600, 460)).save(cropped, "JPEG", quality=90)
    ran = colophon("edit", signed, cropped, "-o", child, "--action", "c2pa.cropped")
    assert ran.code == 0, ran.err
    verdict = colophon("explain", child, "--json").document
    assert verdict["status"] == "trusted"
    assert len(verdict["history"]) == 2
    trail = colophon("trail", "show", child, "--json").document
    assert [entry["kind"] for entry in trail["entries"]] == ["captured", "edited"]


def test_sign_several_into_a_folder(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.jpg"
    second.write_bytes(photo.read_bytes())
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:3000])
    target = tmp_path / "to" / "there"
    ran = colophon("sign", photo, broken, second, "--to", target, "--mark", "none", "--no-register")
    assert ran.code == 1
    assert sorted(path.name for path in target.iterdir()) == ["photo.jpg", "second.jpg"]
    assert ran.err.startswith(f"colophon: {broken}: ")
    assert ran.err.count("\n") == 1
    assert "not registered" in ran.out


def test_sign_offline_queues_the_stamp(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    ran = colophon("sign", photo, "-o", tmp_path / "out.jpg", "--offline", "--json")
    signed = ran.document["results"][0]["signed"]
    assert signed["time"] == {"state": "queued", "at": None}


def _now() -> datetime:
    return datetime.now(UTC)
