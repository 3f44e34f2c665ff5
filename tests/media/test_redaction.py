"""`redact={"gps"}`: no byte of the place is left, in any block of any container, and everything else is."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.media.samples import (
    IPTC_WITH_PLACE,
    LATITUDE,
    LONGITUDE,
    PHOTOSHOP_WITH_PLACE,
    XMP_WITH_PLACE,
    exif_block,
    jpeg_segment,
    saved,
    saved_heic,
    scene,
    with_segments,
)
from watermark import media
from watermark.media import exif, photoshop, xmp

GPS = frozenset({"gps"})
TRACES = [
    *(struct.pack(order + "I", value) for order in "<>" for value in (LATITUDE, LONGITUDE)),
    *(b"47,51.079N", b"13,24.022E", b"Salzburg", b"Austria", b"GPSL"),
]


def tagged(folder: Path, form: str, order: str) -> Path:
    """Save a picture that says where it was taken in every block its container has."""
    path, block = folder / f"a.{form}", exif_block(order)
    if form == "heic":
        return saved_heic(path, scene(), exif=block, xmp=XMP_WITH_PLACE)
    if form == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP_WITH_PLACE.decode())
        info.add_text("exif:GPSLatitude", "47,51.079N")
        info.add_text("Raw profile type iptc", "Salzburg", zip=False)
        info.add_text("Author", "Ada Lens")
        return saved(path, scene(), "PNG", exif=b"Exif\0\0" + block, pnginfo=info)
    if form == "jpg":
        saved(path, scene(), "JPEG", exif=b"Exif\0\0" + block, xmp=XMP_WITH_PLACE)
        more = jpeg_segment(0xED, b"Photoshop 3.0\0" + PHOTOSHOP_WITH_PLACE)
        unknown = jpeg_segment(0xE5, b"drone track 47,51.079N")
        path.write_bytes(with_segments(path.read_bytes(), more, unknown))
        return path
    return saved(path, scene(), form.upper(), exif=b"Exif\0\0" + block, xmp=XMP_WITH_PLACE)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["jpg", "png", "webp", "avif", "heic"])
def test_no_trace_of_the_place_is_left(form: str, order: str, tmp_path: Path) -> None:
    path, out = tagged(tmp_path, form, order), tmp_path / f"out.{form}"
    picture = media.decode(path)
    media.encode(picture, picture.pixels, out)
    assert sum(trace in out.read_bytes() for trace in TRACES) >= 3, "kept unless asked"
    media.encode(picture, picture.pixels, out, redact=GPS)
    assert [trace for trace in TRACES if trace in out.read_bytes()] == []
    after = media.decode(out)
    assert b"Colophon" in after.exif
    assert b"maker note that stays" in after.exif
    assert b"Ada Lens" in after.xmp
    if form != "heic":
        with Image.open(out) as image:
            tags = image.getexif()
            assert tags[0x010F].startswith("Colophon")
            assert tags.get_ifd(0x8825) == {}
            assert tags.get_ifd(0x8769)[0x927C] == b"maker note that stays"


def test_iptc_keeps_its_other_datasets(tmp_path: Path) -> None:
    path, out = tagged(tmp_path, "jpg", "<"), tmp_path / "out.jpg"
    picture = media.decode(path)
    media.encode(picture, picture.pixels, out, redact=GPS)
    with Image.open(out) as image:
        assert image.info["photoshop"][0x0404] == b"\x1c\x02P\x00\x08Ada Lens"


def test_tiffs_lose_their_places_too(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x010F] = "Colophon"
    tags.get_ifd(0x8825)[2] = (47.0, 51.0, LATITUDE / 1000)
    tags.load(tags.tobytes())
    tags[700], tags[33723], tags[34377] = XMP_WITH_PLACE, IPTC_WITH_PLACE, PHOTOSHOP_WITH_PLACE
    tags[34737] = "WGS 84 near Salzburg"
    path, out = saved(tmp_path / "a.tif", scene(), "TIFF", exif=tags), tmp_path / "out.tif"
    picture = media.decode(path)
    media.encode(picture, picture.pixels, out)
    assert out.read_bytes().count(b"Salzburg") == 4
    media.encode(picture, picture.pixels, out, redact=GPS)
    assert [trace for trace in TRACES if trace in out.read_bytes()] == []
    assert out.read_bytes().count(b"Ada Lens") == 3
    with Image.open(out) as image:
        assert image.getexif().get_ifd(0x8825) == {}
        assert image.getexif()[0x010F] == "Colophon"


@pytest.mark.parametrize("cut", [9, 14, 40, 90, 130])
def test_an_unreadable_exif_block_is_dropped_when_places_must_go(cut: int) -> None:
    block = exif_block(thumbnail=False)[:cut]
    assert exif.carried(block, places=False) == block
    assert exif.carried(block, places=True) == b""


@given(st.binary(max_size=300), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b""]))
def test_no_exif_block_makes_it_raise(noise: bytes, start: bytes) -> None:
    for places in (False, True):
        assert len(exif.carried(start + noise, places=places)) <= len(start + noise)
    assert 1 <= exif.orientation(start + noise) <= 8
    exif.upright(start + noise)


@given(st.data())
def test_no_damage_to_an_exif_block_makes_it_raise(data: st.DataObject) -> None:
    block = bytearray(exif_block())
    for _ in range(data.draw(st.integers(1, 8))):
        block[data.draw(st.integers(4, len(block) - 1))] = data.draw(st.integers(0, 255))
    exif.carried(bytes(block), places=True)


def test_a_gps_pointer_onto_the_first_directory_destroys_rather_than_leaks() -> None:
    block = bytearray(exif_block(thumbnail=False))
    at = block.index(struct.pack("<HHI", 0x8825, 4, 1)) + 8
    block[at : at + 4] = struct.pack("<I", 8)
    assert b"Colophon" not in exif.carried(bytes(block), places=True)


def test_xmp_is_untouched_unless_it_must_change() -> None:
    plain = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'  ><a>Ada Lens</a></x:xmpmeta>   "
    assert xmp.pruned(plain, places=False) == plain
    assert xmp.pruned(plain, places=True) == plain
    assert xmp.pruned(XMP_WITH_PLACE, places=False) == XMP_WITH_PLACE
    assert xmp.pruned(b"", places=True) == b""


def test_xmp_loses_the_link_to_another_manifest_and_its_thumbnail() -> None:
    packet = (
        b"<r:RDF xmlns:r='rdf' xmlns:dcterms='http://purl.org/dc/terms/' xmlns:xmp='http://ns.adobe.com/xap/1.0/'>"
        b"<r:Description dcterms:provenance='https://cloud/m.c2pa' xmp:Rating='4'><xmp:Thumbnails>/9j/4AAQ</xmp:Thumbnails>"
        b"</r:Description></r:RDF>"
    )
    kept = xmp.pruned(packet, places=False)
    assert b"m.c2pa" not in kept
    assert b"/9j/" not in kept
    assert b"xmp:Rating" in kept


def test_xmp_does_not_announce_what_is_not_carried() -> None:
    packet = (
        b"<r:RDF xmlns:r='rdf' xmlns:hdrgm='g' xmlns:Container='c' xmlns:GCamera='k'>"
        b"<r:Description hdrgm:Version='1.0' GCamera:MotionPhoto='1' GCamera:SpecialTypeID='x'>"
        b"<Container:Directory><r:Seq/></Container:Directory></r:Description></r:RDF>"
    )
    kept = xmp.pruned(packet, places=False)
    assert b"SpecialTypeID" in kept
    assert not any(name in kept for name in (b"hdrgm:Version", b"MotionPhoto", b"Container:Directory"))


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta exif:GPSLatitude='47'",
        b"not xml, 47,51.079N",
        b"<!DOCTYPE x [<!ENTITY a 'Salzburg'>]><x>&a;</x>",
        b"<a GPSAreaInformation='Salzburg'>" + b"<a>" * 5000 + b"</a>" * 5001,
        XMP_WITH_PLACE.decode().encode("utf-16"),
    ],
)
def test_xmp_that_cannot_be_vouched_for_is_dropped_when_places_must_go(packet: bytes) -> None:
    assert b"Salz" not in xmp.pruned(packet, places=True).replace(b"\0", b"")
    assert xmp.pruned(packet, places=False) == packet


def test_xmp_entities_do_not_multiply() -> None:
    bomb = b"<!DOCTYPE x [<!ENTITY a0 'ha'>" + b"".join(
        b"<!ENTITY a%d '&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;'>" % (i, *[i - 1] * 8) for i in range(1, 30)
    )
    assert xmp.pruned(bomb + b"]><x>&a29;</x>", places=True) == b""


@given(st.binary(max_size=80))
def test_no_image_resources_make_it_raise(noise: bytes) -> None:
    for block in (noise, b"8BIM" + noise, PHOTOSHOP_WITH_PLACE + noise):
        photoshop.pruned(block, places=True)
        photoshop.pruned(block, places=False)


def test_the_digest_of_changed_iptc_goes_with_it() -> None:
    block = PHOTOSHOP_WITH_PLACE + b"8BIM\x04\x25\0\0\0\0\0\x10" + bytes(16)
    assert photoshop.pruned(block, places=False) == block
    assert b"\x04\x25" not in photoshop.pruned(block, places=True)
