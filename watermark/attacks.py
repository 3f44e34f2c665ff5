"""What happens to pictures: pure, seeded functions from uint8 RGB to uint8 RGB.

All take and return arrays of shape (H, W, 3), 0–255, sRGB, and leave their argument unchanged. Nothing is written to disk.
"""

from __future__ import annotations

import io
import math
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

pillow_heif.register_heif_opener()


# Codecs


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """JPEG with 4:2:0 chroma."""
    return _through(pixels, "JPEG", quality=quality, subsampling=2)


def webp(pixels: Pixels, quality: int) -> Pixels:
    return _through(pixels, "WEBP", quality=quality, method=2)


def avif(pixels: Pixels, quality: int) -> Pixels:
    return _through(pixels, "AVIF", quality=quality, speed=8, max_threads=1)


def heic(pixels: Pixels, quality: int) -> Pixels:
    return _through(pixels, "HEIF", quality=quality)


def palette(pixels: Pixels, colours: int = 256) -> Pixels:
    """Adaptive palette with dithering, as a GIF or small PNG has."""
    small = Image.fromarray(pixels).quantize(colours, dither=Image.Dither.FLOYDSTEINBERG)
    return np.asarray(small.convert("RGB"))


def _through(pixels: Pixels, kind: str, **options: Any) -> Pixels:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, **options)
    return np.asarray(Image.open(data).convert("RGB"))


# Size, cut, turn


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Lanczos, as most services scale."""
    return np.asarray(Image.fromarray(pixels).resize((max(1, width), max(1, height)), Image.Resampling.LANCZOS))


def scale(pixels: Pixels, factor: float) -> Pixels:
    height, width = pixels.shape[:2]
    return resize(pixels, round(width * factor), round(height * factor))


def stretch(pixels: Pixels, ratio: float) -> Pixels:
    """Change the aspect ratio by a factor, keeping the area."""
    height, width = pixels.shape[:2]
    return resize(pixels, round(width * math.sqrt(ratio)), round(height / math.sqrt(ratio)))


def fit_long_side(pixels: Pixels, longest: int) -> Pixels:
    """Shrink to a long side; smaller pictures stay as they are."""
    return scale(pixels, min(1.0, longest / max(pixels.shape[:2])))


def there_and_back(pixels: Pixels, factor: float) -> Pixels:
    height, width = pixels.shape[:2]
    return resize(scale(pixels, factor), width, height)


def crop(pixels: Pixels, area: float, *, seed: int) -> Pixels:
    """Keep a share of the area, same aspect ratio, anywhere."""
    height, width = pixels.shape[:2]
    return _cut(pixels, round(width * math.sqrt(area)), round(height * math.sqrt(area)), seed)


def square(pixels: Pixels) -> Pixels:
    """The middle square."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side].copy()


def _cut(pixels: Pixels, width: int, height: int, seed: int) -> Pixels:
    rng = np.random.default_rng(seed)
    top = int(rng.integers(0, pixels.shape[0] - height + 1))
    left = int(rng.integers(0, pixels.shape[1] - width + 1))
    return pixels[top : top + height, left : left + width].copy()


def mirror(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1])


def rotate(pixels: Pixels, degrees: float) -> Pixels:
    """Turn anticlockwise; the canvas grows and its corners are black. Quarter turns are exact."""
    if degrees % 90 == 0:
        return np.ascontiguousarray(np.rot90(pixels, int(degrees // 90)))
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC, expand=True))


def straighten(pixels: Pixels, degrees: float) -> Pixels:
    """Turn and keep the largest upright rectangle of the same aspect ratio that has no corner missing."""
    height, width = pixels.shape[:2]
    turned = np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC))
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    share = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    wide, tall = int(width * share), int(height * share)
    top, left = (height - tall) // 2, (width - wide) // 2
    return turned[top : top + tall, left : left + wide].copy()


def perspective(pixels: Pixels, share: float, *, seed: int) -> Pixels:
    """Move each corner inwards by up to a share of the size, at least half of it, and look through that window."""
    height, width = pixels.shape[:2]
    rng = np.random.default_rng(seed)
    inwards = rng.uniform(0.5, 1, (4, 2)) * share * (width, height)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    window = corners + inwards * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    matrix = cv2.getPerspectiveTransform(window.astype(np.float32), corners.astype(np.float32))
    return np.asarray(cv2.warpPerspective(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


# Tone and colour


def brightness(pixels: Pixels, factor: float) -> Pixels:
    return _clip(pixels.astype(np.float32) * factor)


def contrast(pixels: Pixels, factor: float) -> Pixels:
    mean = float(_luma(pixels).mean())
    return _clip((pixels.astype(np.float32) - mean) * factor + mean)


def saturation(pixels: Pixels, factor: float) -> Pixels:
    luma = _luma(pixels)[..., None]
    return _clip(luma + (pixels.astype(np.float32) - luma) * factor)


def gamma(pixels: Pixels, exponent: float) -> Pixels:
    return _clip(255 * (np.arange(256) / 255) ** exponent)[pixels]


def grey(pixels: Pixels) -> Pixels:
    return np.repeat(_clip(_luma(pixels))[..., None], 3, axis=2)


def equalise(pixels: Pixels) -> Pixels:
    """Histogram equalisation of luma."""
    planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    planes[..., 0] = cv2.equalizeHist(np.ascontiguousarray(planes[..., 0]))
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB))


