"""The second engine really embeds and reads, without torch; generators' marks are read, and not seen where there are none."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from watermark import imwatermark, media
from watermark.errors import CarrierTooSmallError, UnsupportedError

installed = pytest.mark.skipif(importlib.util.find_spec("imwatermark") is None, reason="needs the extra sdmark")
DEMO = Path(__file__).parents[2] / "api" / "demo" / "media"
SVD = imwatermark.METHODS["imwatermark.dwtDctSvd"]
DCT = imwatermark.METHODS["imwatermark.dwtDct"]
KEY = bytes(32)


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return media.load_rgb8(DEMO / "astronaut.png")


def bits(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 2, count, np.uint8)


def as_generator_writes(rgb: NDArray[np.uint8], name: str, *, order: str) -> NDArray[np.uint8]:
    """Embed a payload the way the generator's own code does: uint8 for Stable Diffusion 1 and 2, float for the others."""
    library = imwatermark._library()
    encoder = library.WatermarkEncoder()
    encoder.set_watermark("bits", list(imwatermark._PAYLOADS[name]))
    pixels = np.ascontiguousarray(rgb[..., ::-1] if order == "BGR" else rgb)
    whole = name.startswith("Stable Diffusion") and not name.endswith("XL")
    marked = encoder.encode(pixels if whole else pixels.astype(np.float32), "dwtDct")
    marked = np.clip(np.rint(marked), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(marked[..., ::-1] if order == "BGR" else marked)


@installed
def test_torch_is_never_loaded() -> None:
    script = """
import sys, numpy as np
from watermark import imwatermark
rgb = np.random.default_rng(0).integers(60, 190, (320, 320, 3), np.uint8)
bits = np.random.default_rng(1).integers(0, 2, 32, np.uint8)
for alg in ("imwatermark.dwtDct", "imwatermark.dwtDctSvd"):
    method = imwatermark.METHODS[alg]
    assert (method.detect(method.embed(rgb, bits), 32) == bits).mean() > 0.9, alg
assert "imwatermark.watermark" in sys.modules and "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2], timeout=240)


@installed
@pytest.mark.parametrize("method", [DCT, SVD], ids=lambda m: m.name)
def test_bits_come_back(method: imwatermark.Method, photo: NDArray[np.uint8]) -> None:
    marked = method.embed(photo, bits(48))
    assert marked.shape == photo.shape
    assert marked.dtype == np.uint8
    assert not np.array_equal(marked, photo)
    assert np.array_equal(method.detect(marked, 48), bits(48))


@installed
def test_the_singular_values_survive_jpeg(photo: NDArray[np.uint8]) -> None:
    out = io.BytesIO()
    Image.fromarray(SVD.embed(photo, bits(32))).save(out, "JPEG", quality=75)
    assert np.array_equal(SVD.detect(np.asarray(Image.open(out)), 32), bits(32))


@installed
def test_ids_come_back_under_their_key_only(photo: NDArray[np.uint8]) -> None:
    engines: list[imwatermark.IdEngine] = []
    imwatermark.plug_in(engines.append)
    assert [engine.alg for engine in engines] == ["imwatermark.dwtDct", "imwatermark.dwtDctSvd"]
    engine = engines[1]
    marked = engine.embed(photo, 0xFEDCBA9876543210, key=KEY)
    found = engine.detect(marked, keys=[b"x" * 32, KEY])
    assert (found.mark_id, found.key_index, found.alg) == (0xFEDCBA9876543210, 1, "imwatermark.dwtDctSvd")
    assert found.p_false == 2 * 2.0**-32
    assert not engine.detect(marked, keys=[b"x" * 32]).found
    assert not engine.detect(photo, keys=[KEY]).found
    assert not engine.detect(photo[:60, :60], keys=[KEY]).found
    with pytest.raises(ValueError, match="64 bits"):
        engine.embed(photo, 1 << 64, key=KEY)


@installed
def test_what_does_not_fit_is_refused(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(CarrierTooSmallError):
        SVD.embed(photo[:255, :256], bits(32))
    for wrong in (photo[..., 0], photo.astype(np.uint16), photo[..., [0, 1, 2, 0]]):
        with pytest.raises(UnsupportedError):
            SVD.detect(wrong, 32)
    with pytest.raises(UnsupportedError, match="rivaGan with 48 bits"):
        imwatermark.METHODS["imwatermark.rivaGan"].embed(photo, bits(48))
    with pytest.raises(UnsupportedError):
        SVD.detect(photo, 0)


@installed
def test_rivagan_works_or_says_what_it_lacks(photo: NDArray[np.uint8]) -> None:
    riva = imwatermark.METHODS["imwatermark.rivaGan"]
    if importlib.util.find_spec("onnxruntime") is None:
        with pytest.raises(UnsupportedError, match="onnxruntime"):
            riva.embed(photo, bits(32))
    else:
        assert (riva.detect(riva.embed(photo, bits(32)), 32) == bits(32)).mean() > 0.9


def test_a_missing_extra_is_named(photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    imwatermark._library.cache_clear()
    monkeypatch.setattr(imwatermark.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UnsupportedError, match=r"colophon\[sdmark\]"):
        SVD.embed(photo, bits(32))
    assert imwatermark.generator_mark(photo) is None, "needs no extra"


@installed
@pytest.mark.parametrize("order", ["BGR", "RGB"])
@pytest.mark.parametrize("name", sorted(imwatermark._PAYLOADS))
def test_generators_marks_are_read(name: str, order: str, photo: NDArray[np.uint8]) -> None:
    read = imwatermark.generator_mark(as_generator_writes(photo, name, order=order))
    assert read is not None
    assert (read.name, read.bits) == (name, len(imwatermark._PAYLOADS[name]))
    assert read.matched >= read.bits - 3
    assert read.p_value < 1e-6
    assert read.path.endswith(order)


@pytest.mark.slow
def test_photos_carry_no_generators_mark(corpus: Path) -> None:
    for path in sorted((corpus / "photos").glob("*.*")):
        assert imwatermark.generator_mark(media.load_rgb8(path)) is None, path.name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["flat", "noise", "stripes", "columns of 8", "ramp"]))
def test_plain_patterns_carry_none_either(seed: int, kind: str) -> None:
    rng, y, x = np.random.default_rng(seed), *np.mgrid[0:264, 0:400]
    plane = {
        "flat": np.zeros_like(x),
        "noise": rng.integers(0, 256, x.shape),
        "stripes": x * int(rng.integers(1, 99)) % 256,
        "columns of 8": rng.integers(0, 256, 60)[x // 8],
        "ramp": (x + y) // 3,
    }[kind]
    rgb = (plane[..., None] + rng.integers(0, 256, 3)).astype(np.uint8)
    assert imwatermark.generator_mark(rgb) is None


def test_small_pictures_are_not_looked_at(photo: NDArray[np.uint8]) -> None:
    assert imwatermark.generator_mark(photo[:255]) is None


@installed
def test_our_votes_are_the_librarys(photo: NDArray[np.uint8]) -> None:
    decoder = imwatermark._library().WatermarkDecoder("bits", 48)
    bgr = np.ascontiguousarray(as_generator_writes(photo, "Stable Diffusion XL", order="BGR")[..., ::-1]).astype(np.float32)
    ours = imwatermark.folded(imwatermark.block_votes(bgr), 48)
    assert np.array_equal(ours, decoder.decode(bgr, "dwtDct"))


@given(st.integers(0, 2**48 - 1))
def test_chance_is_a_probability_and_least_for_the_payload_itself(value: int) -> None:
    payload = imwatermark._PAYLOADS["Stable Diffusion XL"]
    read = np.unpackbits(np.frombuffer(value.to_bytes(6), np.uint8))
    assert imwatermark.chance(payload, payload) <= imwatermark.chance(read, payload) <= 1


def test_chance_has_the_known_values() -> None:
    payload = imwatermark._PAYLOADS["Stable Diffusion 2"]
    assert imwatermark.chance(payload, payload) == pytest.approx(1 / 347_373_600)  # the ways to place 13 ones
    assert imwatermark.chance(np.zeros(32, np.uint8), payload) == 1.0
