"""The story ends as it says, and the report holds what verification returned and nothing that could run."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from api.demo import pictures
from api.demo.cast import bundled
from api.demo.report import render, tapered
from api.demo.story import Figure, Step
from api.settings import Settings
from api.wiring import open_house
from provenance.judge import Evidence
from provenance.verdict import AssetFacts, CredentialFacts, Inputs, MarkFacts, Reason, Source, Status, Verdict
from provenance.verify import Pictures, Verification

if TYPE_CHECKING:
    from tests.cli.conftest import Colophon

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.mark.slow
def test_the_story_ends_as_it_says(colophon: Colophon, tmp_path: Path) -> None:
    ran = colophon("demo", "--report", tmp_path, "--json")
    document = ran.document
    assert ran.code == 0, ran.err
    assert [step["status"] for step in document["steps"]] == [
        *("trusted", "recovered", "altered", "none", "conflict"),
        *("recovered", "altered"),
        *("recovered", "altered"),
    ]
    assert document["steps"][2]["verdict"]["changes"]
    assert all(change["start_s"] is not None for change in document["steps"][6]["verdict"]["changes"])
    (scene,) = document["steps"][8]["verdict"]["changes"]
    assert (scene["start_s"], scene["end_s"]) == (pytest.approx(1.6, abs=0.6), pytest.approx(4.1, abs=0.6))
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    page = (tmp_path / "index.html").read_text("utf-8")
    words, pictures_inside = re.subn(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", page)
    assert pictures_inside >= 13
    assert "http" not in words.replace("http://127.0.0.1:8000/", "")


@pytest.mark.slow
def test_a_feed_has_thirty_samples_each_signed_for_what_it_is(colophon: Colophon, home: Path) -> None:
    made = colophon("demo", "--feed", "--json").document["assets"]
    assert len(set(made)) == 30
    with open_house(Settings(home=home), signing=False) as house:
        statuses = [json.loads(one.document) for one in house.registry.statuses(made).values()]
        parents = [house.registry.parents(one) for one in made]
    assert {one["status"] for one in statuses} == {"trusted"}
    signals = [signal for one in statuses for signal in one["signals"]]
    assert signals.count("inception:capturedMedia") == 24
    assert "inception:fullyGenAIMedia" not in signals
    assert sum(bool(one) for one in parents) == 20


def verdict(status: Status, say: str) -> Verdict:
    return Verdict(
        status=status,
        summary=say,
        asset=AssetFacts("0" * 64, "image/jpeg"),
        credential=CredentialFacts(Source.NONE, codes=("a.code",)),
        mark=MarkFacts(found=False),
        inputs=Inputs("validator", "policy", {}, AT),
        reasons=(Reason("a.reason", say),),
    )


def step(status: Status, say: str = "It is so.", expected: Status | None = None) -> Step:
    said = verdict(status, say)
    found = Verification(said, Pictures(), Evidence(said.asset, None))
    return Step(say, say, Path("x.jpg"), found, frozenset({expected or status}), (Figure(say, b"\xff\xd8"),))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_nothing_in_a_verdict_can_become_markup() -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>$rows\x1b'
    page = render([step(Status.VALID, hostile)], made_at=AT, made_by=hostile, then=hostile)
    seen = Tags()
    seen.feed(page)
    assert "script" not in seen.tags
    assert seen.tags.count("img") == 1
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert "\x1b" not in page


def test_a_step_that_goes_astray_is_said_to() -> None:
    page = render([step(Status.NONE, expected=Status.RECOVERED)], made_at=AT, made_by="x", then="y")
    assert "The story expects recovered here." in page
    assert "The story expects" not in render([step(Status.NONE)], made_at=AT, made_by="x", then="y")


def test_a_demo_that_goes_astray_is_an_error(colophon: Colophon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    astray = [step(Status.VALID), step(Status.NONE, expected=Status.RECOVERED)]
    monkeypatch.setattr("api.demo.story.tell", lambda *_, **__: iter(astray))
    ran = colophon("demo", "--report", tmp_path)
    assert ran.code == 1
    assert ran.err == "colophon: step 2 should have ended as recovered\n"


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_be_set(status: Status) -> None:
    assert f">{status}</span>" in render([step(status)], made_at=AT, made_by="x", then="y")


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=14), min_size=1, max_size=120))
def test_a_taper_keeps_every_word_and_narrows_at_its_end(words: list[str]) -> None:
    lines = list(tapered(" ".join(words)))
    assert " ".join(lines).split() == words


def test_the_cast_is_bundled_unsigned_and_large_enough() -> None:
    with bundled() as cast:
        still = pictures.upright(cast.still.read_bytes())
        portrait = pictures.upright(cast.portrait.read_bytes())
    assert max(still.size) > pictures.PLATFORM_SIDE
    assert all(0 < x < portrait.width and 0 < y < portrait.height for x, y in (cast.eyes.left, cast.eyes.right))


def test_a_platform_shrinks_and_strips() -> None:
    photo = Image.effect_noise((2000, 1000), 40).convert("RGB")
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = 6  # to be turned by a quarter
    photo.save(out, "JPEG", exif=exif, comment=b"hello")
    shared = Image.open(io.BytesIO(pictures.as_on_a_platform(out.getvalue())))
    assert shared.size == (540, 1080)
    assert not shared.getexif()
    assert not {"comment", "exif", "icc_profile"} & set(shared.info)


def test_a_platform_never_enlarges() -> None:
    small = pictures.as_on_a_platform(pictures.jpeg(Image.new("RGB", (300, 200), "teal"), 90))
    assert Image.open(io.BytesIO(small)).size == (300, 200)


def test_a_pasted_face_changes_the_face_and_nothing_else() -> None:
    base = Image.effect_noise((200, 200), 30).convert("RGB")
    donor = Image.effect_noise((300, 300), 60).convert("RGB")
    eyes = pictures.Eyes((80, 90), (120, 90))
    forged = pictures.with_another_face(base, donor, eyes, pictures.Eyes((100, 140), (180, 150)))
    changed = np.any(np.asarray(base) != np.asarray(forged), axis=-1)
    rows, columns = np.nonzero(changed)
    assert changed[108, 100]
    assert columns.min() > 60
    assert columns.max() < 140
    assert rows.min() > 55
    assert rows.max() < 160


def test_a_copied_mark_is_the_difference() -> None:
    before, other = Image.new("RGB", (64, 64), (100, 100, 100)), Image.new("RGB", (64, 64), (50, 60, 70))
    after = Image.new("RGB", (64, 64), (103, 98, 100))
    assert pictures.with_copied_mark(before, after, other).getpixel((5, 5)) == (53, 58, 70)
