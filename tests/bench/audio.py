"""Tables of the sound mark: quality, what survives, speed, chance, attackers. `make bench-audio` prints them into SOUND.md.

Clips shorter than 24 s are repeated up to it (the period of the repeat is never that of a tile), so that every clip enters
every row. One thread.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from tests.bench import audiowmark
from tests.bench.__main__ import CORPUS, ROOT, put
from watermark import audio, audio_attacks
from watermark.audio_ladder import AUDIO_2026
from watermark.payload import PUBLIC_KEY
from watermark.quality_audio import grade

Samples = NDArray[np.float32]
T = TypeVar("T")
SECONDS = 24
ID = 0x5EED_0F_C0_10_F0_40


def clips() -> Iterator[tuple[str, Samples, int]]:
    """Every sound of the corpus that is not silent, tracks of videos included."""
    for path in sorted([*(CORPUS / "audio").iterdir(), *(CORPUS / "video").iterdir()]):
        with av.open(str(path)) as container:
            count = len(container.streams.audio)
        for track in range(count):
            sound, rate = read(path, track)
            if float(np.abs(sound).max()) > 1e-3:
                yield f"{path.stem}{f' #{track}' if track else ''}", sound, rate


def read(path: Path, track: int) -> tuple[Samples, int]:
    """Decode one track of a file of the corpus."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
        parts = [part.to_ndarray() for frame in container.decode(stream) for part in resampler.resample(frame)]
        return np.ascontiguousarray(np.concatenate(parts, axis=1).T), int(stream.rate)


