"""Sound files: the mark written into WAV, FLAC, MP3 and M4A, and read from those, Ogg, Opus, AAC and films.

Streams at constant memory. The new file is written beside its place and renamed into it; the source is never touched.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from watermark.audio import Detector, Embedder, Locator
from watermark.errors import CarrierTooSmallError, MediaDecodeError, UnsupportedError
from watermark.sound import tags, wav
from watermark.sound.detection import AudioDetection
from watermark.sound.embed import LEAST_MS, audible
from watermark.sound.layout import RATE
from watermark.sound.opened import decoded, opened, sound_stream

WRITABLE = frozenset({"audio/wav", "audio/flac", "audio/mpeg", "audio/mp4"})
"""Media types that `mark_file` writes."""
READABLE = WRITABLE | frozenset(
    {"audio/ogg", "audio/aac", "audio/aiff", "audio/amr"}
    | {"video/mp4", "video/quicktime", "video/x-m4v", "video/webm", "video/x-matroska"}
)
"""Media types in which `detect_file` looks; of films, at their sound."""

Samples = NDArray[np.float32]
Progress = Callable[[float], None]

_MP3_KBPS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG-1, 32 kHz and more
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AAC_KBPS_LEAST = 32
_FLAC_BLOCK_MOST = 65_535  # samples: one that is damaged costs no more than itself


@dataclass
class _Marker:
    """Marks the blocks of one file and counts what can be heard in them."""

    embedder: Embedder
    rate: int
    audible: int = 0
    heard: int = 0

    def over(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        for block in blocks:
            self.heard += len(block)
            self.audible += audible(block)
            yield self.embedder.feed(block)
        yield self.embedder.flush()

    def check(self) -> None:
        """Raise CarrierTooSmallError where too little of the file could carry a mark."""
        milliseconds = self.audible * 1000 // self.rate
        if milliseconds < LEAST_MS:
            raise CarrierTooSmallError(milliseconds, LEAST_MS, "milliseconds of sound")


def mark_file(
    src: Path, dst: Path, mark_id: int, key: bytes, strength: float | None = None, progress: Progress | None = None
) -> None:
    """Write a marked copy of a sound file in the source's own format.

    Kept: sample rate, channels, bit depth (WAV 8–32 bit and floating point, FLAC 16 and 24 bit) or bit rate (MP3, M4A), tags
    and cover art. WAV keeps every byte that is not a sample.

    Args:
        src: WAV, FLAC, MP3 or M4A (AAC or ALAC); left unchanged.
        dst: Where the copy goes; replaced if it exists, in one step, when everything is written.
        mark_id: 0 ≤ id < 2⁶⁴.
        key: Secret; the same is needed to detect.
        strength: In dB, see `audio.embed`.
        progress: Called now and then with the share that is done, 0–1.
    Raises:
        MediaDecodeError: the file does not decode.
        UnsupportedError: another format, or a kind of it that is not written here.
        CarrierTooSmallError: less than two seconds that are not silent.
        OSError: the file cannot be read, or the copy not be written.
    """
    write = _writer(src)
    handle, name = tempfile.mkstemp(dir=dst.parent, prefix=f".{dst.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        write(src, part, lambda rate, channels: _Marker(Embedder(rate, channels, mark_id, key, strength), rate), progress)
        shutil.copymode(src, part)
        part.replace(dst)
    finally:
        part.unlink(missing_ok=True)


def detect_file(path: Path, keys: Sequence[bytes], *, locate: bool = False, search_s: float = math.inf) -> AudioDetection:
    """Look for a mark in the first sound track of a file; reading stops when one is found.

    Args:
        path: WAV, FLAC, MP3, M4A, OGG, Opus, AAC; sound in MP4, MOV, MKV and WebM too.
        keys: Tried in order.
        locate: Read on to the end, or once more, and give the spans that carry the mark.
        search_s: Seconds in which changes of speed are looked for, see `Detector`.
    Raises:
        MediaDecodeError: the file does not decode.
        UnsupportedError: no sound in it.
    """
    with opened(path) as container:
        stream = sound_stream(container, path)
        detector = Detector(RATE, stream.channels, keys, search_s=search_s)
        for block in decoded(container, stream, RATE):
            if detector.feed(block):
                break
        answer = detector.finish()
    if not locate or answer.key_index is None:
        return answer
    with opened(path) as container:
        stream = sound_stream(container, path)
        locator = Locator(RATE, stream.channels, answer, keys[answer.key_index])
        for block in decoded(container, stream, RATE):
            locator.feed(block)
        return locator.finish()


_Start = Callable[[int, int], _Marker]
_Writer = Callable[[Path, Path, _Start, Progress | None], None]


def _writer(src: Path) -> _Writer:
    """Choose by what the bytes say, not by the name."""
    with src.open("rb") as file:
        head = file.read(12)
        if head[:3] == b"ID3":
            file.seek(len(tags.id3_head(file)))
            head = file.read(12).ljust(12, b"\0")
    if not head:
        raise MediaDecodeError(str(src), "empty file")
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        return _mark_wav
    if head[:4] == b"fLaC":
        return _mark_flac
    if head[4:8] == b"ftyp":
        return _mark_m4a
    if head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # MPEG frame sync, layer III
        return _mark_mp3
    raise UnsupportedError(str(src), "marks are written into WAV, FLAC, MP3 and M4A only")


def _told(blocks: Iterable[Samples], total: float, progress: Progress | None) -> Iterator[Samples]:
    """Pass blocks on and tell how far they go; `total` in samples."""
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        if progress and total > 0:
            progress(min(1.0, done / total))


def _mark_wav(src: Path, part: Path, start: _Start, progress: Progress | None) -> None:
    with src.open("rb") as file, part.open("wb") as out:
        form = wav.parse(file, src)
        marker = start(form.rate, form.channels)
        _copy(file, out, 0, form.start)
        for block in marker.over(_told(wav.frames(file, form), form.size / form.frame, progress)):
            out.write(wav.pack(block, form))
        marker.check()
        _copy(file, out, form.start + form.size, None)


def _copy(file: BinaryIO, out: BinaryIO, start: int, stop: int | None) -> None:
    file.seek(start)
    while chunk := file.read(1 << 20 if stop is None else min(1 << 20, stop - file.tell())):
        out.write(chunk)


def _mark_flac(src: Path, part: Path, start: _Start, progress: Progress | None) -> None:
    """Encode anew, then put the source's metadata blocks round the new frames."""
    try:
        with src.open("rb") as file:
            blocks, _ = tags.flac_blocks(file)
    except ValueError as error:
        raise MediaDecodeError(str(src), str(error)) from error
    info = next((body for kind, body in blocks if kind == tags.STREAMINFO), b"")
    bits = (int.from_bytes(info[12:14], "big") >> 4 & 0x1F) + 1 if len(info) == 34 else 0
    if bits not in (16, 24):
        raise UnsupportedError(str(src), f"FLAC of {bits} bits")
    with tempfile.TemporaryFile(dir=part.parent) as bare:
        with opened(src) as container:
            stream = sound_stream(container, src)
            heard = _encode(bare, "flac", "flac", f"s{32 if bits == 24 else 16}", container, stream, start, progress)
            _check_length(src, info, heard / stream.rate)
        fresh, frames_at = tags.flac_blocks(bare)
        kept = [block for block in blocks if block[0] not in (tags.STREAMINFO, tags.PADDING, tags.SEEKTABLE)]
        with part.open("wb") as out:
            out.write(tags.flac_head([*(block for block in fresh if block[0] == tags.STREAMINFO), *kept]))
            _copy(bare, out, frames_at, None)


