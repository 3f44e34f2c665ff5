"""A service as anybody starts it, in a process of its own, and a real Chromium to look at it with."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode does not: browsing lies beside the tests

LIMIT_MB = 3
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("COLOPHON_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("CHROMIUM MISSING: install chromium, or name one in COLOPHON_CHROMIUM")
    expect.set_options(timeout=60_000)  # the real service works while we wait
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`colophon serve` in a fresh home; gives its address."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", "0", "--home", str(home)]
    environment = {**os.environ, "COLOPHON_UPLOAD_LIMIT_MB": str(LIMIT_MB)}
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, (home / "log").read_text()
        address = said.split()[2].rstrip("/")  # Serving on …
        for _ in range(600):
            assert process.poll() is None, (home / "log").read_text()
            try:
                httpx2.get(f"{address}/healthz").raise_for_status()
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield address
        process.terminate()
        process.wait(120)


@pytest.fixture(scope="session")
def files(service: str, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same photo signed, as a platform sends it on, and with something pasted into that copy; and one unknown."""
    folder = tmp_path_factory.mktemp("files")
    source = (corpus / "photos" / "larch.jpg").read_bytes()
    answer = httpx2.post(f"{service}/api/v1/sign", files={"file": ("larch.jpg", source)}, timeout=240)
    assert answer.status_code == 201, answer.text
    (folder / "signed.jpg").write_bytes(answer.content)
    picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
    picture.save(folder / "stripped.jpg", quality=80)
    w, h = picture.size
    picture.paste(picture.crop((0, 0, w // 3, h // 3)).transpose(Image.Transpose.ROTATE_180), (w // 2, h // 2))
    picture.save(folder / "pasted.jpg", quality=85)
    plain = Image.open(corpus / "photos" / "tulips_500.png").convert("RGB")
    plain.resize((160, 120)).save(folder / "plain.png")
    (folder / "huge.jpg").write_bytes(bytes((LIMIT_MB << 20) + 1))
    (folder / "empty.jpg").write_bytes(b"")
    return {path.stem: path for path in folder.iterdir()}


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, service: str) -> Iterator[OpenPage]:
    """Open the page (or another one) in a fresh profile; afterwards nothing may have been complained of or fetched elsewhere."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(path: str = "/", *, expect_complaints: bool = False, **options: Any) -> Page:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        if not expect_complaints:
            page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda asked: None if asked.url.startswith((service, "data:", "blob:")) else complaints.append(asked.url)
        )
        page.goto(service + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a picture of the page in $COLOPHON_SCREENSHOTS, for people to look at."""
    folder = os.environ.get("COLOPHON_SCREENSHOTS")

    def kept(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return kept
