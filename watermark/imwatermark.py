"""invisible-watermark (Zhang 2021, github.com/ShieldMnt/invisible-watermark 0.2.0): a second engine, and generators' marks.

Two independent parts:

- `METHODS`, the library's three methods as values that embed and detect bits, and `plug_in`, which offers two of them as
  engines of mark ids. They need the extra `sdmark`. The library imports torch at import time, though only to cast
  arrays around ONNX; a numpy module of the same class takes that module's place first, so torch is never loaded.
- `generator_mark`, which reads the fixed payloads that image generators leave with method dwtDct. It needs no extra: the
  detector is one pass over 8 × 8 blocks, written here in numpy (the library's loop takes a second per megapixel).

Payloads, all public and unkeyed, so that anybody can write them too:

- Stable Diffusion 1: the bytes "StableDiffusionV1"; CompVis/stable-diffusion, scripts/txt2img.py and
  scripts/tests/test_watermark.py (136 bits, uint8 BGR).
- Stable Diffusion 2: the bytes "SDV2"; Stability-AI/stablediffusion, scripts/txt2img.py (32 bits, uint8 BGR).
- Stable Diffusion XL: 48 bits; huggingface/diffusers, pipelines/stable_diffusion_xl/watermark.py, taken there from
  Stability-AI/generative-models (float, read as BGR although older versions pass RGB).
- FLUX: 46 bits, as `bin` drops two leading zeros; black-forest-labs/flux, src/flux/util.py (float BGR).
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import importlib
import importlib.util
import math
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.detection import Detection
from watermark.errors import CarrierTooSmallError, UnsupportedError

Rgb8 = NDArray[np.uint8]
Bits = NDArray[np.uint8]

SMALLEST_AREA = 256 * 256
"""Pixels under which the library refuses a picture."""


@dataclass(frozen=True, slots=True)
class Method:
    """One of the library's methods, over bits.

    Attributes:
        alg: Name of the method as an algorithm.
        name: What the library calls it.
        bits: The one number of bits it carries, or None for any number.
    """

    alg: str
    name: str
    bits: int | None = None

    def embed(self, rgb: Rgb8, bits: Bits) -> Rgb8:
        """Return a copy of a picture that carries bits.

        Args:
            rgb: Shape (H, W, 3), uint8, at least 65,536 pixels.
            bits: Shape (N,), each 0 or 1; repeated over the picture.
        Raises:
            CarrierTooSmallError: fewer pixels.
            UnsupportedError: the extra is not installed, or the method does not carry that many bits.
        """
        encoder = self._library(rgb, len(bits)).WatermarkEncoder()
        encoder.set_watermark("bits", [int(bit) for bit in bits])
        marked: Rgb8 = encoder.encode(np.ascontiguousarray(rgb[..., ::-1]), self.name)
        return np.ascontiguousarray(marked[..., ::-1])

    def detect(self, rgb: Rgb8, length: int) -> Bits:
        """Return the bits read from a picture, whether or not any were embedded: the method has no check of its own.

        Raises:
            CarrierTooSmallError, UnsupportedError: as `embed`.
        """
        decoder = self._library(rgb, length).WatermarkDecoder("bits", length)
        return np.asarray(decoder.decode(np.ascontiguousarray(rgb[..., ::-1]), self.name)).astype(np.uint8)

    def _library(self, rgb: Rgb8, length: int) -> Any:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise UnsupportedError("", f"{self.alg} on {rgb.dtype} of shape {rgb.shape}")
        if rgb.shape[0] * rgb.shape[1] < SMALLEST_AREA:
            raise CarrierTooSmallError(rgb.shape[0] * rgb.shape[1], SMALLEST_AREA, "pixels")
        if length < 1 or (self.bits is not None and length != self.bits):
            raise UnsupportedError("", f"{self.alg} with {length} bits")
        library = _library()
        if self.name == "rivaGan":
            library.WatermarkEncoder.loadModel()
        return library


METHODS: dict[str, Method] = {
    method.alg: method
    for method in (
        Method("imwatermark.dwtDct", "dwtDct"),
        Method("imwatermark.dwtDctSvd", "dwtDctSvd"),
        Method("imwatermark.rivaGan", "rivaGan", 32),
    )
}


@dataclass(frozen=True, slots=True)
class IdEngine:
    """A method as an engine of mark ids: 64 id bits and 32 check bits, whitened with the key.

    rivaGan is none: its 32 bits hold neither an id nor a check.
    """

    method: Method
    medium: str = "image"

    @property
    def alg(self) -> str:
        return self.method.alg

    @property
    def embed(self) -> Callable[..., Rgb8]:
        return self._embed

    @property
    def detect(self) -> Callable[..., Detection]:
        return self._detect

    def _embed(self, pixels: Rgb8, mark_id: int, *, key: bytes, strength: float | None = None) -> Rgb8:
        if strength is not None:
            raise UnsupportedError("", f"{self.alg} with a strength of one's own")
        return self.method.embed(pixels, _id_bits(mark_id) ^ _whitening(key))

    def _detect(self, pixels: Rgb8, *, keys: Sequence[bytes]) -> Detection:
        try:
            bits = self.method.detect(pixels, 96)
        except CarrierTooSmallError:
            keys = ()
        for index, key in enumerate(keys):
            body, check = np.split(np.packbits(bits ^ _whitening(key)), [8])
            if check.tobytes() == _check(body.tobytes()):
                return Detection(self.alg, int.from_bytes(body.tobytes()), len(keys) * 2.0**-32, 0, index, None)
        return Detection(self.alg, None, 1.0, None, None, None)


def plug_in(register: Callable[[Any], None]) -> None:
    """Offer the methods that can carry a mark id, as with `plug_in(engines.register)`."""
    for method in METHODS.values():
        if method.bits is None:
            register(IdEngine(method))


@dataclass(frozen=True, slots=True)
class GeneratorMark:
    """A payload that a generator's own code writes was read. Anybody can write it: a hint, never proof.

    Attributes:
        name: Which generator's.
        matched: Bits that agree.
        bits: Bits of the payload.
        p_value: Bound on the chance of such agreement without the mark, over everything tried, for bits that are fair, or
            biased but in no order.
        path: How the pixels were read, such as "float RGB".
    """

    name: str
    matched: int
    bits: int
    p_value: float
    path: str


P_VALUE = 1e-6
"""Larger chances are not reported."""

_SDXL = 0b101100111110110010010000011110111011000110011110
_FLUX = 0b001010101111111010000111100111001111010100101110
_PAYLOADS: dict[str, Bits] = {
    "Stable Diffusion 1": np.unpackbits(np.frombuffer(b"StableDiffusionV1", np.uint8)),
    "Stable Diffusion 2": np.unpackbits(np.frombuffer(b"SDV2", np.uint8)),
    "Stable Diffusion XL": np.array([int(bit) for bit in f"{_SDXL:b}"], np.uint8),
    "FLUX": np.array([int(bit) for bit in f"{_FLUX:b}"], np.uint8),
}
_SCALE = 36.0
_ENOUGH = 4_000_000  # pixels that are looked at, from the top


def generator_mark(rgb: Rgb8) -> GeneratorMark | None:
    """Return the mark of an image generator, if one is read beyond reasonable chance.

    The method is weak: one resize, crop or JPEG of quality 90 usually destroys such a mark, and on some pictures it cannot be
    read from the first. Absence says nothing.

    Args:
        rgb: Picture as it came, shape (H, W, 3), uint8.
    """
    if min(rgb.shape[:2]) < 256:
        return None
    rgb = rgb[: max(8, _ENOUGH // rgb.shape[1])]  # whole rows: the votes are numbered along them
    best = min(_candidates(rgb), key=lambda mark: mark.p_value)
    return best if best.p_value <= P_VALUE else None


def _candidates(rgb: Rgb8) -> Iterator[GeneratorMark]:
    trials = len(_PAYLOADS) * 4
    for order, pixels in (("BGR", rgb[..., ::-1]), ("RGB", rgb)):
        for dtype in (np.uint8, np.float32):
            votes = block_votes(np.ascontiguousarray(pixels, dtype=dtype))
            for name, payload in _PAYLOADS.items():
                read = folded(votes, len(payload))
                p_value = min(1.0, trials * chance(read, payload))
                matched = int((read == payload).sum())
                path = f"{'float' if dtype is np.float32 else 'uint8'} {order}"
                yield GeneratorMark(name, matched, len(payload), p_value, path)


def block_votes(bgr: NDArray[Any]) -> Bits:
    """Return one vote per 8 × 8 block, row by row: method dwtDct, as `EmbedMaxDct.decode_frame` does it.

    Votes may differ from the library's where a value lies exactly on the threshold: there its rounding errors decide.

    Args:
        bgr: Shape (H, W, 3); uint8 and float32 differ in where the colour plane has its zero.
    """
    rows, columns = bgr.shape[0] // 8, bgr.shape[1] // 8
    plane = cv2.cvtColor(bgr[: rows * 8, : columns * 8], cv2.COLOR_BGR2YUV)[..., 1].astype(np.float32)
    low = np.abs(plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) / 2  # Haar, low band
    corners = [low[i::4, j::4] for i in range(4) for j in range(4)]
    largest = functools.reduce(np.maximum, corners[1:])  # all but the first of each block of 4 × 4
    votes: Bits = (largest % _SCALE > _SCALE / 2).astype(np.uint8)
    return votes.ravel()


def folded(votes: Bits, length: int) -> Bits:
    """Return the bits that the votes give: bit i has every vote whose number is i modulo the length."""
    positions = np.arange(len(votes)) % length
    shares = np.bincount(positions, votes, minlength=length) / np.maximum(np.bincount(positions, minlength=length), 1)
    return (shares * 255 > 127).astype(np.uint8)


def chance(read: Bits, payload: Bits) -> float:
    """Return the probability that bits without the payload agree with it at least as well.

    The larger of two tails: the binomial, for fair bits; the hypergeometric, for as many ones as were read, placed at random,
    since plain pictures give mostly equal bits.
    """
    n, ones, drawn = len(payload), int(payload.sum()), int(read.sum())
    matched, common = int((read == payload).sum()), int((read & payload).sum())
    binomial: float = sum(math.comb(n, k) for k in range(matched, n + 1)) / 2**n
    ways = sum(math.comb(ones, k) * math.comb(n - ones, drawn - k) for k in range(common, min(ones, drawn) + 1))
    return max(binomial, ways / math.comb(n, drawn))


def _id_bits(mark_id: int) -> Bits:
    if not 0 <= mark_id < 1 << 64:
        raise ValueError(f"a mark id has 64 bits, not {mark_id:#x}")
    body = mark_id.to_bytes(8)
    return np.unpackbits(np.frombuffer(body + _check(body), np.uint8))


def _check(body: bytes) -> bytes:
    return binascii.crc32(body).to_bytes(4)


def _whitening(key: bytes) -> Bits:
    return np.unpackbits(np.frombuffer(hashlib.shake_256(b"imwatermark" + key).digest(12), np.uint8))


@functools.cache
def _library() -> Any:
    """Import the library with our numpy stand-in where it would import torch."""
    spec = importlib.util.find_spec("imwatermark")
    if spec is None or not spec.submodule_search_locations:
        raise UnsupportedError("", "invisible-watermark is not installed: install colophon[sdmark]")
    _Riva.folder = Path(spec.submodule_search_locations[0])
    if "imwatermark.rivaGan" not in sys.modules:
        stand_in = types.ModuleType("imwatermark.rivaGan")
        stand_in.RivaWatermark = _Riva  # type: ignore[attr-defined]
        sys.modules["imwatermark.rivaGan"] = stand_in
    try:
        return importlib.import_module("imwatermark")
    except ImportError as error:
        raise UnsupportedError("", f"invisible-watermark cannot be loaded: {error}") from error


class _Riva:
    """The class that `imwatermark.rivaGan` defines, without torch: casts and bounds around two ONNX networks."""

    folder = Path()
    encoder: Any = None
    decoder: Any = None

    def __init__(self, watermarks: Sequence[int] = (), wmLen: int = 32, threshold: float = 0.52) -> None:
        self.data, self.threshold = np.array([list(watermarks)], np.float32), threshold

    @classmethod
    def loadModel(cls) -> None:
        if cls.encoder is not None:
            return
        try:
            onnx = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise UnsupportedError("", "imwatermark.rivaGan needs onnxruntime, which is not installed") from error
        cls.encoder = onnx.InferenceSession(str(cls.folder / "rivagan_encoder.onnx"))
        cls.decoder = onnx.InferenceSession(str(cls.folder / "rivagan_decoder.onnx"))

    def encode(self, frame: NDArray[Any]) -> Rgb8:
        video = self.encoder.run(None, {"frame": _as_video(frame), "data": self.data})[0]
        picture = np.clip(video, -1.0, 1.0)[0, :, 0].transpose(1, 2, 0)
        frame_out: Rgb8 = ((picture + 1.0) * 127.5).astype(np.uint8)
        return frame_out

    def decode(self, frame: NDArray[Any]) -> Bits:
        scores = self.decoder.run(None, {"frame": _as_video(frame)})[0][0]
        return np.array(scores > self.threshold, np.uint8)


def _as_video(frame: NDArray[Any]) -> NDArray[np.float32]:
    """Turn (H, W, 3) of 0–255 into (1, 3, 1, H, W) of −1 to 1."""
    scaled = frame.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None, :, None])
