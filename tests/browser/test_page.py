"""The verify page in Chromium: what a person sees, hears and can reach, for files with every kind of answer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from browsing import VERIFY, answered, choose
from playwright.sync_api import FileChooser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from api import examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FORBIDDEN = re.compile(r"\b(authentic|real|fake|genuine)\b|[✓✔✅☑🟢]", re.IGNORECASE)
Files = dict[str, Path]


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
    wipe = page.get_by_role("slider")
    expect(wipe).to_have_attribute("aria-valuetext", "50 %")
    wipe.press("ArrowRight")
    expect(wipe).to_have_attribute("aria-valuetext", "51 %")
    over = page.locator("#plates .over")
    assert over.evaluate("image => getComputedStyle(image).clipPath") == "inset(0px 0px 0px 51%)"
    assert page.locator("#plates .box").count() == 0
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
    expect(page.locator("#plates .box")).to_have_count(1)
    expect(page.locator("#plates .places li")).to_have_text(re.compile("^Other content than what is registered, "))
    assert 85 < int(page.get_by_role("slider").input_value()) < 100  # what differs is to be seen at once
    shoot(page, "altered")
    plain = page.locator("#plates img").first.get_attribute("src")
    page.get_by_label("their own shape").check()
    expect(page.locator("#plates .boxes")).to_be_hidden()
    assert page.locator("#plates img").first.get_attribute("src") != plain
    page.get_by_label("nothing").check()
    assert page.locator("#plates img").first.get_attribute("src") == plain


def test_the_frame_lies_on_what_was_pasted(open_page: Any, files: Files) -> None:
    page = open_page(reduced_motion="reduce")  # the page scrolls to its verdict: not between two measurements
    choose(page, files["pasted"])
    expect(page.locator("#plates .box")).to_have_count(1)
    stage, box = (page.locator(f"#plates .{name}").bounding_box() for name in ("stage", "box"))
    assert stage is not None
    assert box is not None
    assert abs((box["x"] - stage["x"]) / stage["width"] - 1 / 2) < 0.04
    assert abs((box["y"] - stage["y"]) / stage["height"] - 1 / 2) < 0.04
    assert abs(box["width"] / stage["width"] - 1 / 3) < 0.06


def test_the_history_leads_to_the_record_and_a_bundle(open_page: Any, files: Files, tmp_path: Path) -> None:
    page = open_page()
    choose(page, files["signed"])
    expect(page.locator("#steps .here")).to_have_text("what this file comes from")
    expect(page.locator("#steps img")).to_have_js_property("complete", True)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download the bundle").click()
    saving.value.save_as(tmp_path / "story.zip")
    assert "verdict.json" in " ".join(zipfile.ZipFile(tmp_path / "story.zip").namelist())
    expect(page.locator("#keeping [role=status]")).to_contain_text("Saved as colophon-")
    page.get_by_role("link", name="The record of this asset").click()
    page.wait_for_url("**/assets/*")
    expect(page.locator("#signed")).to_contain_text("development certificate")


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
    expect(page.get_by_role("button", name="Download the bundle")).to_be_visible()
    reached = []
    while not page.locator(".raw summary").evaluate("node => node === document.activeElement"):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent"))
        assert len(reached) < 12, reached
    assert "The record of this asset" in reached
    assert "Download the bundle" in reached
    page.keyboard.press("Enter")
    expect(page.locator("#raw")).to_be_visible()
    assert json.loads(page.locator("#raw").text_content() or "")["status"] == "recovered"


def test_what_its_mark_survives_is_a_table(open_page: Any, files: Files) -> None:
    page = open_page()
    answered(page, examples.VERDICTS["recovered"]["value"])
    asset = examples.ASSET | {"links": examples.ASSET["links"] | {"survival": "/api/v1/assets/x/survival"}}
    page.route("**/api/v1/assets/*", lambda route: route.fulfill(json=asset))
    page.route("**/api/v1/assets/*/survival", lambda route: route.fulfill(json=examples.SURVIVAL))
    choose(page, files["plain"])
    told = page.locator("#survival")
    expect(told).to_contain_text("read after 1 of 2 steps of the ladder image-2026; not after: cut to 10 % of the area.")
    told.get_by_text("Step by step").click()
    expect(told.get_by_role("row")).to_have_count(3)
    expect(told.locator(".lost")).to_contain_text("not read")


def test_a_file_is_named_by_its_digest(open_page: Any, files: Files) -> None:
    page = open_page()
    page.get_by_label("or name one").fill(hashlib.sha256(files["signed"].read_bytes()).hexdigest())
    page.keyboard.press("Enter")
    page.wait_for_url("**/assets/*")
    expect(page.locator("#signed")).to_contain_text("image/jpeg")


@pytest.mark.parametrize("name", ["0" * 64, "never", "<b>x</b>"])
def test_a_name_that_nobody_knows(open_page: Any, name: str) -> None:
    page = open_page()
    page.get_by_label("or name one").fill(name)
    page.get_by_role("button", name="Look it up").click()
    expect(page.locator("#problem-title")).to_have_text("Nothing is known under that name")
    expect(page.locator("#again")).to_be_hidden()


def test_an_address_is_sent_as_one(open_page: Any) -> None:
    page = open_page()
    answered(page, examples.VERDICTS["none"]["value"])
    page.get_by_label("or name one").fill("https://example.org/photo.jpg")
    with page.expect_request(VERIFY) as asked:
        page.keyboard.press("Enter")
    assert "https://example.org/photo.jpg" in (asked.value.post_data or "")
    expect(page.locator("#file-line")).to_contain_text("https://example.org/photo.jpg")


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
    body["pictures"] = {"copy": "javascript:alert(1)", "reference": "https://example.org/x.png", "changes": None, "laid": "x:y"}
    lineage = json.loads(json.dumps(examples.LINEAGE))
    lineage["nodes"][0] |= {"title": hostile, "signer": hostile, "actions": [hostile], "trust": hostile, "faults": [hostile]}
    answered(page, body)
    page.route("**/api/v1/assets/*/lineage", lambda route: route.fulfill(json=lineage))
    choose(page, files["plain"])
    expect(page.locator("#summary")).to_have_text(hostile)
    expect(page.locator("#steps .here")).to_be_visible()
    assert page.locator("#plates img, #verdict script").count() == 0
    assert page.title() == "Colophon"
    assert page.locator("#signed-facts bdi").count() == 1


@pytest.mark.parametrize(
    ("code", "says"), [("content.excerpt", "the content fits in part."), ("content.fits", "the content fits.")]
)
def test_a_part_is_not_told_as_the_whole(open_page: Any, files: Files, code: str, says: str) -> None:
    page = open_page()
    body = examples.VERDICTS["recovered"]["value"]
    answered(page, {**body, "reasons": [{"code": code, "say": "…"}]})
    choose(page, files["plain"])
    expect(page.locator("#meaning")).to_contain_text(says)


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


def test_a_credential_that_lies_beside_a_file_goes_along(open_page: Any, files: Files, tmp_path: Path) -> None:
    beside = tmp_path / "plain.png.c2pa"
    beside.write_bytes(b"no credential at all")
    page = open_page()
    page.set_input_files("#file", [beside, files["plain"]])
    expect(page.locator("#word")).to_have_text("invalid")
    expect(page.locator("#verdict")).to_contain_text("plain.png")
    assert lights(page)["Signature"] == "Can’t be read"


def test_what_is_looked_at_can_be_read_on_a_telephone(open_page: Any) -> None:
    page = open_page(viewport={"width": 360, "height": 740})
    for said in page.locator("#legend .light-say").all():
        box = said.bounding_box()
        assert box is not None
        assert box["width"] > 250
        assert box["height"] < 80
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