def check_whole(path: Path, seconds: float) -> None:
    """Refuse a sound that says itself that it is longer than what of it decodes: a FLAC file that is cut off.

    Args:
        path: Any sound.
        seconds: What of it decodes.
    Raises:
        MediaDecodeError: it is not whole.
    """
    with path.open("rb") as file:
        if file.read(4) != b"fLaC":
            return
        file.seek(0)
        try:
            blocks, _ = tags.flac_blocks(file)
        except ValueError as error:
            raise MediaDecodeError(str(path), str(error)) from error
    _check_length(path, next((body for kind, body in blocks if kind == tags.STREAMINFO), b""), seconds)


def _check_length(path: Path, info: bytes, seconds: float) -> None:
    """Compare what decodes with the length that a FLAC file's stream information tells; 0 is not known."""
    rate, length = int.from_bytes(info[10:13], "big") >> 4, int.from_bytes(info[13:18], "big") & (1 << 36) - 1
    if rate and length - seconds * rate > _FLAC_BLOCK_MOST:
        raise MediaDecodeError(str(path), f"is cut off or damaged: {seconds:.1f} s of {length / rate:.1f} s decode")


def _mark_mp3(src: Path, part: Path, start: _Start, progress: Progress | None) -> None:
    """Encode anew at the source's bit rate, between the source's ID3 tags."""
    with tempfile.TemporaryFile(dir=part.parent) as bare:
        with opened(src) as container:
            stream = sound_stream(container, src)
            rates = _MP3_KBPS[stream.rate >= 32_000]
            asked = (stream.bit_rate or container.bit_rate or 128_000) / 1000
            kbps = next((rate for rate in rates if rate >= asked - 1), rates[-1])
            options = {"id3v2_version": "0", "write_id3v1": "0"}
            _encode(bare, "mp3", "libmp3lame", "fltp", container, stream, start, progress, kbps * 1000, options)
        bare.seek(0)
        with src.open("rb") as file, part.open("wb") as out:
            out.write(tags.id3_head(file))
            _copy(bare, out, len(tags.id3_head(bare)), None)
            out.write(tags.id3_tail(file))


