"""One home for all, a photo made of noise, and `colophon` run in this process with its streams caught."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from api.cli.app import run


@dataclass(frozen=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Colophon = Callable[..., Ran]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has its keys already."""
    folder = tmp_path_factory.mktemp("home")
    assert run(["keys", "init", "--dev", "--home", str(folder)]) == 0
    return folder


@pytest.fixture
def colophon(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Colophon:
    """Run a command line in the shared home."""
    monkeypatch.setenv("COLOPHON_HOME", str(home))

    def call(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        caught = capfd.readouterr()
        return Ran(code, caught.out, caught.err)

    return call


def picture(seed: int, width: int = 640, height: int = 480) -> Image.Image:
    """Something with the spectrum of a photo: smooth shapes, fine grain, colour."""
    noise = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3), np.float32)
    for cell, weight in ((160, 60), (40, 30), (10, 16), (3, 8)):
        coarse = noise.normal(0, 1, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        scaled = [Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(3)]
        layers += weight * np.stack([np.asarray(channel) for channel in scaled], axis=-1)
    image = Image.fromarray(np.clip(layers + 128, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.SMOOTH)


def jpeg(image: Image.Image, quality: int = 92) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned photo; tests must not write to it."""
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    path.write_bytes(jpeg(picture(1)))
    return path


@pytest.fixture(scope="session")
def stranger(photo: Path) -> Path:
    """Another photo, which nobody signs; tests must not write to it."""
    path = photo.with_name("stranger.jpg")
    path.write_bytes(jpeg(picture(2)))
    return path


@pytest.fixture(scope="session")
def signed(home: Path, photo: Path) -> Path:
    """The photo, signed in the shared home; tests must not write to it."""
    path = photo.with_name("signed.jpg")
    if not path.exists():
        assert run(["sign", str(photo), "-o", str(path), "--home", str(home)]) == 0
    return path
