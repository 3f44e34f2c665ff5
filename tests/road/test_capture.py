"""Signing real photos: what the manifest says, what is kept, and that nothing half-made is ever left."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
import numpy as np
import pytest
from PIL import Image

from api.wiring import House
from keys.errors import KeysError
from provenance import sdk, tasks
from provenance.capture import SignRequest, sign
from provenance.credential import Credential, SoftBinding
from provenance.errors import AlreadySignedError, InputError, OutputError, SigningError, UnsupportedMediaError
from provenance.finishing import Signed
from provenance.verdict import Status
from watermark import media
from watermark.errors import CarrierTooSmallError


def credential(path: Path) -> Credential:
    with path.open("rb") as stream:
        found = sdk.read(stream, media.sniff(path.read_bytes()[:8192], path.name))
    assert isinstance(found, Credential)
    return found


def test_what_the_manifest_says(signed: Signed) -> None:
    manifest = credential(signed.path).manifest
    assert [a.name for a in manifest.actions] == ["c2pa.created", "c2pa.watermarked.bound"]
    assert manifest.actions[0].source_type == "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    assert manifest.all_actions_included
    assert signed.binding is not None
    assert manifest.bindings == (SoftBinding("org.colophon.mark.image.1", signed.binding.value),)
    assert manifest.sealed is not None
    claim = cbor2.loads(manifest.sealed.claim)
    created = {entry["url"].rsplit("/", 1)[-1] for entry in claim["created_assertions"]}
    assert {"c2pa.actions.v2", "c2pa.soft-binding", "c2pa.thumbnail.claim"} <= created
    actions = cbor2.loads(manifest.sealed.assertions["c2pa.actions.v2"])["actions"]
    assert actions[1]["parameters"]["org.colophon.softBinding"].endswith("c2pa.soft-binding")


def test_signed_by_the_development_key_and_stamped(signed: Signed) -> None:
    assert signed.verdict.status is Status.TRUSTED
    assert signed.development
    assert signed.time_state == "trusted"
    assert signed.registered


def test_openssl_accepts_the_time_stamp(signed: Signed, house: House, tmp_path: Path) -> None:
    """An outside reader agrees: the token in the file is a real one."""
    sealed = credential(signed.path).manifest.sealed
    assert sealed is not None
    (header, token) = sealed.stamps[0]
    assert header == "sigTst2"
    from keys.timestamp import message_v2

    (tmp_path / "token.der").write_bytes(token)
    (tmp_path / "message").write_bytes(message_v2(sealed.protected, sealed.signature))
    root = next(entry for entry in house.keystore.development_lists() if entry.kind == "tsa").anchors[0]
    from cryptography.hazmat.primitives.serialization import Encoding

    (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    command = ["openssl", "ts", "-verify", "-in", "token.der", "-token_in", "-data", "message", "-CAfile", "root.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


def test_the_source_is_never_touched(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    source = tmp_path / "a.jpg"
    shutil.copy(photo, source)
    before = (hashlib.sha256(source.read_bytes()).digest(), source.stat().st_mtime_ns)
    sign(SignRequest(source, tmp_path / "b.jpg"), house.studio(), at=at)
    assert (hashlib.sha256(source.read_bytes()).digest(), source.stat().st_mtime_ns) == before
    assert {p.name for p in tmp_path.iterdir()} == {"a.jpg", "b.jpg"}


def test_same_tables_and_looks_the_same(signed: Signed, photo: Path) -> None:
    with Image.open(photo) as a, Image.open(signed.path) as b:
        assert a.quantization == b.quantization  # type: ignore[attr-defined]
        x, y = (np.asarray(i.convert("RGB"), np.float64) for i in (a, b))
    # the mark at 42 dB or better, and a second pass through a coarse quantiser
    assert 10 * np.log10(255**2 / np.mean((x - y) ** 2)) > 36


@pytest.mark.slow
@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_every_markable_container(form: str, house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    if form == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    source = tmp_path / f"a.{form.lower()}"
    with Image.open(photo) as image:
        image.resize((640, 427)).save(source, form)
    done = sign(SignRequest(source, tmp_path / f"b.{form.lower()}"), house.studio(), at=at)
    assert done.verdict.status is Status.TRUSTED
    assert done.binding is not None


@pytest.mark.parametrize("name", ["sample1.svg", "sample1.jxl", "basic.pdf", "test.avi"])
def test_other_containers_are_signed_without_a_mark(name: str, corpus: Path, house: House, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(corpus / "c2pa" / "unsigned" / name, tmp_path / name), house.studio(), at=at)
    assert done.verdict.status is Status.TRUSTED
    assert done.binding is None
    assert any("without a mark" in note for note in done.notes)


def test_no_mark_wanted_leaves_every_pixel(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(photo, tmp_path / "b.jpg", mark="none"), house.studio(), at=at)
    with Image.open(photo) as a, Image.open(done.path) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))
    assert done.binding is None


def test_gps_is_left_out_when_asked(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    source = tmp_path / "a.jpg"
    with Image.open(photo) as image:
        exif = Image.Exif()
        exif[0x010F] = "Maker of cameras"
        exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
        image.save(source, exif=exif, quality=92)
    for mark in ("auto", "none"):
        out = tmp_path / f"{mark}.jpg"
        sign(SignRequest(source, out, mark=mark, redact=frozenset({"gps"})), house.studio(), at=at)
        with Image.open(out) as image:
            assert image.getexif()[0x010F] == "Maker of cameras"
            assert not image.getexif().get_ifd(0x8825)


def test_too_small_for_a_mark_says_so(house: House, tmp_path: Path, at: datetime) -> None:
    source = tmp_path / "tiny.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)).save(source)
    done = sign(SignRequest(source, tmp_path / "out.png"), house.studio(), at=at)
    assert done.binding is None
    assert any("no mark" in note for note in done.notes)
    with pytest.raises(CarrierTooSmallError):
        sign(SignRequest(source, tmp_path / "x.png", mark="org.colophon.mark.image.1"), house.studio(), at=at)


def test_a_signed_file_is_not_signed_as_new(signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    with pytest.raises(AlreadySignedError, match="carries a credential"):
        sign(SignRequest(signed.path, tmp_path / "again.jpg"), house.studio(), at=at)


def test_offline_signs_and_queues(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(photo, tmp_path / "b.jpg"), house.studio(offline=True), at=at)
    assert done.time_state == "queued"
    due = {entry.manifest_id: entry.due for entry in house.registry.stamp_queue()}
    assert timedelta(days=1) < due[done.manifest_id] - at <= timedelta(days=90)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://127.0.0.1:1/tsa"])
def test_a_dead_authority_does_not_stop_a_capture(url: str, house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    cut_off = replace(house, tsa_url=url)
    done = sign(SignRequest(photo, tmp_path / "b.jpg"), cut_off.studio(), at=at)
    assert done.time_state == "queued"


def test_an_authority_that_fails_after_its_probe(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    studio = replace(house.studio(), tsa=lambda: "http://127.0.0.1:9/")
    assert sign(SignRequest(photo, tmp_path / "b.jpg"), studio, at=at).time_state == "queued"


def test_unregistered_on_request(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(photo, tmp_path / "b.jpg", register=False), house.studio(), at=at)
    assert not done.registered
    assert house.registry.asset(done.asset_id) is None


class TestBadInput:
    """One clear error each; the folder is left as it was."""

    @pytest.fixture(autouse=True)
    def _nothing_is_left(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "out"
        self.folder.mkdir()

    def refuse(self, house: House, source: Path, at: datetime, kind: type[Exception], match: str, **options: object) -> None:
        request = replace(SignRequest(source, self.folder / "out.jpg"), **options)  # type: ignore[arg-type]
        with pytest.raises(kind, match=match):
            sign(request, house.studio(), at=at)
        assert list(self.folder.iterdir()) == []

    def test_missing(self, house: House, tmp_path: Path, at: datetime) -> None:
        self.refuse(house, tmp_path / "absent.jpg", at, InputError, "no such file")

    def test_empty(self, house: House, tmp_path: Path, at: datetime) -> None:
        (tmp_path / "a.jpg").touch()
        self.refuse(house, tmp_path / "a.jpg", at, InputError, "is empty")

    def test_folder(self, house: House, tmp_path: Path, at: datetime) -> None:
        self.refuse(house, tmp_path, at, InputError, "folder")

    def test_unknown_kind(self, house: House, tmp_path: Path, at: datetime) -> None:
        (tmp_path / "a.jpg").write_bytes(b"just some words, no picture at all")
        self.refuse(house, tmp_path / "a.jpg", at, UnsupportedMediaError, "no kind that is known")

    def test_kind_that_holds_no_credential(self, house: House, tmp_path: Path, at: datetime) -> None:
        Image.new("RGB", (64, 64)).save(tmp_path / "a.bmp")
        self.refuse(house, tmp_path / "a.bmp", at, UnsupportedMediaError, "cannot hold a credential")

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
    def test_truncated(self, share: float, house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
        data = photo.read_bytes()
        (tmp_path / "a.jpg").write_bytes(data[: int(len(data) * share)])
        self.refuse(house, tmp_path / "a.jpg", at, InputError, "a.jpg")

    def test_unknown_source_type(self, house: House, photo: Path, at: datetime) -> None:
        self.refuse(house, photo, at, ValueError, "source type", source_type="hearsay")

    def test_unknown_key(self, house: House, photo: Path, at: datetime) -> None:
        with pytest.raises((KeysError, SigningError)):
            sign(SignRequest(photo, self.folder / "out.jpg"), house.studio("nobody"), at=at)
        assert list(self.folder.iterdir()) == []

    def test_over_itself(self, house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
        source = tmp_path / "a.jpg"
        shutil.copy(photo, source)
        link = tmp_path / "link.jpg"
        link.symlink_to(source)
        for destination in (source, link, tmp_path / "out" / ".." / "a.jpg"):
            with pytest.raises(OutputError, match="overwrite the input"):
                sign(SignRequest(source, destination), house.studio(), at=at)
        assert source.read_bytes() == photo.read_bytes()

    def test_destination_is_a_folder(self, house: House, photo: Path, at: datetime) -> None:
        with pytest.raises(OutputError, match="is a folder"):
            sign(SignRequest(photo, self.folder), house.studio(), at=at)

    def test_folder_that_is_not_there(self, house: House, photo: Path, at: datetime) -> None:
        with pytest.raises(OutputError, match=r"nowhere/out\.jpg"):
            sign(SignRequest(photo, self.folder / "nowhere" / "out.jpg"), house.studio(), at=at)

    def test_expired_leaf(self, house: House, photo: Path) -> None:
        """Signing long after the leaf's end: the result would not hold, so there is none."""
        late = datetime.now(UTC) + timedelta(days=400)
        studio = house.studio(offline=True)
        with pytest.raises(SigningError, match="not valid at the time"):
            sign(SignRequest(photo, self.folder / "out.jpg"), studio, at=late)
        assert list(self.folder.iterdir()) == []


