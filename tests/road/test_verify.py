"""Every word of the contract, reached on real photos the way that it is reached out there."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from api.wiring import House
from provenance import tasks
from provenance.capture import SignRequest, sign
from provenance.edit import EditRequest, edit
from provenance.errors import BudgetError, InputError
from provenance.feed import public_status
from provenance.find import find
from provenance.finishing import Signed
from provenance.isolation import Budget, Workers
from provenance.store.registry import Binding, Registration
from provenance.verdict import Status, Verdict
from provenance.verify import verify


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def social(path: Path, out: Path, side: int = 1080, quality: int = 75) -> Path:
    """What a platform does: scale, encode again, drop everything that is not a pixel."""
    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        small.save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return out


def judge(path: Path, house: House, at: datetime) -> Verdict:
    return verify(path, house.desk, at=at).verdict


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


def test_intact(signed: Signed, house: House, at: datetime) -> None:
    found = judge(signed.path, house, at)
    assert found.status is Status.TRUSTED
    assert found.asset.id == signed.asset_id
    assert "mark.own" in codes(found)
    assert found.signals[0] == "inception:capturedMedia"


@pytest.mark.parametrize(("side", "quality"), [(1080, 75), (600, 60)])
def test_stripped_copy_is_recovered(side: int, quality: int, signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    found = judge(social(signed.path, tmp_path / "copy.jpg", side, quality), house, at)
    assert found.status is Status.RECOVERED
    assert found.asset.id == signed.asset_id
    assert found.credential.manifest_id == signed.manifest_id
    assert found.credential.source == "recovered"
    assert found.credential.signature == "verified"
    assert found.credential.binding == "mismatch"
    assert found.credential.time.at is not None
    assert found.mark.value == (signed.binding and signed.binding.value)
    assert (found.mark.fit or 0) > 0.95
    assert found.mark.transform is not None
    assert found.mark.transform.scale == pytest.approx(min(side / 960, 1), abs=0.01)


def test_pasted_head_is_altered_and_located(signed: Signed, other: Path, house: House, tmp_path: Path, at: datetime) -> None:
    copy = Image.fromarray(pixels(signed.path))
    with Image.open(other) as portrait:
        head = portrait.convert("RGB").crop((160, 20, 340, 220)).resize((170, 190))
    copy.paste(head, (600, 300))
    copy.save(tmp_path / "pasted.jpg", quality=85)
    result = verify(social(tmp_path / "pasted.jpg", tmp_path / "copy.jpg"), house.desk, at=at, pictures=True)
    assert result.verdict.status is Status.ALTERED
    (change, *_) = result.verdict.changes
    middle = (change.x + change.w / 2, change.y + change.h / 2)
    assert middle == pytest.approx((685 / 960, 395 / 640), abs=0.05)
    for picture in (result.pictures.copy, result.pictures.reference, result.pictures.changes):
        assert picture is not None
        with Image.open(io.BytesIO(picture)) as image:
            assert max(image.size) <= 1024
    assert not any(s.startswith("transformation:") for s in result.verdict.signals)


def test_unmarked_photo_is_none(other: Path, house: House, at: datetime) -> None:
    found = judge(other, house, at)
    assert found.status is Status.NONE
    assert not found.mark.found
    assert found.not_checked == ()


def test_what_nobody_looked_for_was_not_missed(other: Path, house: House, at: datetime) -> None:
    found = verify(other, house.desk, at=at, marks=False).verdict
    assert found.status is Status.NONE
    assert "no mark was looked for" in found.summary
    assert "mark" in found.not_checked


def test_mark_copied_onto_another_photo_is_a_conflict(
    signed: Signed, photo: Path, other: Path, house: House, tmp_path: Path, at: datetime
) -> None:
    mark = pixels(signed.path).astype(int) - pixels(photo)
    with Image.open(other) as image:
        host = np.asarray(image.convert("RGB").resize((mark.shape[1], mark.shape[0]))).astype(int)
    Image.fromarray(np.clip(host + 1.5 * mark, 0, 255).astype(np.uint8)).save(tmp_path / "forged.jpg", quality=92)
    found = judge(tmp_path / "forged.jpg", house, at)
    assert found.mark.found, "the copy attack must reach the detector to prove anything"
    assert found.status is Status.CONFLICT
    assert "content.foreign" in codes(found)


def test_transplanted_manifest_over_other_content(
    signed: Signed, other: Path, house: House, tmp_path: Path, at: datetime
) -> None:
    data = signed.path.read_bytes()
    app11 = data[data.index(b"\xff\xeb") : _end_of_app11(data)]
    with Image.open(other) as image:
        plain = io.BytesIO()
        image.convert("RGB").save(plain, "JPEG", quality=90)
    (tmp_path / "t.jpg").write_bytes(plain.getvalue()[:2] + app11 + plain.getvalue()[2:])
    found = judge(tmp_path / "t.jpg", house, at)
    assert found.status is Status.CONFLICT
    assert found.credential.signature == "verified"
    assert found.credential.binding == "mismatch"


def test_manifest_kept_through_a_re_encode_is_recovered(signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    data = signed.path.read_bytes()
    app11 = data[data.index(b"\xff\xeb") : _end_of_app11(data)]
    plain = io.BytesIO()
    Image.fromarray(pixels(signed.path)).save(plain, "JPEG", quality=80)
    (tmp_path / "k.jpg").write_bytes(plain.getvalue()[:2] + app11 + plain.getvalue()[2:])
    found = judge(tmp_path / "k.jpg", house, at)
    assert found.status is Status.RECOVERED
    assert "credential.mismatch" in codes(found)


def _end_of_app11(data: bytes) -> int:
    at = data.index(b"\xff\xeb")
    while data[at : at + 2] == b"\xff\xeb":
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return at


def test_damaged_manifest_of_an_unmarked_file_is_invalid(house: House, unseen: Path, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(unseen, tmp_path / "a.jpg", mark="none", register=False), house.studio(), at=at)
    data = bytearray(done.path.read_bytes())
    place = data.index(b"c2pa.signature") + 400
    data[place : place + 16] = bytes(16)
    done.path.write_bytes(data)
    found = judge(done.path, house, at)
    assert found.status is Status.INVALID
    assert "credential" in found.summary
    assert "nothing else led to its origin" in found.summary


def test_a_byte_changed_with_nothing_registered_is_altered(house: House, unseen: Path, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(unseen, tmp_path / "a.jpg", mark="none", register=False), house.studio(), at=at)
    data = bytearray(done.path.read_bytes())
    data[-3000] ^= 1
    done.path.write_bytes(data)
    found = judge(done.path, house, at)
    assert found.status is Status.ALTERED
    assert found.changes == ()


def test_mark_that_nobody_registered_is_unknown_not_none(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(photo, tmp_path / "a.jpg", register=False), house.studio(), at=at)
    found = judge(social(done.path, tmp_path / "copy.jpg"), house, at)
    assert found.status is Status.UNKNOWN
    assert "mark.unregistered" in codes(found)


def test_hijacked_binding_is_a_conflict(house: House, photo: Path, signed: Signed, tmp_path: Path, at: datetime) -> None:
    """Somebody registers a manifest under a mark that its signed claim does not carry."""
    victim = sign(SignRequest(photo, tmp_path / "v.jpg", register=False), house.studio(), at=at)
    assert victim.binding is not None
    record = house.registry.asset(signed.asset_id)
    assert record is not None
    thief = sign(SignRequest(photo, tmp_path / "t.jpg", mark="none", register=False), house.studio(), at=at)
    from provenance import sdk

    with thief.path.open("rb") as stream:
        stolen = sdk.read(stream, "image/jpeg")
    assert hasattr(stolen, "store")
    house.registry.register(
        Registration(
            asset_id="hijacker",
            sha256=thief.sha256,
            media_type="image/jpeg",
            manifest_id=thief.manifest_id,
            manifest_store=stolen.store,
            signer_name="x",
            signer_fingerprint="00",
            signed_at=at,
            time_state="absent",
            action="registered",
            width=record.width,
            height=record.height,
            bindings=(Binding(victim.binding.alg, victim.binding.value),),
            reference=house.registry.reference(signed.asset_id),
            reference_media_type="image/webp",
        ),
        at=at,
    )
    found = judge(social(victim.path, tmp_path / "copy.jpg"), house, at)
    assert found.status is Status.CONFLICT
    assert "record.unproven" in codes(found)


def test_valid_manifest_over_anothers_mark_is_a_conflict(signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    stripped = tmp_path / "stripped.png"
    Image.fromarray(pixels(signed.path)).save(stripped)
    thief = sign(SignRequest(stripped, tmp_path / "mine.png", mark="none"), house.studio(), at=at)
    found = judge(thief.path, house, at)
    assert found.status is Status.CONFLICT
    assert "mark.other" in codes(found)


def test_fingerprint_leads_where_the_mark_is_gone(house: House, other: Path, tmp_path: Path, at: datetime) -> None:
    done = sign(SignRequest(other, tmp_path / "a.png", mark="none"), house.studio(), at=at)
    found = judge(social(done.path, tmp_path / "copy.jpg", 400), house, at)
    assert found.status is Status.RECOVERED
    assert "Its fingerprint leads" in found.summary
    house.registry.withdraw(done.asset_id, "shown by mistake", at)
    assert judge(tmp_path / "copy.jpg", house, at).status is Status.REVOKED
    assert judge(done.path, house, at).status is Status.REVOKED


def test_revoked_signer(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    """What was stamped before the revocation stays good; what was not, is revoked."""
    stamped = sign(SignRequest(photo, tmp_path / "s.jpg", mark="none", register=False), house.studio(), at=at)
    bare = sign(SignRequest(photo, tmp_path / "b.jpg", mark="none", register=False), house.studio(offline=True), at=at)
    signer = stamped.verdict.credential.signer
    assert signer is not None

    class Revoking:
        """The real registry, in which this one key was revoked an hour from now."""

        def __getattr__(self, name: str) -> object:
            return getattr(house.registry, name)

        def revocation(self, fingerprint: str) -> object:
            from provenance.store.registry import Revocation

            if f"sha256:{fingerprint}" != signer.fingerprint:
                return None
            return Revocation(fingerprint, "keyCompromise", at + timedelta(hours=1))

    desk = replace(house.desk, registry=Revoking())  # type: ignore[arg-type]
    late = at + timedelta(hours=2)
    assert verify(stamped.path, desk, at=late, marks=False).verdict.status is Status.TRUSTED
    found = verify(bare.path, desk, at=late, marks=False).verdict
    assert found.status is Status.REVOKED
    assert found.credential.revocation.source == "registry"


def test_expired_without_a_stamp(house: House, photo: Path, tmp_path: Path, at: datetime) -> None:
    stamped = sign(SignRequest(photo, tmp_path / "s.jpg", mark="none", register=False), house.studio(), at=at)
    bare = sign(SignRequest(photo, tmp_path / "b.jpg", mark="none", register=False), house.studio(offline=True), at=at)
    late = at + timedelta(days=400)
    assert verify(stamped.path, house.desk, at=late, marks=False).verdict.status is Status.TRUSTED
    found = verify(bare.path, house.desk, at=late, marks=False).verdict
    assert found.status is Status.INVALID
    assert "no trusted time stamp says that it was signed within it" in found.summary
    assert "credential.expired" in codes(found)


def test_same_inputs_same_verdict(signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    copy = social(signed.path, tmp_path / "copy.jpg")
    first, second = (judge(copy, house, at).as_dict() for _ in range(2))
    assert first == second
    assert json.loads(json.dumps(first)) == first
    assert first["inputs"]["trust_lists"]["signer"]


def test_budget_overrun_is_doubt(signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    copy = social(signed.path, tmp_path / "copy.jpg")
    with Workers(1, Budget(seconds=0.02)) as slow:
        desk = replace(house.desk, workers=Hurried(house.desk.workers, slow))
        found = verify(copy, desk, at=at).verdict
    assert found.status is Status.UNKNOWN
    assert "undecided.mark" in codes(found)


class Hurried(Workers):
    """Real workers, of which those that look at pixels get 20 ms."""

    def __init__(self, patient: Workers, hasty: Workers) -> None:
        self.patient, self.hasty = patient, hasty

    def start(self, task, *args, **kwargs):  # type: ignore[no-untyped-def,override]
        pool = self.hasty if task is tasks.read_pixels else self.patient
        return pool.start(task, *args, **kwargs)


def test_overrun_says_which_limit() -> None:
    assert str(BudgetError("read pixels", "time")) == "read pixels: stopped (time)"


@pytest.mark.parametrize("name", ["a\nb.jpg", "💥.jpg", "-rf.jpg", "a b.jpg"])
def test_strange_names(name: str, signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    path = tmp_path / name
    path.write_bytes(signed.path.read_bytes())
    assert verify(path, house.desk, at=at, marks=False).verdict.status is Status.TRUSTED


def test_find(signed: Signed, other: Path, house: House, tmp_path: Path) -> None:
    found = find(social(signed.path, tmp_path / "copy.jpg"), house.desk)
    assert found[0].asset.asset_id == signed.asset_id
    assert found[0].how == "mark"
    assert found[0].agreement == "fits"
    assert (found[0].p_false or 1) < 1e-9
    with pytest.raises(InputError):
        find(tmp_path / "absent.jpg", house.desk)


def test_feed_document_is_small_and_says_no_verdict_on_truth(signed: Signed, house: House) -> None:
    record = house.registry.statuses([signed.asset_id, signed.sha256, "unknown-id"])
    assert set(record) == {signed.asset_id, signed.sha256}
    document = json.loads(record[signed.asset_id].document)
    assert document == public_status(signed.verdict)
    assert len(record[signed.asset_id].document) < 1500
    assert not {"authentic", "real", "fake"} & set(json.dumps(document).lower().split())


class TestEdit:
    def test_child_keeps_parent_and_mark(self, signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
        cropped = tmp_path / "crop.jpg"
        Image.fromarray(pixels(signed.path)[40:600, 60:900]).save(cropped, quality=92)
        child = edit(EditRequest(signed.path, cropped, tmp_path / "child.jpg", ("c2pa.cropped",)), house.studio(), at=at)
        assert child.binding == signed.binding
        found = judge(child.path, house, at)
        assert found.status is Status.TRUSTED
        assert [step.manifest_id for step in found.history] == [child.manifest_id, signed.manifest_id]
        assert found.history[1].relationship == "parentOf"
        assert found.history[1].faults == ()
        assert found.signals == ("inception:capturedMedia", "transformation:perceptibleNonGenAI")
        record = house.registry.asset(child.asset_id)
        assert record is not None
        assert record.parent_asset_id == signed.asset_id
        copy = judge(social(child.path, tmp_path / "copy.jpg"), house, at)
        assert copy.status is Status.RECOVERED
        assert copy.asset.id == child.asset_id, "of two assets with one mark, the one that fits best"

    def test_mark_that_is_gone_is_renewed(self, signed: Signed, other: Path, house: House, tmp_path: Path, at: datetime) -> None:
        child = edit(EditRequest(signed.path, other, tmp_path / "c.png", ("c2pa.edited",)), house.studio(), at=at)
        assert child.binding is not None
        assert child.binding != signed.binding

    def test_unsigned_parent(self, photo: Path, house: House, tmp_path: Path, at: datetime) -> None:
        small = tmp_path / "s.jpg"
        social(photo, small, 600)
        child = edit(EditRequest(photo, small, tmp_path / "c.jpg", ("c2pa.resized.proportional",)), house.studio(), at=at)
        assert child.verdict.signals[0] == "inception:mediaUnknownProvenance"

    @pytest.mark.parametrize("actions", [(), ("c2pa.frobnicated",), ("c2pa.created",), ("c2pa.cropped", "c2pa.opened")])
    def test_actions_that_may_not_be_stated(
        self, actions: tuple[str, ...], signed: Signed, house: House, tmp_path: Path, at: datetime
    ) -> None:
        with pytest.raises(ValueError, match="action"):
            edit(EditRequest(signed.path, signed.path, tmp_path / "c.jpg", actions), house.studio(), at=at)
        assert list(tmp_path.iterdir()) == []

    def test_damaged_parent(self, signed: Signed, photo: Path, house: House, tmp_path: Path, at: datetime) -> None:
        hurt = bytearray(signed.path.read_bytes())
        place = hurt.index(b"c2pa.claim.v2")
        hurt[place : place + 400] = bytes(400)
        (tmp_path / "p.jpg").write_bytes(hurt)
        with pytest.raises(InputError, match="damaged"):
            edit(EditRequest(tmp_path / "p.jpg", photo, tmp_path / "c.jpg", ("c2pa.edited",)), house.studio(), at=at)

    def test_over_the_parent(self, signed: Signed, photo: Path, house: House, tmp_path: Path, at: datetime) -> None:
        parent = tmp_path / "p.jpg"
        parent.write_bytes(signed.path.read_bytes())
        with pytest.raises(InputError, match="overwrite the parent"):
            edit(EditRequest(parent, photo, parent, ("c2pa.edited",)), house.studio(), at=at)
        assert parent.read_bytes() == signed.path.read_bytes()


def test_caption_is_told_apart_from_nothing(signed: Signed, house: House, tmp_path: Path, at: datetime) -> None:
    copy = Image.fromarray(pixels(signed.path))
    ImageDraw.Draw(copy).rectangle((0, 560, 960, 640), fill="black")
    copy.save(tmp_path / "caption.jpg", quality=85)
    found = judge(tmp_path / "caption.jpg", house, at)
    assert found.status is Status.ALTERED
    assert found.changes[0].y > 0.8
