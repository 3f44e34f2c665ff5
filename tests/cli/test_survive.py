"""`colophon survive`: a ladder measured, printed, reported and stored with its asset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from watermark.ladder import FIRST_LIGHT

Colophon = Callable[..., Any]
SHORT = ("--ladder", FIRST_LIGHT.name)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flat, and so small that some steps are too much."""
    path = tmp_path_factory.mktemp("small") / "small.png"
    Image.radial_gradient("L").convert("RGB").resize((150, 120)).save(path)
    return path


@pytest.mark.slow
def test_of_a_signed_photo_is_stored_with_its_asset(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    signed = tmp_path / "signed.jpg"
    asset_id = colophon("sign", photo, "-o", signed, "--json").document["results"][0]["signed"]["asset_id"]
    before = signed.read_bytes()
    ran = colophon("survive", signed, *SHORT, "--json")
    assert ran.code == 0
    found = ran.document
    assert (found["asset_id"], found["marked_now"], found["ladder"]) == (asset_id, False, FIRST_LIGHT.name)
    assert [step["name"] for step in found["steps"]] == [step.name for step in FIRST_LIGHT.steps]
    assert found["passed"] == sum(step["found"] for step in found["steps"]) == found["of"] == 10
    assert signed.read_bytes() == before


@pytest.mark.slow
def test_a_file_without_a_mark_is_tried_as_a_marked_copy(colophon: Colophon, small: Path, tmp_path: Path) -> None:
    before = small.read_bytes()
    ran = colophon("survive", small, *SHORT, "--report", tmp_path / "report")
    assert ran.code == 0
    assert "carries no mark of ours" in ran.out
    assert "stored  nowhere" in ran.out
    lost = ran.out.count("not read")
    assert f"survives {10 - lost} of 10 steps" in ran.out
    assert 0 < lost < 10  # some of each, so that both kinds of row are seen
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert page.count("<img ") == 11
    assert page.count('class="lost"') == lost
    assert small.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("notes.txt", b"nothing to mark", "no ladder for"),
        ("empty.png", b"", "is empty"),
        ("broken.png", b"\x89PNG\r\n\x1a\n" + bytes(40), ""),
    ],
)
def test_what_has_no_picture_is_said_so(colophon: Colophon, tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    ran = colophon("survive", path, "--json")
    assert ran.code == 1
    assert says in json.dumps(ran.document)


def test_too_small_and_unknown_ladder(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.png"
    Image.new("RGB", (20, 20)).save(tiny)
    assert "too small" in colophon("survive", tiny).err
    ran = colophon("survive", photo, "--ladder", "audio-2026")
    assert ran.code == 1
    assert "no ladder 'audio-2026'" in ran.err
    assert "image-2026" in ran.err
