"""The verify page in Chromium: what a person sees, hears and can reach, for files with every kind of answer."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FileChooser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from api import examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]

VERIFY = "**/api/v1/verify*"
FORBIDDEN = re.compile(r"\b(authentic|real|fake|genuine)\b|[✓✔✅☑🟢]", re.IGNORECASE)
Files = dict[str, Path]


def choose(page: Page, path: Path) -> None:
    page.set_input_files("#file", path)


def answered(page: Page, body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
    """Let the next question get an answer of our own making: for what the real service cannot be made to say at will."""
    kind = "application/json" if status == 200 else "application/problem+json"
    page.route(VERIFY, lambda route: route.fulfill(status=status, body=json.dumps(body), content_type=kind, headers=headers))


def opened_by_key(page: Page) -> FileChooser:
    """Press Enter until the browser tells us of its dialogue: headless, it sometimes forgets to."""
    for _ in range(8):
        with contextlib.suppress(PlaywrightTimeout):
            with page.expect_file_chooser(timeout=4_000) as chooser:
                page.keyboard.press("Enter")
            return chooser.value
    pytest.fail("no file dialogue")


def lights(page: Page) -> dict[str, str]:
    return {
        (item.locator(".light-name").text_content() or "").rstrip(": "): item.locator(".light-word").text_content() or ""
        for item in page.locator("#lights .light").all()
    }


# ——— real answers ———


def test_a_stripped_copy(open_page: Any, files: Files, shoot: Any) -> None:
    page = open_page()
    shoot(page, "first")
    choose(page, files["stripped"])
    expect(page.locator("#word")).to_have_text("recovered")
    expect(page.locator("#summary")).to_contain_text("lost its credential")
    expect(page.locator("#summary")).to_be_focused()
    expect(page.locator("#announce")).to_contain_text("recovered")
    assert lights(page) == {"Signature": "Holds, recovered", "Signer": "Development certificate", "Mark": "Found"}
    assert page.locator("#plates figure").count() >= 2
    for picture in page.locator("#plates img").all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
        assert picture.get_attribute("alt")
    expect(page.locator("#signed-facts .development")).to_be_visible()
    expect(page.locator("#steps .development")).to_be_visible()
    expect(page.locator("#colophon")).to_contain_text("c2pa-python")
    shoot(page, "recovered")


def test_a_signed_file(open_page: Any, files: Files, shoot: Any) -> None:
    page = open_page()
    choose(page, files["signed"])
    expect(page.locator("#word")).to_have_text(re.compile("trusted|valid"))
    assert lights(page) == {"Signature": "Holds", "Signer": "Development certificate", "Mark": "Found"}
    assert page.locator("#plates figure").count() == 1
    expect(page.locator("#history li")).to_have_count(1)
    shoot(page, "signed")


def test_an_altered_copy(open_page: Any, files: Files, shoot: Any) -> None:
    page = open_page()
    choose(page, files["pasted"])
    expect(page.locator("#word")).to_have_text("altered")
    expect(page.locator("#plates figure")).to_have_count(3)
    expect(page.locator("#plates figcaption").last).to_contain_text("differ")
    shoot(page, "altered")


def test_a_file_of_which_nothing_is_known(open_page: Any, files: Files, shoot: Any) -> None:
    page = open_page()
    choose(page, files["plain"])
    expect(page.locator("#word")).to_have_text("none")
    expect(page.locator("#meaning")).to_contain_text("neither a good nor a bad sign")
    assert lights(page) == {"Signature": "None", "Signer": "None", "Mark": "None found"}
    assert page.locator("#lights .fails, #lights .caution").count() == 0
    expect(page.locator("#signed")).to_be_hidden()
    expect(page.locator("#history")).to_be_hidden()
    shoot(page, "none")


# ——— ways in ———


def test_a_file_is_dropped(open_page: Any) -> None:
    page = open_page()
    answered(page, examples.VERDICTS["none"]["value"])
    give = """([type, target]) => {
        const carried = new DataTransfer();
        carried.items.add(new File(["x"], "dropped.jpg", { type: "image/jpeg" }));
        const event = new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true });
        document.querySelector(target).dispatchEvent(event);
    }"""
    page.evaluate(give, ["dragover", "body"])
    expect(page.locator(".drop-over")).to_be_visible()
    page.evaluate(give, ["drop", "body"])
    expect(page.locator("#file-line")).to_contain_text("dropped.jpg")
    expect(page.locator(".drop-over")).to_be_hidden()


def test_a_picture_is_pasted(open_page: Any) -> None:
    page = open_page()
    answered(page, examples.VERDICTS["none"]["value"])
    page.evaluate("""() => {
        const carried = new DataTransfer();
        carried.items.add(new File(["x"], "pasted.png", { type: "image/png" }));
        document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried, bubbles: true }));
    }""")
    expect(page.locator("#file-line")).to_contain_text("pasted.png")


def test_pasted_text_is_left_alone(open_page: Any) -> None:
    page = open_page()
    page.evaluate("() => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: new DataTransfer() }))")
    expect(page.locator("#legend")).to_be_visible()


def test_everything_is_reached_by_keyboard(open_page: Any, files: Files) -> None:
    page = open_page()
    answered(page, examples.VERDICTS["recovered"]["value"])
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.locator("#file")).to_be_focused()
    assert page.locator(".choose").evaluate("label => getComputedStyle(label).outlineStyle") == "solid"
    opened_by_key(page).set_files(files["plain"])
    expect(page.locator("#summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".raw summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#raw")).to_be_visible()
    assert json.loads(page.locator("#raw").text_content() or "")["status"] == "recovered"


# ——— what can go wrong ———


@pytest.mark.parametrize(("name", "title"), [("huge", "This file is too large"), ("empty", "This file is empty")])
def test_what_need_not_be_sent_is_not(open_page: Any, files: Files, name: str, title: str) -> None:
    page = open_page()
    page.route(VERIFY, lambda route: pytest.fail("it was sent"))
    choose(page, files[name])
    expect(page.locator("#problem-title")).to_have_text(title)
    expect(page.locator("#again")).to_be_hidden()
    expect(page.locator("#problem")).to_have_attribute("role", "alert")


def test_a_busy_service_can_be_asked_again(open_page: Any, files: Files) -> None:
    page = open_page(expect_complaints=True)
    problem = {"title": "Too much work at once", "detail": "16 others are waiting already", "request_id": "0123abcd"}
    answered(page, problem, status=503, headers={"Retry-After": "5"})
    choose(page, files["plain"])
    expect(page.locator("#problem-title")).to_have_text("Too much work at once")
    expect(page.locator("#problem-say")).to_have_text("16 others are waiting already. Try again in 5 seconds.")
    expect(page.locator("#problem-id")).to_have_text("Request 0123abcd")
    page.unroute(VERIFY)
    answered(page, examples.VERDICTS["none"]["value"])
    page.locator("#again").click()
    expect(page.locator("#word")).to_have_text("none")
    expect(page.locator("#problem")).to_be_hidden()


def test_a_service_that_is_gone(open_page: Any, files: Files, shoot: Any) -> None:
    page = open_page(expect_complaints=True)
    page.route(VERIFY, lambda route: route.abort())
    choose(page, files["plain"])
    expect(page.locator("#problem-title")).to_have_text("The service can’t be reached")
    expect(page.locator("#again")).to_be_visible()
    shoot(page, "gone")


@pytest.mark.parametrize(("status", "body"), [(200, "not json"), (500, "<html>"), (413, ""), (200, "")])
def test_an_answer_that_cannot_be_read(open_page: Any, files: Files, status: int, body: str) -> None:
    page = open_page(expect_complaints=True)
    page.route(VERIFY, lambda route: route.fulfill(status=status, body=body, content_type="application/json"))
    choose(page, files["plain"])
    expect(page.locator("#problem-title")).to_contain_text("no answer that can be read")


def test_waiting_is_shown_and_can_be_cancelled(open_page: Any, files: Files, shoot: Any) -> None:
    page = open_page()
    page.route(VERIFY, lambda route: None)  # never answered
    choose(page, files["plain"])
    expect(page.locator("#working-bar")).to_be_visible()
    expect(page.locator("#main")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#announce")).to_contain_text("Looking at plain.png")
    shoot(page, "working")
    page.locator("#cancel").click()
    expect(page.locator("#working")).to_be_hidden()
    expect(page.locator("#announce")).to_have_text("Cancelled.")
    expect(page.locator("#file")).to_be_focused()


def test_a_second_file_takes_the_place_of_the_first(open_page: Any, files: Files) -> None:
    page = open_page()
    asked: list[Any] = []

    def answer(route: Any) -> None:
        asked.append(route)
        if len(asked) == 2:
            route.fulfill(json=examples.VERDICTS["none"]["value"])

    page.route(VERIFY, answer)
    choose(page, files["plain"])
    expect(page.locator("#working-say")).to_contain_text("plain.png")
    choose(page, files["stripped"])
    expect(page.locator("#file-line")).to_contain_text("stripped.jpg")


# ——— what a file or a certificate says is only ever text ———


def test_names_are_never_markup(open_page: Any, files: Files) -> None:
    page = open_page()
    hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>\u202egpj'
    body = json.loads(json.dumps(examples.VERDICTS["trusted"]["value"]))
    body["summary"] = body["credential"]["signer"]["name"] = body["history"][0]["signer"] = hostile
    body["credential"]["trust_list"] = body["reasons"][0]["say"] = body["asset"]["media_type"] = hostile
    body["history"][0] |= {"action": hostile, "trust": hostile, "faults": [hostile]}
    body["not_checked"] = [hostile]
    body["pictures"] = {"copy": "javascript:alert(1)", "reference": "https://example.org/x.png", "changes": None}
    answered(page, body)
    choose(page, files["plain"])
    expect(page.locator("#summary")).to_have_text(hostile)
    assert page.locator("#verdict img, #verdict script").count() == 0
    assert page.title() == "Colophon"
    assert page.locator("#signed-facts bdi").count() == 1


def test_an_unknown_status_or_code_is_still_told(open_page: Any, files: Files) -> None:
    page = open_page()
    body = json.loads(json.dumps(examples.VERDICTS["none"]["value"]))
    body |= {"status": "pending", "not_checked": ["something.new"], "signals": ["new:thing"]}
    answered(page, body)
    choose(page, files["plain"])
    expect(page.locator("#word")).to_have_text("pending")
    expect(page.locator("#unchecked-list")).to_have_text("something.new")


# ——— how it looks ———

CONTRAST = """() => {
    const light = ([r, g, b]) => {
        const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const ground = (node) => {
        for (; node; node = node.parentElement) {
            const colour = parse(getComputedStyle(node).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const low = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
        if (!own || !node.checkVisibility() || node.closest(".visually-hidden, .sprite")) continue;
        const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) low.push(`${node.className || node.tagName}: ${ratio.toFixed(2)}`);
    }
    return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", sorted(examples.VERDICTS))
def test_text_stands_out_from_its_ground(open_page: Any, files: Files, scheme: str, case: str) -> None:
    page = open_page(color_scheme=scheme)
    answered(page, examples.VERDICTS[case]["value"])
    choose(page, files["plain"])
    expect(page.locator("#verdict")).to_be_visible()
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1920])
def test_nothing_runs_out_of_the_page(open_page: Any, files: Files, shoot: Any, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    body = json.loads(json.dumps(examples.VERDICTS["altered"]["value"]))
    body["credential"]["signer"] |= {"name": "A" * 90, "development": True}
    body["reasons"].append({"code": "x", "say": "long " + "word" * 60})
    answered(page, body)
    choose(page, files["plain"])
    expect(page.locator("#verdict")).to_be_visible()
    page.locator(".raw summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    shoot(page, f"wide-{width}")


def test_dark(open_page: Any, files: Files, shoot: Any) -> None:
    page = open_page(color_scheme="dark")
    choose(page, files["pasted"])
    expect(page.locator("#word")).to_have_text("altered")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(23, 21, 18)"
    shoot(page, "dark")


def test_nothing_moves_for_those_who_asked_for_that(open_page: Any, files: Files) -> None:
    page = open_page(reduced_motion="reduce")
    page.route(VERIFY, lambda route: None)
    choose(page, files["plain"])
    expect(page.locator("#working-bar")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("case", [*sorted(examples.VERDICTS), "idle"])
def test_words_that_are_never_said(open_page: Any, files: Files, case: str) -> None:
    page = open_page()
    if case != "idle":
        answered(page, examples.VERDICTS[case]["value"])
        choose(page, files["plain"])
        expect(page.locator("#verdict")).to_be_visible()
    assert FORBIDDEN.findall(page.locator("body").inner_text()) == []


def test_every_light_says_in_words_what_it_shows(open_page: Any, files: Files) -> None:
    page = open_page(forced_colors="active")
    answered(page, examples.VERDICTS["recovered"]["value"])
    choose(page, files["plain"])
    expect(page.locator("#lights .light")).to_have_count(3)
    for item in page.locator("#lights .light").all():
        assert item.locator(".light-word").inner_text().strip()
        assert item.locator("svg").get_attribute("aria-hidden") == "true"


def test_the_page_for_programs(open_page: Any, shoot: Any) -> None:
    page = open_page("/api/docs")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    described = page.evaluate("fetch('/api/openapi.json').then(answer => answer.json())")
    assert page.locator(".route").count() == sum(len(methods) for methods in described["paths"].values())
    assert FORBIDDEN.findall(page.locator("body").inner_text()) == []
    shoot(page, "docs")
