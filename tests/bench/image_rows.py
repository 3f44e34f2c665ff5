"""Every treatment of the image mark's table, in the order in which it is printed."""

from __future__ import annotations

from watermark import attacks as a
from watermark.ladder import Step, do


def _of(title: str, function, *values: float) -> tuple[Step, ...]:  # type: ignore[no-untyped-def]  # any treatment
    return tuple(Step(f"{title} {value:g}", f"{title} {value:g}", (do(function, value),)) for value in values)


def _one(title: str, *functions) -> Step:  # type: ignore[no-untyped-def]
    return Step(title, title, tuple(function if hasattr(function, "options") else do(function) for function in functions))


def _wide(pixels: a.Pixels) -> a.Pixels:
    return a.scale(pixels, 1080 / pixels.shape[1])


ROWS: tuple[tuple[str, tuple[Step, ...]], ...] = (
    (
        "Codecs",
        (
            _one("no attack"),
            *_of("JPEG", a.jpeg, 90, 70, 50, 30, 20),
            *_of("WebP", a.webp, 80, 50),
            *_of("AVIF", a.avif, 60, 40),
            *_of("HEIC", a.heic, 50),
            _one("palette of 256", a.palette),
        ),
    ),
    (
        "Size",
        (
            *_of("scale", a.scale, 2, 0.75, 0.5, 0.33),
            _one("to 1080 wide", _wide),
            _one("half and back", do(a.there_and_back, 0.5)),
            *_of("aspect", a.stretch, 1.05, 0.95, 1.2, 0.83),
        ),
    ),
    (
        "Cuts",
        (
            *_of("cut to area", a.crop, 0.9, 0.75, 0.5, 0.25, 0.1),
            _one("square + social", a.square, a.social),
            _one("cut to 0.25 + JPEG 50", do(a.crop, 0.25), do(a.jpeg, 50)),
            _one("cut to 0.5 + social", do(a.crop, 0.5), a.social),
        ),
    ),
    (
        "Turns",
        (
            *_of("turned by", a.rotate, 1, 5, 30, 90, 180),
            _one("mirrored", a.mirror),
            *_of("straightened by", a.straighten, 3),
            *_of("perspective", a.perspective, 0.01, 0.03),
        ),
    ),
    (
        "Tone",
        (
            *_of("brightness", a.brightness, 1.2, 0.8),
            *_of("contrast", a.contrast, 1.2, 0.8),
            *_of("saturation", a.saturation, 1.2, 0.8),
            *_of("gamma", a.gamma, 0.8, 1.25),
            _one("grey", a.grey),
            _one("histogram equalised", a.equalise),
            _one("filter app", a.filter_look),
        ),
    ),
    (
        "Filters",
        (*_of("blur σ", a.blur, 1, 2), *_of("noise σ", a.noise, 5, 10), _one("median 3", a.median), _one("sharpened", a.sharpen)),
    ),
    (
        "Chains",
        (
            _one("social", a.social),
            _one("messaging", a.messaging),
            _one("screenshot", a.screenshot),
            _one("caption on 10 %", a.caption),
            _one("collage", a.collage),
            _one("collage + social", a.collage, a.social),
            _one("three platforms", a.three_platforms),
        ),
    ),
    (
        "Beyond (≥ 90 % wanted)",
        (
            *_of("JPEG", a.jpeg, 10),
            *_of("scale", a.scale, 0.25),
            _one("photo of a screen", a.screen_photo),
            _one("print and scan", a.print_scan),
        ),
    ),
)
