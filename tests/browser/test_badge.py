"""The badge, the feed and the record in Chromium: one request, three steps, keys, languages, directions, and no loud words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from browsing import SHOWN, STATUS, badge, page_of
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BADGE = Path(__file__).resolve().parents[2] / "api" / "web" / "badge.js"
FORBIDDEN = re.compile(r"\b(authentic|real|fake|genuine|echt|auténtico|authentique)\b|[✓✔✅☑🟢真]", re.IGNORECASE)


@pytest.fixture(scope="module")
def asset(service: str, files: dict[str, Path]) -> str:
    items = httpx2.get(f"{service}/api/v1/feed/recent").json()["items"]
    assert files
    found: str = items[0]["id"]
    return found


def test_it_is_small() -> None:
    assert BADGE.stat().st_size <= 15_000


def test_two_hundred_badges_are_two_requests(open_page: Any) -> None:
    page, asked = page_of(open_page, "".join(badge(f"trusted-{n % 150}") for n in range(200)))
    expect(page.get_by_role("button")).to_have_count(200)
    assert [len(url.split(",")) for url in asked] == [100, 50]


def test_absence_is_never_shown(open_page: Any) -> None:
    page, asked = page_of(
        open_page, "".join(map(badge, ("none", "unknown", "unregistered", "pending", "surprise"))) + badge("valid")
    )
    expect(page.get_by_role("button")).to_have_count(1)
    assert len(asked) == 1


@pytest.mark.parametrize("lang", ["en", "de", "es", "fr", "zh-Hans", "sv"])
def test_every_status_in_every_language(open_page: Any, lang: str) -> None:
    page, _ = page_of(open_page, "".join(map(badge, SHOWN)), lang=lang)
    pins = page.get_by_role("button")
    expect(pins).to_have_count(len(SHOWN))
    said = set()
    for number in range(len(SHOWN)):
        pins.nth(number).click()
        panel = page.get_by_role("dialog")
        expect(panel).to_be_visible()
        text = panel.inner_text()
        assert "Example <b>News</b>" in text
        assert "undefined" not in text
        assert not FORBIDDEN.search(text), text
        said.add(text.splitlines()[0])
        page.keyboard.press("Escape")
        expect(panel).to_have_count(0)
    assert len(said) == len(SHOWN)


@pytest.mark.parametrize(
    ("ai", "lang", "words"), [("wholly", "en", "made wholly with AI"), ("partly", "de", "teilweise mit KI erzeugt")]
)
def test_what_was_generated_is_said_on_the_pin_itself(open_page: Any, ai: str, lang: str, words: str) -> None:
    page, _ = page_of(open_page, badge("trusted"), lang=lang, more={"disclosure": {"ai": ai, "say": "…", "law": "…"}})
    expect(page.get_by_role("button")).to_contain_text(words)


@pytest.mark.parametrize(("lang", "words"), [("en", "fits, in part."), ("de", "passt, zum Teil."), ("zh", "相符（仅部分）。")])
def test_a_part_is_not_shown_as_the_whole(open_page: Any, lang: str, words: str) -> None:
    page, _ = page_of(open_page, badge("recovered"), lang=lang, more={"part": {"shown": 0.5}})
    page.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text(words)


def test_a_review_is_told_as_text(open_page: Any) -> None:
    note = {"decision": "upheld", "say": "<i>The desk asked.</i>", "at": "2026-11-21T00:00:00Z"}
    page, _ = page_of(open_page, badge("altered"), more={"review": note})
    page.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("<i>The desk asked.</i>")


def test_by_keyboard_alone(open_page: Any) -> None:
    page, _ = page_of(open_page, badge("trusted") + "<button>after</button>")
    pin = page.get_by_role("button", name="Content Credentials")
    expect(pin).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Tab")
    expect(pin).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_focused()
    expect(pin).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Full record")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(pin).to_be_focused()


def test_a_click_elsewhere_closes(open_page: Any) -> None:
    page, _ = page_of(open_page, badge("trusted") + "<p style='margin-top:30rem'>elsewhere</p>")
    page.get_by_role("button").click()
    page.get_by_text("elsewhere").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_panel_stays_in_a_narrow_window(open_page: Any, direction: str) -> None:
    edges = f"<div style='text-align:end'>{badge('altered')}</div><div style='text-align:start'>{badge('valid')}</div>"
    page, _ = page_of(open_page, edges, direction=direction, viewport={"width": 320, "height": 640})
    for number in range(2):
        page.get_by_role("button").nth(number).click()
        box = page.get_by_role("dialog").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
        page.keyboard.press("Escape")


def test_a_service_that_is_away_says_nothing(open_page: Any) -> None:
    page = open_page("/healthz", expect_complaints=True)
    page.route(STATUS, lambda route: route.abort())
    page.route(
        "**/sample",
        lambda route: route.fulfill(
            body=f'<!doctype html><script type="module" src="/badge.js"></script>{badge("trusted")}', content_type="text/html"
        ),
    )
    page.goto(page.url.replace("/healthz", "/sample"))
    page.wait_for_timeout(500)
    expect(page.get_by_role("button")).to_have_count(0)


def test_the_feed_leads_to_the_record(open_page: Any, asset: str) -> None:
    page = open_page("/feed")
    pin = page.locator("colophon-badge").first.get_by_role("button")
    pin.click()
    expect(page.get_by_role("dialog")).to_contain_text("Development certificate")
    page.get_by_role("link", name="Full record").click()
    page.wait_for_url(f"**/assets/{asset}")
    expect(page.locator("#steps li").first).to_contain_text("Signed when it was made")
    expect(page.locator("#signed")).to_contain_text("development certificate")
    assert not FORBIDDEN.search(page.locator("main").inner_text())


def test_a_record_that_is_not_there(open_page: Any) -> None:
    page = open_page("/assets/never", expect_complaints=True)
    expect(page.get_by_role("alert")).to_contain_text("No such record")
