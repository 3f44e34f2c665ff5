"""The verify page with sound: a player, when the mark runs, when it was changed; by eye, by ear and by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from browsing import choose
from playwright.sync_api import expect

from api.demo import sounds
from api.demo.cast import bundled

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def heard(service: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundled speech, signed; as a voice note; and with its words in another order."""
    folder = tmp_path_factory.mktemp("heard")
    with bundled() as cast:
        answer = httpx2.post(f"{service}/api/v1/sign", files={"file": ("speech.flac", cast.speech.read_bytes())}, timeout=240)
        words = cast.words
    assert answer.status_code == 201, answer.text
    signed = folder / "signed.flac"
    signed.write_bytes(answer.content)
    speech, rate = sounds.read(signed)
    sounds.send_voice_note(speech, rate, folder / "note.ogg")
    sounds.send_voice_note(sounds.with_other_words(speech, rate, words), rate, folder / "words.ogg")
    return {path.stem: path for path in folder.iterdir()}


def test_a_changed_voice_note(open_page: Any, heard: dict[str, Path], shoot: Any) -> None:
    page = open_page()
    choose(page, heard["words"])
    expect(page.locator("#word")).to_have_text("altered")
    sound = page.locator("#player audio")
    expect(sound).to_be_visible()
    page.wait_for_function("document.querySelector('#player audio').duration > 10")
    assert page.locator("#player .timeline .marked").count() >= 1
    expect(page.locator("#player .timeline .changed")).to_have_count(1)
    line = page.locator("#player .stretches li").first
    expect(line).to_contain_text("Changed: other sound")
    line.get_by_role("button").press("Enter")
    page.wait_for_function("document.querySelector('#player audio').currentTime > 1.5")
    expect(page.locator("#player figcaption")).to_contain_text("Framed: not what was signed.")
    shoot(page, "sound-altered")


def test_a_voice_note_as_it_was(open_page: Any, heard: dict[str, Path], shoot: Any) -> None:
    page = open_page()
    choose(page, heard["note"])
    expect(page.locator("#word")).to_have_text("recovered")
    expect(page.locator("#summary")).to_contain_text("leads to a recording")
    expect(page.locator("#player .timeline .changed")).to_have_count(0)
    assert page.locator("#player .stretches li", has_text="Changed").count() == 0
    shoot(page, "sound-recovered")


def test_a_picture_has_no_player(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page()
    choose(page, files["plain"])
    expect(page.locator("#word")).to_have_text("none")
    expect(page.locator("#player")).to_be_hidden()
