"""`sign --mark imwatermark.…`: the second engine where it is asked for, and one clear line where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Colophon = Callable[..., Any]


def test_signs_with_the_second_engine(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    Image.open(photo).save(source)
    ran = colophon("sign", source, "-o", tmp_path / "signed.png", "--mark", "imwatermark.dwtDctSvd", "--json")
    assert ran.code == 0
    assert ran.document["results"][0]["signed"]["binding"]["alg"] == "imwatermark.dwtDctSvd"


@pytest.mark.parametrize("mark", ["imwatermark.rivaGan", "imwatermark.none", "org.example.mark"])
def test_what_is_no_engine_of_ids_is_said_so(colophon: Colophon, photo: Path, tmp_path: Path, mark: str) -> None:
    ran = colophon("sign", photo, "-o", tmp_path / "signed.jpg", "--mark", mark)
    assert ran.code == 1
    assert mark in ran.err
    assert not (tmp_path / "signed.jpg").exists()
