"""Synthetic scenes that need no corpus, and what handling does to pictures."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rgb = NDArray[np.uint8]


def scene(seed: int, size: tuple[int, int] = (640, 480)) -> Rgb:
    """A picture with sky, blobs, lines and fine texture, (width, height) = size."""
    rng = np.random.default_rng(seed)
    w, h = size
    ramp = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(rng.uniform(90, 200, 3) * (1 - ramp) + rng.uniform(40, 160, 3) * ramp, (h, w, 3)).copy()
    for _ in range(60):
        at = (int(rng.integers(0, w)), int(rng.integers(h // 4, h)))
        axes = (int(rng.integers(8, 70)), int(rng.integers(8, 70)))
        colour = tuple(float(v) for v in rng.uniform(10, 245, 3))
        cv2.ellipse(picture, at, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (h, w)).astype(np.float32), (0, 0), 1.2)
    ground = np.clip((ramp[..., 0] - 0.3) * 3, 0, 1)
    return np.clip(picture + (grain / grain.std() * 14 * ground)[..., None], 0, 255).astype(np.uint8)


def encoded(picture: Rgb, kind: str, quality: int) -> Rgb:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def resized(picture: Rgb, factor: float) -> Rgb:
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def turned(picture: Rgb, degrees: float) -> Rgb:
    """Turned clockwise on screen, grown so that nothing is lost, black corners."""
    return np.asarray(Image.fromarray(picture).rotate(-degrees, Image.Resampling.BICUBIC, expand=True))


def captioned(picture: Rgb, words: str) -> Rgb:
    """White words with a black outline across the middle."""
    out = Image.fromarray(picture)
    ImageDraw.Draw(out).text(
        (30, out.height // 2),
        words,
        fill=(255, 255, 255),
        font=ImageFont.load_default(out.width // 12),
        stroke_width=4,
        stroke_fill=(0, 0, 0),
    )
    return np.asarray(out)
