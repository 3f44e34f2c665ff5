"""What tests of the pages do with a browser, over and over."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route

from api import examples

VERIFY, STATUS = "**/api/v1/verify*", "**/api/v1/feed/status*"
SHOWN = ("trusted", "valid", "recovered", "altered", "conflict", "revoked", "invalid")
ITEM = {
    "label": "Content Credentials", "summary": "…", "signer": {"name": "Example <b>News</b>", "development": False},
    "signed_at": "2026-11-20T16:04:11Z", "asset_id": "one", "signals": ["inception:partlyGenAICreation"],
}  # fmt: skip
_RULES = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
_DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


def choose(page: Page, path: Path) -> None:
    page.set_input_files("#file", path)


def answered(page: Page, body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
    """Let the next question get an answer of our own making: for what the real service cannot be made to say at will."""
    kind = "application/json" if status < 300 else "application/problem+json"
    page.route(VERIFY, lambda route: route.fulfill(status=status, body=json.dumps(body), content_type=kind, headers=headers))
    page.route("**/api/v1/assets/*", lambda route: route.fulfill(json=examples.ASSET))
    page.route("**/api/v1/assets/*/lineage", lambda route: route.fulfill(json=examples.LINEAGE))
    page.route("**/api/v1/assets/*/reference", lambda route: route.fulfill(body=_DOT, content_type="image/png"))


def badge(one: str) -> str:
    return f'<p><colophon-badge asset="{one}"></colophon-badge></p>'


def page_of(
    open_page: Any, badges: str, *, lang: str = "en", direction: str = "ltr", more: Any = None, **options: Any
) -> tuple[Page, list[str]]:
    """A page of somebody else with badges on it; statuses are ours: the id is the status. Returns the requests too."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        ids = route.request.url.split("ids=")[1].split(",")
        items = [
            {"id": one, "status": one.split("-")[0], **(ITEM | (more or {}) if one.split("-")[0] in SHOWN else {})} for one in ids
        ]
        route.fulfill(body=json.dumps({"items": items}), content_type="application/json")

    page: Page = open_page("/healthz", **options)
    page.route(STATUS, answer)
    head = f'<!doctype html><html lang="{lang}" dir="{direction}"><meta charset="utf-8"><title>Sample</title>'
    body = f'{head}<script type="module" src="/badge.js"></script><body>{badges}'
    page.route("**/sample", lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"))
    page.goto(page.url.replace("/healthz", "/sample"))
    return page, asked


def serious(page: Page) -> list[str]:
    """What axe finds in light and in dark, beyond trifles: rule, impact, where."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [(scheme, one) for one in Axe().run(page, options=_RULES).response["violations"]]
    return [
        f"{one['id']} ({one['impact']}, {scheme}): {[node['target'] for node in one['nodes']]}"
        for scheme, one in found
        if one["impact"] in {"serious", "critical"}
    ]