def test_an_older_file_stays_when_signing_fails(house: House, tmp_path: Path, at: datetime) -> None:
    old = tmp_path / "out.jpg"
    old.write_bytes(b"what was here before")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    with pytest.raises(InputError):
        sign(SignRequest(tmp_path / "a.jpg", old), house.studio(), at=at)
    assert old.read_bytes() == b"what was here before"


def test_png_with_alpha_and_depth(house: House, tmp_path: Path, at: datetime) -> None:
    import cv2

    rng = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(rng.integers(0, 65535, (600, 600, 4)).astype(np.uint16), (0, 0), 3)
    smooth[:, :300, 3] = 0
    (tmp_path / "deep.png").write_bytes(cv2.imencode(".png", smooth)[1].tobytes())
    done = sign(SignRequest(tmp_path / "deep.png", tmp_path / "out.png"), house.studio(), at=at)
    back = cv2.imdecode(np.frombuffer(done.path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert back is not None
    assert back.dtype == np.uint16
    assert np.array_equal(back[:, :, 3], smooth[:, :, 3])
    assert np.array_equal(back[:, :300], smooth[:, :300])
    assert not np.array_equal(back[:, 300:], smooth[:, 300:])


def test_the_thumbnail_is_ours_and_small(signed: Signed) -> None:
    found = credential(signed.path)
    at = found.store.find(b"\xff\xd8\xff")
    with Image.open(io.BytesIO(found.store[at:])) as image:
        assert max(image.size) <= 256


@pytest.mark.slow
@pytest.mark.parametrize("quality", [40, 75])
def test_a_coarse_source_still_carries_its_mark(quality: int, house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    """Decoded samples lie on the quantiser's own grid, which rounds a faint mark away: then the copy is finer."""
    with Image.open(photo) as image:
        image.convert("RGB").save(tmp_path / "a.jpg", quality=quality)
    done = sign(SignRequest(tmp_path / "a.jpg", tmp_path / "b.jpg"), house.studio(), at=at)
    assert done.binding is not None
    read = tasks.read_pixels(str(done.path), house.desk.mark_keys).detection
    assert read.mark_id == int(done.binding.value, 16)
    assert done.path.stat().st_size < 2 * (tmp_path / "a.jpg").stat().st_size
