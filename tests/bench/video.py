"""Measure the film mark on the corpus: `python -m tests.bench.video FILM …`.

Prints the table of watermark/VIDEO.md, a column for each film. Times are CPU seconds of one process. `--save FILE` keeps what was
found and goes on from it. VMAF (model v0.6.1) needs an FFmpeg with libvmaf, on the PATH or at $FFMPEG.
"""
# ruff: noqa: E402 - the settings below are read when the libraries are first imported

from __future__ import annotations

import os

os.environ.setdefault("SVT_LOG", "1")

import argparse
import json
import math
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np

from tests.bench.__main__ import ROOT, corpus_films, put
from watermark import image, quality, video_files
from watermark.containers import frames_of
from watermark.film import Embedder
from watermark.payload import PUBLIC_KEY
from watermark.video.frames import length_s
from watermark.video.opened import film_stream, form_of, opened, plane
from watermark.video_attacks import still
from watermark.video_ladder import VIDEO_2026

MARK_ID = 0x9E3779B97F4A7C15
SEED = 7
_STILL = "a still, half size, JPEG 75"
STILLS = (0.1, 0.3, 0.5, 0.7, 0.9)


def measure_cost(path: Path, frames_most: int = 150) -> tuple[float, float, float]:
    """Mean PSNR of luma in dB, and CPU ms per frame of marking and of the x264 medium encode of the same frames."""
    marking = encoding = 0.0
    psnrs = []
    embedder, codec = None, av.CodecContext.create("libx264", "w")
    with opened(path) as container:
        stream = film_stream(container, path)
        for number, frame in enumerate(frames_of(container, stream)):
            frame.make_writable()
            before = plane(frame).copy()
            start = time.process_time()
            embedder = embedder or Embedder(form_of(frame, stream), MARK_ID, PUBLIC_KEY)
            embedder.mark(plane(frame), number / 25)
            marking += time.process_time() - start
            psnrs.append(quality.psnr(before, plane(frame)))
            if not codec.is_open:
                codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, frame.format.name
                codec.time_base, codec.options, codec.thread_count = stream.time_base, {"preset": "medium", "crf": "18"}, 1
            frame.pict_type = 0
            start = time.process_time()
            codec.encode(frame)
            encoding += time.process_time() - start
            if number + 1 == frames_most:
                break
    return float(np.mean(psnrs)), 1000 * marking / len(psnrs), 1000 * encoding / len(psnrs)


def vmaf(path: Path, changed: Path, folder: Path) -> str:
    """Mean and least VMAF of a film's first six seconds against another; a dash where no FFmpeg at hand can tell."""
    program = os.environ.get("FFMPEG") or shutil.which("ffmpeg")
    if not program:
        return "–"
    log = folder / "vmaf.json"
    graph = f"[0:v]setpts=PTS-STARTPTS[a];[1:v]setpts=PTS-STARTPTS[b];[a][b]libvmaf=log_fmt=json:log_path={log}"
    ends = ["-t", "6"]
    done = subprocess.run(
        [
            program,
            "-nostdin",
            "-v",
            "info",
            *ends,
            "-i",
            str(changed),
            *ends,
            "-i",
            str(path),
            "-lavfi",
            graph,
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if not re.search(r"VMAF score", done.stderr):
        return "–"
    pooled = json.loads(log.read_text())["pooled_metrics"]["vmaf"]
    return f"{pooled['mean']:.1f} · {pooled['min']:.1f}"


def measure_look(path: Path, folder: Path) -> dict[str, str]:
    """How the mark looks: alone, in a copy coded without loss, and as it is delivered."""
    bare, whole = folder / "bare.mkv", folder / "whole.mkv"
    video_files.mark_file(path, bare, MARK_ID, PUBLIC_KEY, sound=False, crf=0)
    video_files.mark_file(path, whole, MARK_ID, PUBLIC_KEY, sound=False)
    return {
        "VMAF of the mark, coded without loss: mean · least frame": vmaf(path, bare, folder),
        "VMAF of the file as written: mean · least frame": vmaf(path, whole, folder),
    }


def measure_film(path: Path, folder: Path) -> dict[str, str]:
    """What the table says of one film, by row."""
    psnr, marking, encoding = measure_cost(path)
    cells = {
        "luma PSNR of the mark, dB": f"{psnr:.1f}",
        **measure_look(path, folder),
        "marking : x264 medium, ms a frame": f"{marking:.1f} : {encoding:.1f} ({100 * marking / encoding:.1f} %)",
    }
    marked = folder / f"marked-{path.stem}.mkv"
    video_files.mark_file(path, marked, MARK_ID, PUBLIC_KEY, sound=False)
    length = length_s(marked)
    for step in VIDEO_2026.steps:
        copy = folder / f"copy{step.suffix}"
        step.apply(marked, copy, start_s=max(0.0, (length - step.seconds) / 2), seed=SEED)
        start = time.process_time()
        found = video_files.detect_file(copy, [PUBLIC_KEY])
        spent = time.process_time() - start
        assert found.mark_id in (None, MARK_ID), f"a wrong id in {path.name} after {step.name}"
        chance = f"{math.log10(max(found.p_false, 1e-300)):.0f}" if found.found else "not read"
        cells[step.title] = f"{chance} · {found.frames} · {spent:.1f}"
        print(f"{path.name}: {step.name}: {cells[step.title]}", flush=True)
    read = 0
    for at in STILLS:
        picture = still(marked, at)
        half = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", half, [cv2.IMWRITE_JPEG_QUALITY, 75])
        read += image.detect(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8), keys=[PUBLIC_KEY]).mark_id == MARK_ID
    cells[_STILL] = f"{read} of {len(STILLS)}"
    return cells


def table(measured: dict[str, dict[str, str]]) -> str:
    """Markdown: a row for each treatment, a column for each film, and how many steps each film was read after."""
    lines = ["| | " + " | ".join(measured) + " |", "|---" * (len(measured) + 1) + "|"]
    titles = [step.title for step in VIDEO_2026.steps]
    told = dict.fromkeys(row for cells in measured.values() for row in cells)
    rows = [*(row for row in told if row not in titles and row != _STILL), *titles, _STILL]
    lines += [f"| {row} | " + " | ".join(cells.get(row, "–") for cells in measured.values()) + " |" for row in rows]
    read = [sum("not read" not in cells[title] for title in titles) for cells in measured.values()]
    return "\n".join([*lines, "| **read** | " + " | ".join(f"{count} of {len(titles)}" for count in read) + " |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="*", type=Path, help="those of the corpus if none are named")
    parser.add_argument("--save", type=Path, help="keep and reuse what was found, a JSON object of films")
    parser.add_argument("--look", action="store_true", help="measure anew only how it looks")
    parser.add_argument("--write", action="store_true", help="put the table into watermark/VIDEO.md")
    options = parser.parse_args()
    films = options.films or corpus_films()
    known = json.loads(options.save.read_text()) if options.save and options.save.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for path in films:
            if options.look and path.stem in known:
                known[path.stem] |= measure_look(path, Path(folder))
            elif path.stem not in known:
                known[path.stem] = measure_film(path, Path(folder))
            if options.save:
                options.save.write_text(json.dumps(known, indent=1))
    measured = {path.stem: known[path.stem] for path in films}
    print(table(measured), flush=True)
    if options.write:
        put(ROOT / "watermark" / "VIDEO.md", "video", table(measured))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