def long_enough(sound: Samples, rate: int) -> Samples:
    """Repeat a sound up to 24 s, and cut at 30."""
    times = -(-SECONDS * rate // len(sound))
    return np.tile(sound, (times, 1))[: 30 * rate]


def quality(sounds: list[tuple[str, Samples, int]]) -> list[tuple[str, Samples, int]]:
    """Mark every clip and print how it is graded."""
    print("| clip | rate · channels · s | ODG | SNR dB | NMR dB |\n|---|---|---|---|---|")
    marked, grades = [], []
    for name, sound, rate in sounds:
        out = audio.embed(sound, rate, ID, key=PUBLIC_KEY)
        found = grade(sound, out, rate)
        grades.append((found.odg, found.snr_db, found.nmr_db))
        print(
            f"| {name} | {rate} · {sound.shape[1]} · {len(sound) / rate:.0f} "
            f"| {found.odg:.2f} | {found.snr_db:.1f} | {found.nmr_db:.1f} |",
            flush=True,
        )
        marked.append((name, out, rate))
    odg, snr, nmr = np.mean(grades, axis=0)
    print(f"| mean | | {odg:.2f} | {snr:.1f} | {nmr:.1f} |\n")
    return marked


Reads = Callable[[Samples, int], bool]


def survival(marked: list[tuple[str, Samples, int]], only: str, save: Path | None, minutes: float, reads: Reads) -> None:
    """Put every clip through the ladder and print how many ids come back: the steps that all live through in one row.

    Args:
        save: What was found is kept here, step by step, and not measured again.
        minutes: No step is begun after so long; then only what is known is printed.
        reads: Whether a copy gives the id back.
    """
    end = time.monotonic() + 60 * minutes
    known: dict[str, list[str]] = json.loads(save.read_text()) if save and save.exists() else {}
    whole: list[str] = []
    rows: list[str] = []
    for step in AUDIO_2026.steps:
        if only not in step.name or (step.name not in known and time.monotonic() > end):
            continue
        if step.name not in known:
            copies = ((name, step.apply(sound, rate, seed)) for seed, (name, sound, rate) in enumerate(marked))
            known[step.name] = [name for name, copy in copies if not reads(*copy)]
            if save:
                save.write_text(json.dumps(known))
        if missed := known[step.name]:
            rows.append(f"| {step.title} | {len(marked) - len(missed)}/{len(marked)} | {', '.join(missed)} |")
        else:
            whole.append(step.title)
    print("| step | exact id | not read |\n|---|---|---|")
    print("\n".join([f"| {'; '.join(whole)} | {len(marked)}/{len(marked)} each | |", *rows]))


def _read(copy: Samples, rate: int) -> bool:
    found = audio.detect(copy, rate, keys=[PUBLIC_KEY])
    assert found.mark_id in (ID, None), "a wrong id"
    return found.found


def beside(sounds: list[tuple[str, Samples, int]], only: str, minutes: float) -> None:
    """Print the same of audiowmark, where it is on the PATH."""
    if not audiowmark.at_hand():
        print("audiowmark was not on the PATH.")
        return
    marked = [(name, audiowmark.embed(sound, rate), rate) for name, sound, rate in sounds]
    print("audiowmark, default strength, its search for speeds on; no bound on chance is asked of it:\n")
    survival(marked, only, None, minutes, audiowmark.reads)


def speeds(sounds: list[tuple[str, Samples, int]], marked: list[tuple[str, Samples, int]]) -> None:
    """Print how many seconds of sound one second of one core handles."""
    rows: dict[str, list[float]] = {"embed": [], "embed, 5.1": [], "detect, marked": [], "full search, unmarked": []}
    for (_, sound, rate), (_, out, _) in zip(sounds, marked, strict=True):
        several = sound.shape[1] > 2
        for row, work in (
            ("embed, 5.1" if several else "embed", lambda s=sound, r=rate: audio.embed(s, r, ID, key=PUBLIC_KEY)),
            ("detect, marked", lambda s=out, r=rate: audio.detect(s, r, keys=[PUBLIC_KEY])),
            ("full search, unmarked", lambda s=sound, r=rate: audio.detect(s, r, keys=[PUBLIC_KEY])),
        ):
            begin = time.process_time()
            work()  # type: ignore[no-untyped-call]
            rows[row].append(len(sound) / rate / (time.process_time() - begin))
    print("| × real time, one core | median | least |\n|---|---|---|")
    for row, values in rows.items():
        print(f"| {row} | {np.median(values):.0f} | {min(values):.0f} |")
    print()


def gaps(sounds: list[tuple[str, Samples, int]], marked: list[tuple[str, Samples, int]]) -> None:
    """Replace two seconds of each marked clip, send it through the platform chain, and print what the detector says."""
    draw = np.random.default_rng(7)
    seen = trials = 0
    false_s = whole_s = 0.0
    for (_, sound, rate), (_, out, _) in zip(sounds, marked, strict=True):
        for _ in range(3):
            start = int(draw.uniform(4, len(out) / rate - 6) * rate)
            spoofed = out.copy()
            spoofed[start : start + 2 * rate] = sound[start : start + 2 * rate]
            heard, high = audio_attacks.platform(spoofed, rate)
            found = audio.locate(heard, high, keys=[PUBLIC_KEY])
            middle = start / rate + 1
            bad = [span for span in found.spans if not span.marked]
            trials += 1
            seen += any(span.start_s < middle < span.end_s for span in bad)
            false_s += sum(span.end_s - span.start_s for span in bad if not span.start_s < middle < span.end_s)
            whole_s += len(heard) / high
    print(f"Replaced two seconds, after the platform: {seen} of {trials} gaps seen; ", end="")
    print(f"false gaps {false_s:.1f} s in {whole_s:.0f} s.\n", flush=True)


def attackers(sounds: list[tuple[str, Samples, int]], marked: list[tuple[str, Samples, int]]) -> None:
    """Print what is left of the mark after attempts to remove or to forge it."""
    keys = [PUBLIC_KEY]

    def strange(sound: Samples, rate: int) -> Samples:
        return audio.embed(sound, rate, 2, key=PUBLIC_KEY)

    tries = {
        "mean with itself 10 ms later": lambda s, m, r: audio_attacks.averaged(m, r),
        "noise reduction 12 dB": lambda s, m, r: audio_attacks.denoised(m, r),
        "speed +3 % and −3 % back": lambda s, m, r: audio_attacks.speed(*audio_attacks.speed(m, r, 1.03), 1 / 1.03),
        "speed +8 % (outside the search)": lambda s, m, r: audio_attacks.speed(m, r, 1.08),
        "cut into 3 s pieces, shuffled": lambda s, m, r: audio_attacks.shuffled(m, r, 3.0, seed=1),
        "cut into 7 s pieces, shuffled": lambda s, m, r: audio_attacks.shuffled(m, r, 7.0, seed=1),
        "noise 10 dB": lambda s, m, r: audio_attacks.noise(m, r, 10, seed=1),
        "collusion: mean of copies with two ids": lambda s, m, r: ((m + strange(s, r)) / 2, r),
        "second mark on top, same key": lambda s, m, r: (strange(m, r), r),
        "second mark on top, another key": lambda s, m, r: (audio.embed(m, r, 3, key=b"another"), r),
    }
    print("| attempt | first id | another id | nothing |\n|---|---|---|---|")
    for title, attempt in tries.items():
        found = []
        for (_, sound, rate), (_, out, _) in zip(sounds, marked, strict=True):
            heard, at = attempt(sound, out, rate)  # type: ignore[no-untyped-call]
            found.append(audio.detect(np.asarray(heard, np.float32), at, keys=keys).mark_id)
        other = sum(one not in (ID, None) for one in found)
        print(f"| {title} | {found.count(ID)}/{len(found)} | {other} | {found.count(None)} |", flush=True)
    print()


def chance(sounds: list[tuple[str, Samples, int]], hours: float, seed: int = 2026) -> None:
    """Search unmarked and wrongly keyed sound, re-cut and re-sped, and print what was accepted: one mark of ours in two."""
    draw = np.random.default_rng(seed)
    heard, accepted, trials = 0.0, 0, 0
    while heard < hours * 3600:
        _, sound, rate = sounds[int(draw.integers(len(sounds)))]
        factor = float(draw.uniform(0.9, 1.1))
        piece, rate = audio_attacks.excerpt(sound, rate, 24, seed=int(draw.integers(1 << 30)))
        piece, rate = audio_attacks.speed(piece[:, :1], rate, factor)
        if trials % 8 == 0:
            piece = audio.embed(piece, rate, ID, key=PUBLIC_KEY)
        keys = [draw.bytes(16) for _ in range(4)]
        accepted += audio.detect(piece, rate, keys=keys).found
        heard += len(keys) * len(piece) / rate
        trials += len(keys)
    print(f"Full searches of unmarked and wrongly keyed sound: {trials}, {heard / 3600:.1f} h; {accepted} accepted.\n")


def _printed(name: str, write: bool, section: Callable[[], T]) -> T:
    """Print a section, and put it into its place in SOUND.md where that is wished."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        value = section()
    print(text.getvalue(), flush=True)
    if write:
        put(ROOT / "watermark" / "SOUND.md", f"audio-{name}", text.getvalue().strip())
    return value


PARTS = ("quality", "survival", "peer", "speed", "gaps", "attackers", "chance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into watermark/SOUND.md")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; may be given several times")
    parser.add_argument("--quick", action="store_true", help="three clips")
    parser.add_argument("--only", default="", help="steps of the ladder whose name contains this")
    parser.add_argument("--save", type=Path, help="keep and reuse what the ladder found")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no step of the ladder later")
    parser.add_argument("--seed", type=int, default=2026, help="of the chance row")
    parser.add_argument("--hours", type=float, default=10.0, help="of unmarked sound for the chance row")
    options = parser.parse_args()
    sounds = [(name, long_enough(sound, rate), rate) for name, sound, rate in clips()][:: 3 if options.quick else 1]
    wanted = options.part or PARTS
    marked: list[tuple[str, Samples, int]] = []
    if "quality" in wanted:
        marked = _printed("quality", options.write, lambda: quality(sounds))
    elif wanted != ["chance"]:
        marked = [(name, audio.embed(sound, rate, ID, key=PUBLIC_KEY), rate) for name, sound, rate in sounds]
    parts = {
        "survival": lambda: survival(marked, options.only, options.save, options.minutes, _read),
        "peer": lambda: beside(sounds, options.only, options.minutes),
        "speed": lambda: speeds(sounds, marked),
        "gaps": lambda: gaps(sounds, marked),
        "attackers": lambda: attackers(sounds, marked),
        "chance": lambda: chance(sounds, options.hours, options.seed),
    }
    for name, section in parts.items():
        if name in wanted:
            _printed(name, options.write, section)


if __name__ == "__main__":
    main()