def filter_look(pixels: Pixels, *, seed: int) -> Pixels:
    """A filter app: lifted S-curve, warm tint, vignette, grain."""
    height, width = pixels.shape[:2]
    level = np.arange(256) / 255
    curve = 0.06 + 0.9 * (level + 0.12 * np.sin(2 * np.pi * (level - 0.5)))
    toned = curve[pixels] * [1.05, 1.0, 0.92]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    grain = np.random.default_rng(seed).normal(0, 4 / 255, (height, width, 1))
    return _clip(255 * (toned * (1 - 0.3 * (x * x + y * y) / 2)[..., None] + grain))


# Filters and noise


def blur(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma))


def noise(pixels: Pixels, sigma: float, *, seed: int) -> Pixels:
    return _clip(pixels + np.random.default_rng(seed).normal(0, sigma, pixels.shape).astype(np.float32))


def median(pixels: Pixels, size: int = 3) -> Pixels:
    return np.asarray(cv2.medianBlur(pixels, size))


def sharpen(pixels: Pixels, amount: float = 1.0) -> Pixels:
    """Unsharp mask, σ 1."""
    image = pixels.astype(np.float32)
    return _clip(image + amount * (image - cv2.GaussianBlur(image, (0, 0), 1.0)))


# Chains that services make


def social(pixels: Pixels) -> Pixels:
    """A feed: 1080 on the long side, JPEG 75."""
    return jpeg(fit_long_side(pixels, 1080), 75)


def messaging(pixels: Pixels) -> Pixels:
    """A messenger, forwarded once: 1600 on the long side, JPEG 60, JPEG 70."""
    return jpeg(jpeg(fit_long_side(pixels, 1600), 60), 70)


def screenshot(pixels: Pixels, *, seed: int) -> Pixels:
    """Shown at 90 %, grabbed with borders cut by a few per cent, JPEG 80."""
    shown = scale(pixels, 0.9)
    cut = np.random.default_rng(seed).uniform(0.005, 0.03, 4)
    height, width = shown.shape[:2]
    top, bottom, left, right = int(cut[0] * height), int(cut[1] * height), int(cut[2] * width), int(cut[3] * width)
    return jpeg(shown[top : height - bottom, left : width - right].copy(), 80)


def caption(pixels: Pixels, area: float = 0.1, *, seed: int) -> Pixels:
    """A white bar with black letters over a share of the area."""
    out = pixels.copy()
    height, width = pixels.shape[:2]
    tall = max(1, int(height * area))
    top = int(np.random.default_rng(seed).integers(0, height - tall + 1))
    out[top : top + tall] = 255
    size = tall / 40
    cv2.putText(
        out,
        "seen today",
        (width // 10, top + int(tall * 0.75)),
        cv2.FONT_HERSHEY_SIMPLEX,
        size,
        (0, 0, 0),
        max(1, int(size * 2)),
    )
    return out


def collage(pixels: Pixels, *, seed: int) -> Pixels:
    """Pasted somewhere on a canvas of 1.5 times the size, among blocks of colour and noise."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    tall, wide = int(height * 1.5), int(width * 1.5)
    rough = rng.integers(0, 256, (6, 9, 3)).astype(np.uint8)
    canvas = cv2.resize(rough, (wide, tall), interpolation=cv2.INTER_NEAREST)
    canvas = noise(np.asarray(canvas, np.uint8), 6, seed=seed)
    top, left = int(rng.integers(0, tall - height + 1)), int(rng.integers(0, wide - width + 1))
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def three_platforms(pixels: Pixels) -> Pixels:
    """A feed, then a messenger at 80 %, then a site that makes WebP."""
    return webp(jpeg(scale(social(pixels), 0.8), 70), 75)


def screen_photo(pixels: Pixels, *, seed: int) -> Pixels:
    """A screen photographed: its pixel grid beats with the sensor's, seen at an angle, soft, noisy, JPEG 70."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    moire = 1 + 0.04 * np.sin(2 * np.pi * (0.081 * x + 0.017 * y)) * np.sin(2 * np.pi * (0.067 * y - 0.011 * x))
    seen = perspective(_clip(pixels * moire[..., None]), 0.05, seed=seed)
    return jpeg(gamma(noise(blur(seen, 0.8), 3, seed=seed), 1.1), 70)


def print_scan(pixels: Pixels, *, seed: int) -> Pixels:
    """Printed with a halftone, scanned a little askew: ink gain, paper grain, softness, JPEG 80."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dots = 10 * np.sin(2.2 * (x + y) / math.sqrt(2)) * np.sin(2.2 * (x - y) / math.sqrt(2))
    inked = blur(_clip(pixels * np.float32(0.86) + 18 + dots[..., None]), 0.9)
    paper = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 12, (height, width)).astype(np.float32), (0, 0), 1.2)
    return jpeg(straighten(_clip(inked + paper[..., None]), 0.7), 80)


def _luma(pixels: Pixels) -> NDArray[np.float32]:
    return np.asarray(pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))


def _clip(values: NDArray[Any]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
