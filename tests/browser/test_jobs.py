"""Large files, which jobs look at while the page waits; and what a manifest declares besides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browsing import VERIFY, answered, choose
from playwright.sync_api import Page, expect

from api import examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]

JOB = "**/api/v1/jobs/*"


def test_what_is_declared_is_told(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page()
    body = json.loads(json.dumps(examples.VERDICTS["trusted"]["value"]))
    identity = {"name": "<b>News</b>", "fingerprint": None, "kind": "x509", "roles": [], "signature": "failed"}
    body["declared"] = {
        "identities": [identity | {"trust": "untrusted", "trust_list": None}],
        "training": {"cawg.ai_training": "notAllowed"},
        "consents": [{"record": "0" * 64, "given": "2026-11-01", "uses": ["voice"]}],
    }
    answered(page, body)
    choose(page, files["plain"])
    told = page.locator("#signed-facts")
    expect(told).to_contain_text("<b>News</b>, its signature does not hold, identity not verified")
    expect(told).to_contain_text("AI training: not allowed")
    expect(told).to_contain_text("given 2026-11-01, for voice")


# ——— jobs ———


def promised(page: Page, *states: dict[str, Any]) -> list[str]:
    """Let the next file be looked at by a job that goes through some states; returns what was asked of it."""
    asked: list[str] = []
    job = {"id": "j", "kind": "verify", "stage": "looking", "links": {"self": "/api/v1/jobs/j", "events": "/x"}}
    answered(page, job | {"state": "queued"}, status=202)

    def state(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(json=job | states[min(len(asked), len(states)) - 1])

    page.route(JOB, state)
    return asked


def test_a_job_is_followed_to_its_end(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page()
    asked = promised(page, {"state": "running"}, {"state": "done", "result": examples.VERDICTS["none"]["value"]})
    choose(page, files["plain"])
    expect(page.locator("#working-say")).to_contain_text("Looking at it")
    expect(page.locator("#word")).to_have_text("none")
    assert len(asked) == 2


def test_a_job_that_failed_says_why(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page()
    promised(page, {"state": "failed", "problem": {"title": "Too much to look at", "detail": "it took longer than it may"}})
    choose(page, files["plain"])
    expect(page.locator("#problem-title")).to_have_text("Too much to look at")
    expect(page.locator("#problem-say")).to_have_text("It took longer than it may.")
    expect(page.locator("#again")).to_be_visible()


def test_a_job_that_nobody_waits_for_is_asked_no_more(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page()
    asked = promised(page, {"state": "running"})
    choose(page, files["plain"])
    expect(page.locator("#working-say")).to_contain_text("Looking at it")
    page.locator("#cancel").click()
    expect(page.locator("#legend")).to_be_visible()
    page.wait_for_timeout(1500)
    before = len(asked)
    page.wait_for_timeout(2500)
    assert len(asked) == before


def test_a_job_that_is_lost_is_no_verdict(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page(expect_complaints=True)
    promised(page)
    page.route(JOB, lambda route: route.fulfill(status=404))
    choose(page, files["plain"])
    expect(page.locator("#problem-title")).to_contain_text("no answer that can be read")


def test_an_answer_that_is_half_a_job_is_no_verdict(open_page: Any, files: dict[str, Path]) -> None:
    page = open_page()
    page.route(VERIFY, lambda route: route.fulfill(status=202, json={}))
    choose(page, files["plain"])
    expect(page.locator("#problem-title")).to_contain_text("no answer that can be read")
