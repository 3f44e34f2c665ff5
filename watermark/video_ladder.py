"""The ladder `video-2026`: what a marked film is put through, to tell what it survives.

Its steps never change under this name; a better selection gets a new one.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from watermark import video_attacks as a
from watermark.video_attacks import Cut, Pass, Within

EXCERPT_S = 6.0


@dataclass(frozen=True, slots=True)
class FilmStep:
    """One treatment of a film.

    Attributes:
        name: Stable name within the ladder.
        title: What happens, for people.
        passes: Encodings, one after another.
        seconds: Length of the excerpt that is treated.
    """

    name: str
    title: str
    passes: tuple[Pass, ...]
    seconds: float = EXCERPT_S

    @property
    def suffix(self) -> str:
        """What the name of the treated file should end with."""
        return ".gif" if self.passes[-1].codec == "gif" else ".mkv"

    def apply(self, src: Path, dst: Path, *, start_s: float, seed: int) -> None:
        """Write the treated excerpt of a film, without its sound. Raises as `video_attacks.encode_again`."""
        with tempfile.TemporaryDirectory(dir=dst.parent) as folder:
            source, start, seconds = src, start_s, self.seconds
            for number, todo in enumerate(self.passes):
                last = number == len(self.passes) - 1
                target = dst if last else Path(folder) / f"{number}.mkv"
                a.encode_again(source, target, todo, start_s=start, seconds=seconds, seed=seed)
                source, start = target, 0.0


@dataclass(frozen=True, slots=True)
class FilmLadder:
    """A named, fixed sequence of steps for films."""

    name: str
    steps: tuple[FilmStep, ...]
    medium: str = "video"


_PLATFORM = Pass(crf=28, lines=720)

VIDEO_2026 = FilmLadder(
    "video-2026",
    (
        *(FilmStep(f"h264-{crf}", f"H.264 at CRF {crf}", (Pass(crf=crf),)) for crf in (23, 28, 33, 38)),
        FilmStep("h264-1m", "H.264 at 1 Mbit/s", (Pass(crf=None, kbps=1000),)),
        FilmStep("h265-34", "H.265 at CRF 34", (Pass("h265", 34),)),
        FilmStep("vp9-36", "VP9 at CRF 36", (Pass("vp9", 36),)),
        FilmStep("av1-40", "AV1 at CRF 40", (Pass("av1", 40),)),
        FilmStep("480p-33", "480 lines, CRF 33", (Pass(crf=33, lines=480),)),
        FilmStep("360p-33", "360 lines, CRF 33", (Pass(crf=33, lines=360),)),
        FilmStep("240p-28", "240 lines, CRF 28", (Pass(crf=28, lines=240),)),
        FilmStep("24-fps", "24 frames a second", (Pass(crf=26, fps=24),)),
        FilmStep("15-fps", "15 frames a second", (Pass(crf=26, fps=15),)),
        FilmStep("dropped-20", "a fifth of the frames lost", (Pass(crf=26, dropped=0.2),)),
        FilmStep("2-seconds", "2 seconds of it, CRF 26", (Pass(crf=26),), 2.0),
        FilmStep("speed+2", "2 % faster", (Pass(crf=26, speed=1.02),)),
        FilmStep("speed-2", "2 % slower", (Pass(crf=26, speed=0.98),)),
        FilmStep("crop-10", "a tenth cut off", (Pass(crf=26, changes=(Cut(0.026, 0.026, 0.974, 0.974),)),)),
        FilmStep("crop-25", "a quarter cut off", (Pass(crf=26, changes=(Cut(0.067, 0.067, 0.933, 0.933),)),)),
        FilmStep("corner", "the lower right three quarters each way", (Pass(crf=26, changes=(Cut(0.25, 0.25, 1, 1),)),)),
        FilmStep("square", "the middle square", (Pass(crf=26, changes=(a.square,)),)),
        FilmStep("letterbox", "bars above and below", (Pass(crf=26, changes=(Within(1, 4 / 3),)),)),
        FilmStep("pillarbox", "upright, blurred sides", (Pass(crf=26, lines=720, changes=(Within(1, 2.5, ground=None),)),)),
        FilmStep("mirrored", "mirrored", (Pass(crf=26, changes=(a.mirrored,)),)),
        FilmStep("turned", "turned by 90°", (Pass(crf=26, changes=(a.turned,)),)),
        FilmStep("picture-in-picture", "small in a larger picture", (Pass(crf=26, changes=(Within(1.7, 1.7, 0.8, 0.9, 90),)),)),
        FilmStep("platform", "platform: 720 lines, CRF 28", (_PLATFORM,)),
        FilmStep("platform-twice", "two platforms, one after the other", (_PLATFORM, _PLATFORM)),
        FilmStep(
            "screen-recording", "screen recording: 93 %, cut", (Pass(crf=26, lines=670, changes=(Cut(0.02, 0.03, 0.98, 0.97),)),)
        ),
        FilmStep("gif", "GIF, 480 lines, 10 frames a second", (Pass("gif", lines=480, fps=10),)),
        FilmStep("equalised", "histogram equalised", (Pass(crf=26, changes=(a.equalised,)),)),
        FilmStep("blurred", "blurred, σ 1.5 pixels", (Pass(crf=26, changes=(a.blurred,)),)),
        FilmStep("noisy", "noise, σ 8 levels", (Pass(crf=26, changes=(a.noisy,)),)),
        FilmStep("caption", "a caption burnt in", (Pass(crf=26, changes=(a.caption,)),)),
        FilmStep("5s-480p-33", "5 seconds, 480 lines, CRF 33", (Pass(crf=33, lines=480),), 5.0),
        FilmStep(
            "crop-480p-30",
            "a tenth cut off, 480 lines, CRF 30",
            (Pass(crf=30, lines=480, changes=(Cut(0.026, 0.026, 0.974, 0.974),)),),
        ),
        FilmStep("filmed", "filmed from a screen, simulated", (Pass(crf=26, changes=(a.filmed,)),)),
    ),
)
