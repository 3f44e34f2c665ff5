"""The published vector: what a second implementation of the layout must reproduce. README.md quotes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from watermark import code, payload
from watermark.lattice import HALF, Lattice, lattice
from watermark.pattern import synthesise

VECTOR = json.loads(Path(__file__).with_name("image_mark_vector.json").read_text())
README = Path(__file__).resolve().parents[2] / "watermark" / "README.md"


@pytest.fixture(scope="module")
def layout() -> Lattice:
    return lattice(bytes.fromhex(VECTOR["key"]))


def test_payload_and_code_word() -> None:
    bits = payload.pack(int(VECTOR["mark_id"], 16))
    assert np.packbits(bits).tobytes().hex() == VECTOR["payload"]
    assert np.packbits(code.encode(bits)).tobytes().hex() == VECTOR["code_word"]


def test_public_key() -> None:
    assert payload.PUBLIC_KEY.hex() == VECTOR["public_key"]


def test_lines(layout: Lattice) -> None:
    assert layout.pilots[:4].tolist() == VECTOR["pilots"]
    assert layout.carriers[:4].tolist() == VECTOR["carriers_first_half"]
    assert layout.carriers[HALF : HALF + 4].tolist() == VECTOR["carriers_second_half"]
    turns = np.angle(layout.pilot_phase[:4]) / (2 * np.pi) % 1
    assert turns == pytest.approx(VECTOR["pilot_phase_turns"], abs=2e-6)


def test_keyed_bits(layout: Lattice) -> None:
    quarter_turns = np.round(np.angle(layout.tile_phase[0, 0, :8]) / (np.pi / 2)).astype(int) % 4
    assert quarter_turns.tolist() == VECTOR["tile_phases"]
    assert layout.order[:8].tolist() == VECTOR["order"]
    assert layout.signs[:8].tolist() == VECTOR["signs"]
    assert list(layout.origin(int(VECTOR["mark_id"], 16))) == VECTOR["origin"]


def test_pattern(layout: Lattice) -> None:
    mark_id = int(VECTOR["mark_id"], 16)
    symbols = layout.symbols(code.encode(payload.pack(mark_id)))
    pilots, carriers = synthesise(layout, symbols, layout.origin(mark_id), 2, 2)
    for place, value in VECTOR["pattern"].items():
        x, y = map(int, place.split(","))
        assert float((pilots + carriers)[y, x]) == pytest.approx(value, abs=2e-4)


def test_the_readme_quotes_it() -> None:
    text = README.read_text()
    for name in ("key", "mark_id", "payload", "public_key"):
        assert VECTOR[name] in text
    assert VECTOR["code_word"][:32] in text
