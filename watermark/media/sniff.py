"""What a file is, from its first bytes (as in WHATWG MIME Sniffing, for the containers that carry credentials)."""

from __future__ import annotations

import re
import struct
from pathlib import PurePath

HEAD_BYTES = 4096
"""How much of a file `sniff` wants to see; less may do."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\xff\x0a", "image/jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"fLaC", "audio/flac"),
    (b"ADIF", "audio/aac"),
    (b"#!AMR", "audio/amr"),
)
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_BRANDS: tuple[tuple[frozenset[bytes], str], ...] = (
    (frozenset({b"avif", b"avis"}), "image/avif"),
    (frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}), "image/heic"),
    (frozenset({b"M4A ", b"M4B ", b"M4P "}), "audio/mp4"),
    (frozenset({b"M4V ", b"M4VH", b"M4VP"}), "video/x-m4v"),
    (frozenset({b"qt  "}), "video/quicktime"),
)
_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}  # a QuickTime file older than `ftyp`
_C2PA_UUID = bytes.fromhex("6332706100110010800000aa00389b71")  # C2PA 2.2 §11.1.4.2: the manifest store's JUMBF type

_BY_NAME = {
    ".nef": "image/x-nikon-nef",
    ".arw": "image/x-sony-arw",
    ".dng": "image/x-adobe-dng",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".m4a": "audio/mp4",
    ".m4v": "video/x-m4v",
    ".svg": "image/svg+xml",
}
_OFFICE = ((b"word/", ".docx"), (b"xl/", ".xlsx"), (b"ppt/", ".pptx"))


def sniff(head: bytes, name: str = "") -> str | None:
    """Return the MIME type of a file, or None.

    Args:
        head: The first bytes; `HEAD_BYTES` of them are enough.
        name: Its name, which breaks ties only: raw photos among TIFFs, office documents among ZIPs, sound among MP4s.
    """
    suffix = PurePath(name).suffix.lower()
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff(head, suffix)
    if head[:4] == b"OggS":
        return "video/ogg" if b"\x80theora" in head[:512] else "audio/ogg"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return _zip(head, suffix)
    return _boxes(head, suffix) or _sound(head) or _text_or_bitmap(head, suffix)


def _tiff(head: bytes, suffix: str) -> str:
    order = "<" if head[:2] == b"II" else ">"
    if head[8:10] == b"CR":
        return "image/x-canon-cr2"
    try:
        (ifd,) = struct.unpack_from(order + "I", head, 4)
        (count,) = struct.unpack_from(order + "H", head, ifd)
        tags = {struct.unpack_from(order + "H", head, ifd + 2 + 12 * i)[0] for i in range(count)}
        if 0xC612 in tags:  # DNGVersion
            return "image/x-adobe-dng"
    except struct.error:
        pass  # the directory lies further on: the name decides
    return _BY_NAME[suffix] if suffix in (".nef", ".arw", ".dng") else "image/tiff"


def _zip(head: bytes, suffix: str) -> str:
    """ODF and EPUB begin with a stored entry `mimetype`; OOXML shows by the folders it holds, or by its name."""
    if head[30:38] == b"mimetype" and len(head) >= 38:
        (size,) = struct.unpack_from("<I", head, 18)
        (extra,) = struct.unpack_from("<H", head, 28)
        content = head[38 + extra : 38 + extra + size]
        if re.fullmatch(rb"application/[\w.+-]{1,100}", content):
            return content.decode("ascii")
    for folder, office in _OFFICE:
        if folder in head or suffix == office:
            return _BY_NAME[office]
    return "application/zip"


def _boxes(head: bytes, suffix: str) -> str | None:
    kind = head[4:8]
    if kind == b"jumb" and _C2PA_UUID in head[:64]:
        return "application/c2pa"
    if kind in (b"styp", b"moof", b"sidx"):
        return "video/mp4"
    if kind in _BOXES:
        return "video/quicktime"
    if kind != b"ftyp":
        return None
    size = min(int.from_bytes(head[:4]), len(head), 256)
    major, others = head[8:12], {head[at : at + 4] for at in range(16, size, 4)}
    for brands, media_type in _BRANDS:
        if major in brands:
            return media_type
    if major in (b"mif1", b"msf1"):  # a still picture in general: what codes it, the compatible brands say
        return "image/avif" if others & _BRANDS[0][0] else "image/heif"
    return _BY_NAME[suffix] if suffix in (".m4a", ".m4v") else "video/mp4"


def _sound(head: bytes) -> str | None:
    if head[:3] == b"ID3" and len(head) >= 10:
        size = (head[6] & 127) << 21 | (head[7] & 127) << 14 | (head[8] & 127) << 7 | head[9] & 127
        return _frame(head[10 + size :]) or "audio/mpeg"
    return _frame(head)


def _frame(head: bytes) -> str | None:
    """Recognise an MPEG audio frame (ISO 11172-3 §2.4.1.3) or an ADTS one (ISO 14496-3 §1.A.2.2) by its header."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return "audio/flac" if head[:4] == b"fLaC" else None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        return "audio/aac" if head[1] & 0xF0 == 0xF0 and head[2] >> 2 & 15 < 13 else None
    return "audio/mpeg" if version != 1 and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3 else None


def _text_or_bitmap(head: bytes, suffix: str) -> str | None:
    if head[:2] == b"BM" and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in (12, 40, 108, 124):
        return "image/bmp"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if re.match(rb"<svg[\s>/]", text) or (text[:2] in (b"<?", b"<!") and re.search(rb"<(\w+:)?svg[\s>/]", text)):
        return "image/svg+xml"
    return "image/svg+xml" if suffix == ".svg" and text[:1] == b"<" else None
