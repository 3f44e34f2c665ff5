"""Every container that carries credentials is known by its bytes; names break ties only."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watermark.media import HEAD_BYTES, sniff

C2PA_JUMBF = b"\0\0\x01\0jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa\0"


def zipped(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def tiff(order: str, *tags: int) -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    return head + b"".join(struct.pack(order + "HHII", tag, 3, 1, 0) for tag in tags) + bytes(4)


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    return struct.pack(">I4s4sI", 16 + 4 * len(compatible), b"ftyp", major, 0) + b"".join(compatible)


KNOWN = {
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    "png": (b"\x89PNG\r\n\x1a\n", "image/png"),
    "webp": (b"RIFF\0\1\0\0WEBPVP8 ", "image/webp"),
    "avif": (ftyp(b"avif", b"mif1"), "image/avif"),
    "avif by compatible brand": (ftyp(b"mif1", b"miaf", b"avif"), "image/avif"),
    "heic": (ftyp(b"heic", b"mif1"), "image/heic"),
    "heic 10 bit": (ftyp(b"heix", b"mif1"), "image/heic"),
    "heif": (ftyp(b"mif1", b"heic"), "image/heif"),
    "tiff little": (tiff("<", 256, 257), "image/tiff"),
    "tiff big": (tiff(">", 256, 257), "image/tiff"),
    "dng": (tiff("<", 256, 0xC612), "image/x-adobe-dng"),
    "cr2": (b"II*\0\x10\0\0\0CR\2\0", "image/x-canon-cr2"),
    "gif": (b"GIF89a", "image/gif"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    "svg behind a prolog": (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x -->\n<svg:svg >", "image/svg+xml"),
    "jxl stream": (b"\xff\x0a\xfa", "image/jxl"),
    "jxl boxes": (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    "bmp": (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "image/bmp"),
    "pdf": (b"\n%PDF-1.7", "application/pdf"),
    "mp4": (ftyp(b"isom", b"mp41"), "video/mp4"),
    "mp4 segment": (b"\0\0\0\x18styp", "video/mp4"),
    "mov": (ftyp(b"qt  "), "video/quicktime"),
    "mov of old": (b"\0\0\0\x08wide\0\0\1\0mdat", "video/quicktime"),
    "m4v": (ftyp(b"M4V ", b"isom"), "video/x-m4v"),
    "m4a": (ftyp(b"M4A ", b"isom"), "audio/mp4"),
    "avi": (b"RIFF\0\1\0\0AVI LIST", "video/x-msvideo"),
    "wav": (b"RIFF\0\1\0\0WAVEfmt ", "audio/wav"),
    "mp3 tagged": (b"ID3\4\0\0\0\0\0\0", "audio/mpeg"),
    "mp3": (b"\xff\xfb\x90\x64", "audio/mpeg"),
    "aac": (b"\xff\xf1\x50\x80", "audio/aac"),
    "aac behind a tag": (b"ID3\4\0\0\0\0\0\2..\xff\xf1\x50\x80", "audio/aac"),
    "flac": (b"fLaC\0", "audio/flac"),
    "ogg": (b"OggS\0\2" + bytes(22) + b"OpusHead", "audio/ogg"),
    "aiff": (b"FORM\0\0\0\0AIFF", "audio/aiff"),
    "webm": (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84webm", "video/webm"),
    "mkv": (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x88matroska", "video/x-matroska"),
    "docx": (zipped(a=b"", word__document=b""), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "xlsx": (zipped(xl__workbook=b""), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "pptx": (zipped(ppt__x=b""), "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    "odt": (
        zipped(mimetype=b"application/vnd.oasis.opendocument.text"),
        "application/vnd.oasis.opendocument.text",
    ),
    "epub": (zipped(mimetype=b"application/epub+zip"), "application/epub+zip"),
    "zip": (zipped(a=b"x"), "application/zip"),
    "c2pa": (C2PA_JUMBF, "application/c2pa"),
}


@pytest.mark.parametrize("case", KNOWN)
def test_bytes_tell_the_type(case: str) -> None:
    head, expected = KNOWN[case]
    assert sniff(head) == expected


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (tiff("<", 256), "photo.NEF", "image/x-nikon-nef"),
        (tiff(">", 256), "photo.arw", "image/x-sony-arw"),
        (ftyp(b"isom"), "voice.m4a", "audio/mp4"),
        (zipped(a=b""), "letter.docx", KNOWN["docx"][1]),
        (b"<drawing/>", "logo.svg", "image/svg+xml"),
    ],
    ids=["nef", "arw", "m4a", "docx", "svg"],  # not from the bytes: an archive holds the second it was made in
)
def test_names_break_ties(head: bytes, name: str, expected: str) -> None:
    assert sniff(head, name) == expected


@pytest.mark.parametrize("head", [b"", b"\xff\xd8", b"RIFF", b"RIFF\0\0\0\0RMID", b"hello", b"<html>", b"\0" * 40, b"BM" * 9])
def test_the_unknown_is_unknown_whatever_its_name(head: bytes) -> None:
    assert sniff(head, "photo.jpg") is None


def test_a_lying_name_changes_nothing() -> None:
    assert sniff(KNOWN["png"][0], "photo.svg") == "image/png"


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"ID3", b"PK\3\4", b"II*\0", b"\0\0\0\x20ftyp", b"RIFF"]), st.text(max_size=9)
)
def test_no_bytes_make_it_raise(tail: bytes, start: bytes, name: str) -> None:
    assert sniff(start + tail, name) is None or "/" in str(sniff(start + tail, name))


def test_the_corpus_is_recognised(corpus: Path) -> None:
    expected = {
        ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".avif": "image/avif", ".gif": "image/gif",
        ".jxl": "image/jxl", ".pdf": "application/pdf", ".mp4": "video/mp4", ".avi": "video/x-msvideo", ".wav": "audio/wav",
        ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg", ".dng": "image/x-adobe-dng", ".heic": "image/heic",
        ".heif": "image/heif", ".tif": "image/tiff", ".svg": "image/svg+xml", ".c2pa": "application/c2pa", ".m4s": "video/mp4",
    }  # fmt: skip
    files = [path for path in corpus.rglob("*") if path.suffix.lower() in expected]
    assert len(files) > 80
    for path in files:
        with path.open("rb") as file:
            assert sniff(file.read(HEAD_BYTES), path.name) == expected[path.suffix.lower()], path.name
