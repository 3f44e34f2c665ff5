"""A camera's mark and an agency's, under different keys: both are read, told side by side, and lead where they belong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from api.wiring import House
from provenance.capture import SignRequest, sign
from provenance.edit import EditRequest, edit
from provenance.find import find
from provenance.finishing import Signed
from provenance.verdict import Status, Verdict
from provenance.verify import verify
from watermark.payload import PUBLIC_KEY

pytestmark = pytest.mark.slow
CAMERA, AGENCY, STRANGER = b"camera--" * 4, b"agency--" * 4, b"stranger" * 4


class Both(NamedTuple):
    camera: Signed
    agency: Signed
    stripped: Path


def keyed(house: House, *keys: bytes) -> House:
    return replace(house, desk=replace(house.desk, mark_keys=keys))


def say(found: Verdict, code: str) -> list[str]:
    return [reason.say for reason in found.reasons if reason.code == code]


@pytest.fixture(scope="module")
def both(house: House, photo: Path, tmp_path_factory: pytest.TempPathFactory, at: datetime) -> Both:
    """Signed by a camera, then edited by an agency that has not the camera's key, then sent on by a platform."""
    folder = tmp_path_factory.mktemp("both")
    camera = sign(SignRequest(photo, folder / "camera.jpg"), keyed(house, CAMERA).studio(), at=at)
    request = EditRequest(camera.path, camera.path, folder / "agency.jpg", ("c2pa.color_adjustments",))
    agency = edit(request, keyed(house, AGENCY).studio(), at=at)
    with Image.open(agency.path) as image:
        image.convert("RGB").save(folder / "stripped.jpg", quality=85)
    return Both(camera, agency, folder / "stripped.jpg")


def values(found: Verdict) -> list[tuple[str, str]]:
    return [(one.value, one.owner) for one in found.marks]


def test_both_belong_to_the_credential_that_names_them(house: House, both: Both, at: datetime) -> None:
    assert both.camera.binding is not None
    assert both.agency.binding is not None
    assert both.camera.binding != both.agency.binding
    found = verify(both.agency.path, keyed(house, AGENCY, CAMERA).desk, at=at).verdict
    assert found.status in {Status.TRUSTED, Status.VALID}
    assert values(found) == [(both.agency.binding.value, "own"), (both.camera.binding.value, "own")]
    assert found.mark.value == both.agency.binding.value
    (told,) = say(found, "mark.second")
    assert both.camera.binding.value in told
    assert "made from" in told


def test_without_a_credential_both_still_lead_to_their_assets(house: House, both: Both, at: datetime) -> None:
    found = verify(both.stripped, keyed(house, PUBLIC_KEY, CAMERA, AGENCY).desk, at=at).verdict
    assert found.status is Status.RECOVERED
    assert both.camera.binding is not None
    assert both.agency.binding is not None
    assert {value for value, _ in values(found)} == {both.camera.binding.value, both.agency.binding.value}
    assert {one.owner for one in found.marks} == {"registered"}
    assert {one.manifests for one in found.marks} == {(both.camera.manifest_id,), (both.agency.manifest_id,)}
    assert found.as_dict()["marks"][0]["value"] == found.mark.value
    assert "another registered asset" in say(found, "mark.second")[0]


def test_finding_names_both(house: House, both: Both) -> None:
    matches = find(both.stripped, keyed(house, CAMERA, AGENCY).desk)
    assert {one.asset.manifest_id for one in matches if one.how == "mark"} == {both.camera.manifest_id, both.agency.manifest_id}
    assert all(one.p_false is not None and one.p_false < 1e-9 for one in matches if one.how == "mark")


@pytest.mark.parametrize("keys", [(STRANGER,), (PUBLIC_KEY, STRANGER)])
def test_other_keys_read_neither(house: House, both: Both, at: datetime, keys: tuple[bytes, ...]) -> None:
    found = verify(both.agency.path, keyed(house, *keys).desk, at=at).verdict
    assert (found.marks, found.mark.found) == ((), False)
    assert say(found, "mark.second") == []


def test_one_key_reads_one(house: House, both: Both, at: datetime) -> None:
    found = verify(both.agency.path, keyed(house, CAMERA, STRANGER).desk, at=at).verdict
    assert both.camera.binding is not None
    assert values(found) == [(both.camera.binding.value, "own")]
    assert say(found, "mark.second") == []


def test_the_mark_that_the_credential_names_counts_whatever_the_order(
    house: House, photo: Path, tmp_path: Path, at: datetime
) -> None:
    """Signed anew by somebody who names nothing that was there: the credential's own mark is first, the other is told."""
    camera = sign(SignRequest(photo, tmp_path / "c.jpg"), keyed(house, CAMERA).studio(), at=at)
    with Image.open(camera.path) as image:
        image.save(tmp_path / "bare.png")
    again = sign(SignRequest(tmp_path / "bare.png", tmp_path / "a.png"), keyed(house, AGENCY).studio(), at=at)
    found = verify(again.path, keyed(house, CAMERA, AGENCY).desk, at=at).verdict
    assert camera.binding is not None
    assert again.binding is not None
    assert values(found) == [(again.binding.value, "own"), (camera.binding.value, "registered")]
    assert found.mark.value == again.binding.value
    assert "another registered asset" in say(found, "mark.second")[0]
