"""What people and platforms do to pictures: honest handling, and edits that change what a picture says.

All seeded, all pure: arrays (H, W, 3) uint8 sRGB in and out. An edit also returns the mask of what it touched.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

pillow_heif.register_heif_opener()

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Step = Callable[[Rgb], Rgb]
Edit = Callable[[Rgb, np.random.Generator, float, Rgb], tuple[Rgb, Mask]]

# pictures never looked at while thresholds were chosen; the folder `photos` is what they were chosen on
HELD_OUT = (
    "c2pa/adobe-A.jpg",
    "c2pa/chatgpt-image.png",
    "c2pa/dalle.webp",
    "c2pa/dev_signed.avif",
    "c2pa/digimarc-photo.jpg",
    "c2pa/genai-actions-v2.jpg",
    "c2pa/ms-cards.webp",
    "c2pa/nikon-2022-building.jpeg",
    "c2pa/no-alg.jpg",
    "c2pa/ocsp-stapled.jpg",
    "c2pa/pixel-2026-02.jpg",
    "c2pa/remote-cloud.jpg",
    "c2pa/truepic-2023-camera.jpg",
    "c2pa/unsigned/TUSCANY.TIF",
    "c2pa/unsigned/sample1.heif",
    "c2pa/unsigned/sample1.webp",
    "video/bbb_720p_5s.mp4",
    "video/cockatoo_720p.mp4",
    "video/dog_720p.mp4",
    "video/nasa_270p_2tracks.mp4",
    "c2pa/adobe-video1.mp4",
    "c2pa/ebu-sony-cawg.mp4",
)


def photos(corpus: Path) -> tuple[str, ...]:
    return tuple(sorted(str(p.relative_to(corpus)) for p in (corpus / "photos").iterdir()))


def load(path: Path, side: int = 1600) -> Rgb:
    """A picture, or the 46th frame of a clip, upright, at most `side` px."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as clip:
            picture = next(islice(clip.decode(video=0), 45, None)).to_image()
    else:
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def marked(a: Rgb, seed: int = 0) -> Rgb:
    """A periodic pattern of ±2 levels: what an invisible mark adds."""
    tile = cv2.GaussianBlur(np.random.default_rng([9, seed]).normal(0, 1, (64, 64)).astype(np.float32), (0, 0), 0.7)
    h, w = a.shape[:2]
    pattern = np.tile(2 * tile / tile.std(), (h // 64 + 1, w // 64 + 1))[:h, :w]
    return np.clip(a + pattern[..., None] + 0.5, 0, 255).astype(np.uint8)


def registered(a: Rgb) -> Rgb:
    """The reference that registration keeps of a picture."""
    return encoded("WEBP", quality=80)(within(1024)(a))


# Single steps.


def encoded(kind: str, **options: int) -> Step:
    def step(a: Rgb) -> Rgb:
        buffer = io.BytesIO()
        Image.fromarray(a).save(buffer, kind, **options)
        return np.asarray(Image.open(buffer).convert("RGB"))

    return step


def jpeg(quality: int) -> Step:
    return encoded("JPEG", quality=quality, subsampling=2)


def to_size(a: Rgb, w: float, h: float, way: Image.Resampling = Image.Resampling.LANCZOS) -> Rgb:
    return np.asarray(Image.fromarray(a).resize((max(1, round(w)), max(1, round(h))), way))


def scaled(factor: float, way: Image.Resampling = Image.Resampling.LANCZOS) -> Step:
    return lambda a: to_size(a, a.shape[1] * factor, a.shape[0] * factor, way)


def within(side: int) -> Step:
    return lambda a: scaled(side / max(a.shape[:2]))(a) if max(a.shape[:2]) > side else a


def cropped(share: float, seed: int = 0) -> Step:
    def step(a: Rgb) -> Rgb:
        rng = np.random.default_rng([seed, *a.shape])
        h, w = (round(n * share**0.5) for n in a.shape[:2])
        y, x = rng.integers(0, a.shape[0] - h + 1), rng.integers(0, a.shape[1] - w + 1)
        return a[y : y + h, x : x + w].copy()

    return step


def rotated(degrees: float, expand: bool = False) -> Step:
    return lambda a: np.asarray(Image.fromarray(a).rotate(degrees, Image.Resampling.BICUBIC, expand=expand))


def straightened(degrees: float) -> Step:
    """Turned a little and cropped to what has no empty corners."""

    def step(a: Rgb) -> Rgb:
        h, w = a.shape[:2]
        t = abs(np.radians(degrees))
        k = 1 / (np.cos(t) + max(w / h, h / w) * np.sin(t))
        ch, cw = int(h * k) - 2, int(w * k) - 2
        y, x = (h - ch) // 2, (w - cw) // 2
        return rotated(degrees)(a)[y : y + ch, x : x + cw].copy()

    return step


def perspective(amount: float) -> Step:
    def step(a: Rgb) -> Rgb:
        h, w = a.shape[:2]
        whole = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        inward = np.array([[w, h], [-w, h], [-w, -h], [w, -h]], np.float32)
        seen = whole + np.random.default_rng(5).uniform(0, amount, (4, 2)).astype(np.float32) * inward
        return cv2.warpPerspective(a, cv2.getPerspectiveTransform(seen, whole), (w, h), flags=cv2.INTER_CUBIC)

    return step


def curve(f: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Step:
    table = np.clip(f(np.arange(256) / 255) * 255 + 0.5, 0, 255).astype(np.uint8)
    return lambda a: table[a]


def saturated(k: float) -> Step:
    return lambda a: np.asarray(ImageEnhance.Color(Image.fromarray(a)).enhance(k))


def contrasted(k: float) -> Step:
    return lambda a: np.asarray(ImageEnhance.Contrast(Image.fromarray(a)).enhance(k))


def noisy(sigma: float) -> Step:
    return lambda a: np.clip(a + np.random.default_rng(3).normal(0, sigma, a.shape), 0, 255).astype(np.uint8)


def blurred(sigma: float) -> Step:
    return lambda a: cv2.GaussianBlur(a, (0, 0), sigma)


def sharpened(a: Rgb) -> Rgb:
    return np.asarray(Image.fromarray(a).filter(ImageFilter.UnsharpMask(2, 120, 2)))


def warm_look(a: Rgb) -> Rgb:
    """Faded blacks, an S curve, split tones, less saturation, a vignette."""
    x = 0.06 + 0.9 * (a / 255.0)
    x = (x + 0.04 * np.sin(2 * np.pi * (x - 0.5))) * [1.06, 1.0, 0.9] + [0.02, 0, 0.04]
    grey = x.mean(axis=2, keepdims=True)
    h, w = a.shape[:2]
    yy, xx = np.mgrid[0:h, 0:w]
    fall = 1 - 0.35 * ((xx / w - 0.5) ** 2 + (yy / h - 0.5) ** 2) * 2
    return np.clip((grey + (x - grey) * 0.8) * fall[..., None] * 255 + 0.5, 0, 255).astype(np.uint8)


def cold_look(a: Rgb) -> Rgb:
    """Crushed blacks, blue shadows, strong contrast, film grain."""
    x = np.clip((a / 255.0 - 0.5) * 1.25 + 0.48, 0, 1)
    luma = x @ [0.299, 0.587, 0.114]
    x = x + (1 - luma[..., None]) * np.array([-0.03, 0.0, 0.06])
    return noisy(4)(np.clip(x * 255 + 0.5, 0, 255).astype(np.uint8))


def clarity(a: Rgb) -> Rgb:
    soft = cv2.GaussianBlur(a.astype(np.float32), (0, 0), max(a.shape[:2]) / 60)
    return np.clip(a + 0.35 * (a - soft), 0, 255).astype(np.uint8)


def then(*steps: Step) -> Step:
    def chain(a: Rgb) -> Rgb:
        for step in steps:
            a = step(a)
        return a

    return chain


def mirrored(a: Rgb) -> Rgb:
    return a[:, ::-1].copy()


social: Step = then(within(1080), jpeg(75))
messaging: Step = then(within(800), jpeg(70), jpeg(60))


def screenshot(a: Rgb) -> Rgb:
    a = within(900)(a)
    h, w = a.shape[:2]
    screen = np.full((h + 360, w + 60, 3), 245, np.uint8)
    screen[:90] = (30, 40, 60)
    screen[200 : 200 + h, 30 : 30 + w] = a
    picture = Image.fromarray(screen)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(22)
    for y, text in ((100, "Alice  -  2 h"), (135, "What a day!"), (h + 215, "1,204 likes"), (h + 255, "57 comments")):
        draw.text((40, y), text, fill=(20, 20, 20), font=font)
    return jpeg(85)(np.asarray(picture))


def collage(others: tuple[Rgb, Rgb, Rgb]) -> Step:
    def step(a: Rgb) -> Rgb:
        side = 500
        sheet = np.zeros((2 * side, 2 * side, 3), np.uint8)
        mine = within(side)(a)
        sheet[: mine.shape[0], : mine.shape[1]] = mine
        for other, (y, x) in zip(others, ((0, side), (side, 0), (side, side)), strict=True):
            sheet[y : y + side, x : x + side] = np.asarray(ImageOps.fit(Image.fromarray(other), (side, side)))
        return jpeg(80)(sheet)

    return step


def honest(others: tuple[Rgb, Rgb, Rgb]) -> dict[str, Step]:
    """Name → handling that changes nothing of what a picture says."""
    return {
        "none": lambda a: a,
        **{f"jpeg {q}": jpeg(q) for q in (90, 75, 50, 30, 20)},
        "webp 50": encoded("WEBP", quality=50),
        "avif 40": encoded("AVIF", quality=40, speed=8),
        "scale .33": scaled(0.33),
        "scale .5": scaled(0.5),
        "scale .7 bilinear": scaled(0.7, Image.Resampling.BILINEAR),
        "scale .6 nearest": scaled(0.6, Image.Resampling.NEAREST),
        "scale 2": then(within(1000), scaled(2.0, Image.Resampling.BICUBIC)),
        **{f"crop {p} %": cropped(p / 100, p) for p in (90, 75, 50, 25, 10)},
        "rotate 1°": rotated(1),
        "rotate 5°": rotated(5),
        "rotate 30°": rotated(30, True),
        "rotate 90°": lambda a: np.rot90(a).copy(),
        "rotate 180°": lambda a: np.rot90(a, 2).copy(),
        "straighten 3°": straightened(3),
        "flip": mirrored,
        "upside down": lambda a: a[::-1].copy(),
        "aspect +20 %": lambda a: to_size(a, 1.2 * a.shape[1], a.shape[0]),
        "aspect -20 %": lambda a: to_size(a, 0.8 * a.shape[1], a.shape[0]),
        "perspective 2 %": perspective(0.02),
        "brightness +20 %": curve(lambda x: x * 1.2),
        "brightness -20 %": curve(lambda x: x * 0.8),
        "gamma .7": curve(lambda x: x**0.7),
        "gamma 1.4": curve(lambda x: x**1.4),
        "contrast +30 %": contrasted(1.3),
        "contrast -30 %": contrasted(0.7),
        "hard contrast": curve(lambda x: 1.6 * x - 0.3),
        "saturation +50 %": saturated(1.5),
        "saturation -50 %": saturated(0.5),
        "grey": saturated(0),
        "warm look": warm_look,
        "cold look": cold_look,
        "clarity": clarity,
        "blur 1": blurred(1),
        "blur 2": blurred(2),
        "sharpen": sharpened,
        "noise 5": noisy(5),
        "noise 10": noisy(10),
        "median 3": lambda a: cv2.medianBlur(a, 3),
        "social": social,
        "messaging": messaging,
        "screenshot": screenshot,
        "collage": collage(others),
        "crop 50 % + social": then(cropped(0.5, 6), social),
        "crop 25 % + jpeg 50": then(cropped(0.25, 7), jpeg(50)),
        "straighten + look + social": then(straightened(2), warm_look, social),
        "social twice": then(social, jpeg(50), social),
        "flip + messaging": then(mirrored, messaging),
    }


# Edits. `share` is the area as a share of the picture.


def _ellipse(a: Rgb, rng: np.random.Generator, share: float) -> Mask:
    h, w = a.shape[:2]
    stretch = np.exp(rng.uniform(-0.5, 0.5))
    area = min(0.9, share * 4 / np.pi) * h * w
    bh = min(h - 4, int((area / stretch) ** 0.5))
    bw = min(w - 4, int(area / bh))
    y, x = rng.integers(2, h - bh - 1), rng.integers(2, w - bw - 1)
    mask = np.zeros((h, w), np.uint8)
    cv2.ellipse(mask, (int(x + bw / 2), int(y + bh / 2)), (bw // 2, bh // 2), 0, 0, 360, 255, -1)
    return mask > 0


def _box(mask: Mask) -> tuple[slice, slice]:
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1)


def _blend(a: Rgb, other: NDArray[np.generic], mask: Mask, feather: float, opacity: float = 1.0) -> Rgb:
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), feather)[..., None] * opacity
    return np.clip(a * (1 - alpha) + other * alpha + 0.5, 0, 255).astype(np.uint8)


def _piece(donor: Rgb, rng: np.random.Generator, h: int, w: int, zoom: float) -> Rgb:
    """A piece (h, w) of a donor picture, enlarged if need be."""
    donor = scaled(1.01 * max(h / donor.shape[0], w / donor.shape[1], zoom))(donor)
    y, x = rng.integers(0, donor.shape[0] - h + 1), rng.integers(0, donor.shape[1] - w + 1)
    return donor[y : y + h, x : x + w]


def pasted(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    mask = _ellipse(a, rng, share)
    rows, cols = _box(mask)
    h, w = rows.stop - rows.start, cols.stop - cols.start
    other = a.copy()
    other[rows, cols] = _piece(donor, rng, h, w, rng.uniform(0.3, 1) * max(a.shape[:2]) / max(donor.shape[:2]))
    return _blend(a, other, mask, max(1, h / 60)), mask


def cloned(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    """Another part of the same picture."""
    mask = _ellipse(a, rng, share)
    rows, cols = _box(mask)
    h, w = rows.stop - rows.start, cols.stop - cols.start
    other = a.copy()
    other[rows, cols] = _piece(a, rng, h, w, 1 / 1.01)
    return _blend(a, other, mask, max(1, h / 60)), mask


def removed(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    """Painted over from its surroundings (Telea), with grain."""
    mask = _ellipse(a, rng, share)
    small = within(400)(a)
    hole = cv2.resize(mask.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    filled = cv2.resize(cv2.inpaint(small, hole, 5, cv2.INPAINT_TELEA), a.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return _blend(a, filled + rng.normal(0, 2, a.shape), mask, 2), mask


def cloned_seamlessly(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    """Pasted with its colours bent to the surroundings (Poisson blending)."""
    mask = _ellipse(a, rng, share)
    rows, cols = _box(mask)
    h, w = rows.stop - rows.start, cols.stop - cols.start
    piece = _piece(donor, rng, h + 6, w + 6, 0.5)
    hole = np.pad(mask[rows, cols].astype(np.uint8) * 255, 3)
    middle = ((cols.start + cols.stop) // 2, (rows.start + rows.stop) // 2)
    return cv2.seamlessClone(piece, a, hole, middle, cv2.NORMAL_CLONE), mask


def painted(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    mask = _ellipse(a, rng, share)
    return _blend(a, rng.integers(0, 256, 3) * np.ones_like(a), mask, 2, rng.uniform(0.8, 1)), mask


def recoloured(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    mask = _ellipse(a, rng, share)
    hsv = cv2.cvtColor(a, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + rng.integers(40, 140)) % 180
    return _blend(a, cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), mask, 2), mask


def smeared(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    """Blurred beyond recognition, as faces and number plates are."""
    mask = _ellipse(a, rng, share)
    return _blend(a, cv2.GaussianBlur(a, (0, 0), mask.sum() ** 0.5 / 8), mask, 2), mask


def captioned(a: Rgb, rng: np.random.Generator, share: float, donor: Rgb) -> tuple[Rgb, Mask]:
    """White outlined words across the picture; the area follows from the words, not from `share`."""
    h, w = a.shape[:2]
    size = max(10, int(h * 0.09))
    picture = Image.fromarray(a)
    ImageDraw.Draw(picture).text(
        (w * 0.05, int(h * rng.uniform(0.05, 0.8))),
        "BREAKING NEWS 2026",
        fill=(255, 255, 255),
        font=ImageFont.load_default(size),
        stroke_width=max(1, size // 14),
        stroke_fill=(0, 0, 0),
    )
    out = np.asarray(picture)
    touched = (np.abs(out.astype(int) - a).sum(axis=2) > 30).astype(np.uint8)
    side = max(3, size // 2) | 1
    return out, cv2.morphologyEx(touched, cv2.MORPH_CLOSE, np.ones((side, side))) > 0


EDITS: dict[str, Edit] = {
    "pasted": pasted,
    "pasted, blended": cloned_seamlessly,
    "cloned": cloned,
    "removed": removed,
    "painted": painted,
    "recoloured": recoloured,
    "smeared": smeared,
    "captioned": captioned,
}


def visibility(a: Rgb, b: Rgb, mask: Mask) -> float:
    """RMS difference inside the mask, in 8-bit levels, of both pictures blurred by 1 px at 512 px."""
    small = [cv2.GaussianBlur(within(512)(p).astype(np.float32), (0, 0), 1) for p in (a, b)]
    inside = cv2.resize(mask.astype(np.uint8), small[0].shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    return float(np.sqrt(((small[0] - small[1]) ** 2)[inside].mean())) if inside.any() else 0.0
