"""axe-core on every page and every kind of answer, in light and in dark: nothing serious, nothing critical."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from browsing import SHOWN, answered, badge, choose, page_of, serious
from playwright.sync_api import expect

from api import examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_axe_itself_finds_what_is_wrong(open_page: Any) -> None:
    page = open_page("/")
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), { src: 'data:,' }))")
    assert any(line.startswith("image-alt (critical, light)") for line in serious(page))


@pytest.mark.parametrize("path", ["/", "/feed", "/api/docs"])
def test_pages(open_page: Any, path: str) -> None:
    page = open_page(path)
    page.wait_for_load_state("networkidle")
    assert serious(page) == []


def test_a_record(open_page: Any, files: dict[str, Path], service: str) -> None:
    assert files
    record = httpx2.get(f"{service}/api/v1/feed/recent").json()["items"][0]["id"]
    page = open_page(f"/assets/{record}", viewport={"width": 320, "height": 640})
    expect(page.locator("#steps li").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("case", sorted(examples.VERDICTS))
def test_verdicts(open_page: Any, files: dict[str, Path], case: str) -> None:
    page = open_page()
    answered(page, examples.VERDICTS[case]["value"])
    choose(page, files["plain"])
    expect(page.locator("#verdict")).to_be_visible()
    page.locator(".raw summary").click()
    assert serious(page) == []


def test_a_changed_copy_and_its_comparison(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page()
    choose(page, files["pasted"])
    expect(page.get_by_role("slider")).to_be_visible()
    expect(page.get_by_role("button", name="Download the bundle")).to_be_visible()
    assert serious(page) == []


@pytest.mark.parametrize(("lang", "direction"), [("en", "ltr"), ("zh-Hans", "rtl")])
def test_badges_open_and_shut(open_page: Any, lang: str, direction: str) -> None:
    page, _ = page_of(open_page, "<main><h1>x</h1>" + "".join(map(badge, SHOWN)) + "</main>", lang=lang, direction=direction)
    expect(page.get_by_role("button")).to_have_count(len(SHOWN))
    assert serious(page) == []
    page.get_by_role("button").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious(page) == []


def test_a_problem(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page(expect_complaints=True)
    answered(page, json.loads('{"title": "Too much work at once", "detail": "wait"}'), status=503)
    choose(page, files["plain"])
    expect(page.locator("#problem")).to_be_visible()
    assert serious(page) == []