def _mark_m4a(src: Path, part: Path, start: _Start, progress: Progress | None) -> None:
    """Encode anew with the source's codec, with its tags, chapters and cover."""
    with opened(src) as container, part.open("wb") as out:
        stream = sound_stream(container, src)
        others = [other for other in container.streams if other is not stream]
        if any(not _is_cover(other) for other in others):
            raise UnsupportedError(str(src), "more than one track: not a sound file")
        codec = stream.codec_context.name
        if codec not in ("aac", "alac"):
            raise UnsupportedError(str(src), f"M4A with {codec}")
        bits_per_second = max(stream.bit_rate or 128_000, _AAC_KBPS_LEAST * 1000)
        if (stream.profile or "").startswith("HE"):
            bits_per_second *= 2  # the encoder at hand writes plain AAC-LC, which needs as much for the same sound
        form = {"s16p": "s16p", "s32p": "s32p"}.get(stream.format.name, "s16p") if codec == "alac" else "fltp"
        options = {"movflags": "+faststart", "brand": "M4A "}  # FFmpeg's own M4A writer takes no PNG covers
        rate = bits_per_second if codec == "aac" else None
        _encode(out, "mp4", codec, form, container, stream, start, progress, rate, options, covers=others)


def _is_cover(stream: Any) -> bool:
    return bool(stream.type == "video" and stream.disposition & av.stream.Disposition.attached_pic)


def _encode(
    out: Any,
    form: str,
    encoder: str,
    samples: str,
    container: Any,
    stream: av.AudioStream,
    start: _Start,
    progress: Progress | None,
    bits_per_second: int | None = None,
    options: dict[str, str] | None = None,
    covers: Sequence[Any] = (),
) -> int:
    """Mark a track and encode it into a file object; return how many samples there were."""
    marker = start(stream.rate, stream.channels)
    total = float(stream.duration * stream.time_base * stream.rate) if stream.duration and stream.time_base else 0.0
    with av.open(out, "w", format=form, options=options or {}) as target:
        written: Any = target.add_stream(encoder, rate=stream.rate)
        written.layout, written.format = stream.layout, samples
        if bits_per_second:
            written.bit_rate = bits_per_second
        pictures = {cover.index: target.add_stream_from_template(cover) for cover in covers}
        for picture in pictures.values():
            picture.disposition = av.stream.Disposition.attached_pic
        target.metadata.update(container.metadata)
        if covers:
            target.set_chapters(container.chapters())
        target.start_encoding()
        for packet in _cover_packets(container, covers):
            packet.stream = pictures[packet.stream.index]
            target.mux(packet)
        framed = av.AudioResampler(samples, stream.layout, stream.rate, frame_size=written.codec_context.frame_size or 0)
        for block in marker.over(_told(decoded(container, stream), total, progress)):
            if len(block):
                for frame in framed.resample(_frame(block, stream, samples)):
                    target.mux(written.encode(frame))
        for frame in framed.resample(None):
            target.mux(written.encode(frame))
        target.mux(written.encode(None))
    marker.check()
    return marker.heard


def _cover_packets(container: Any, covers: Sequence[Any]) -> list[Any]:
    if not covers:
        return []
    packets = [packet for packet in container.demux(*covers) if packet.size]
    container.seek(0)
    return packets


def _frame(block: Samples, stream: av.AudioStream, form: str) -> av.AudioFrame:
    """Return samples as a frame: floating point for lossy codecs, rounded to the codec's own steps for lossless ones."""
    layout = stream.layout.name
    if form.startswith("s16"):
        whole = wav.to_integers(block, 16).astype(np.int16)
    elif form.startswith("s32"):
        whole = (wav.to_integers(block, 24) << 8).astype(np.int32)
    else:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), "fltp", layout)
        frame.sample_rate = stream.rate
        return frame
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(whole).reshape(1, -1), form[:3], layout)
    frame.sample_rate = stream.rate
    return frame
