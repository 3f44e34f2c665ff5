"""An opened home and signed photos: the real parts, on bundled media."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from api.settings import Settings
from api.wiring import House, open_house
from provenance.capture import SignRequest, sign
from provenance.finishing import Signed

MEDIA = Path(__file__).resolve().parents[2] / "api" / "demo" / "media"


@pytest.fixture(scope="session")
def at() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(Settings(home=tmp_path_factory.mktemp("home"), trust_interim=False)) as opened:
        yield opened


@pytest.fixture(scope="session")
def photo() -> Path:
    return MEDIA / "larch.jpg"


@pytest.fixture(scope="session")
def other() -> Path:
    return MEDIA / "astronaut.png"


@pytest.fixture(scope="session")
def signed(house: House, photo: Path, tmp_path_factory: pytest.TempPathFactory, at: datetime) -> Signed:
    out = tmp_path_factory.mktemp("signed") / "larch.jpg"
    return sign(SignRequest(photo, out), house.studio(), at=at)


@pytest.fixture(scope="session")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo that no test registers."""
    path = tmp_path_factory.mktemp("unseen") / "unseen.jpg"
    with Image.open(MEDIA / "ice_cream.jpg") as image:
        image.resize((800, 800)).save(path, quality=90)
    return path
