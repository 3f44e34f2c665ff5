"""Named ladders: fixed, versioned sequences of treatments that a marked asset is put through, to tell what it survives.

A ladder's steps never change under its name; a better selection gets a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

from watermark import attacks as a
from watermark.attacks import Pixels


@dataclass(frozen=True, slots=True)
class Attack:
    """A function of `attacks` with its parameters."""

    function: Callable[..., Pixels]
    options: tuple[float, ...]
    seeded: bool

    def __call__(self, pixels: Pixels, seed: int) -> Pixels:
        return self.function(pixels, *self.options, seed=seed) if self.seeded else self.function(pixels, *self.options)


def do(function: Callable[..., Pixels], *options: float) -> Attack:
    """Return a function of `attacks` with its parameters as a value; the seed comes later, if it takes one."""
    return Attack(function, options, "seed" in signature(function).parameters)


@dataclass(frozen=True, slots=True)
class Step:
    """One treatment.

    Attributes:
        name: Stable name within the ladder.
        title: What happens, for people.
        attacks: What is done, in order: values that can go to another process.
    """

    name: str
    title: str
    attacks: tuple[Attack, ...]

    def apply(self, pixels: Pixels, seed: int) -> Pixels:
        """Return treated pixels, shape (H', W', 3), uint8; `seed` decides where a cut lies, and the like."""
        for attack in self.attacks:
            pixels = attack(pixels, seed)
        return pixels


@dataclass(frozen=True, slots=True)
class Ladder:
    """A named, fixed sequence of steps for one medium."""

    name: str
    medium: str
    steps: tuple[Step, ...]


FIRST_LIGHT = Ladder(
    "first-light",
    "image",
    (
        Step("jpeg-75", "JPEG at quality 75", (do(a.jpeg, 75),)),
        Step("jpeg-50", "JPEG at quality 50", (do(a.jpeg, 50),)),
        Step("webp-75", "WebP at quality 75", (do(a.webp, 75),)),
        Step("avif-50", "AVIF at quality 50", (do(a.avif, 50),)),
        Step("scale-0.5", "half size", (do(a.scale, 0.5),)),
        Step("crop-75", "cut to 75 % of the area", (do(a.crop, 0.75),)),
        Step("mirror", "mirrored", (do(a.mirror),)),
        Step("rotate-2", "turned by 2°", (do(a.rotate, 2),)),
        Step("brightness-1.2", "20 % brighter", (do(a.brightness, 1.2),)),
        Step("social", "feed: 1080 pixels, JPEG 75", (do(a.social),)),
    ),
)

IMAGE_2026 = Ladder(
    "image-2026",
    "image",
    (
        Step("jpeg-70", "JPEG at quality 70", (do(a.jpeg, 70),)),
        Step("jpeg-50", "JPEG at quality 50", (do(a.jpeg, 50),)),
        Step("jpeg-30", "JPEG at quality 30", (do(a.jpeg, 30),)),
        Step("jpeg-20", "JPEG at quality 20", (do(a.jpeg, 20),)),
        Step("webp-50", "WebP at quality 50", (do(a.webp, 50),)),
        Step("avif-40", "AVIF at quality 40", (do(a.avif, 40),)),
        Step("heic-50", "HEIC at quality 50", (do(a.heic, 50),)),
        Step("palette-256", "256 colours", (do(a.palette),)),
        Step("scale-2", "twice the size", (do(a.scale, 2),)),
        Step("scale-0.5", "half size", (do(a.scale, 0.5),)),
        Step("scale-0.33", "a third of the size", (do(a.scale, 0.33),)),
        Step("half-and-back", "half size and back", (do(a.there_and_back, 0.5),)),
        Step("aspect-1.2", "20 % wider than it was", (do(a.stretch, 1.2),)),
        Step("crop-75", "cut to 75 % of the area", (do(a.crop, 0.75),)),
        Step("crop-25", "cut to 25 % of the area", (do(a.crop, 0.25),)),
        Step("crop-10", "cut to 10 % of the area", (do(a.crop, 0.10),)),
        Step(
            "crop-25+jpeg-50",
            "cut to 25 %, JPEG 50",
            (
                do(a.crop, 0.25),
                do(a.jpeg, 50),
            ),
        ),
        Step(
            "square+social",
            "middle square, then a feed",
            (
                do(a.square),
                do(a.social),
            ),
        ),
        Step("rotate-5", "turned by 5°", (do(a.rotate, 5),)),
        Step("rotate-90", "turned by 90°", (do(a.rotate, 90),)),
        Step("mirror", "mirrored", (do(a.mirror),)),
        Step("straighten-3", "straightened by 3°", (do(a.straighten, 3),)),
        Step("perspective-1", "seen at an angle, 1 %", (do(a.perspective, 0.01),)),
        Step("grey", "grey", (do(a.grey),)),
        Step("filter-look", "a filter app's look", (do(a.filter_look),)),
        Step("blur-2", "blurred, σ 2 pixels", (do(a.blur, 2),)),
        Step("noise-10", "noise, σ 10 levels", (do(a.noise, 10),)),
        Step("social", "feed: 1080 pixels, JPEG 75", (do(a.social),)),
        Step("messaging", "messenger: 1600 pixels, JPEG 60 and 70", (do(a.messaging),)),
        Step("screenshot", "screenshot at 90 %, JPEG 80", (do(a.screenshot),)),
        Step("caption", "caption over 10 %", (do(a.caption),)),
        Step(
            "collage+social",
            "pasted into a collage, then a feed",
            (
                do(a.collage),
                do(a.social),
            ),
        ),
    ),
)

LADDERS = {ladder.name: ladder for ladder in (FIRST_LIGHT, IMAGE_2026)}


def ladder(name: str) -> Ladder:
    """Return a ladder by name.

    Raises:
        KeyError: there is none of that name.
    """
    return LADDERS[name]
