"""A row of `colophon find`: what fits, and how much of which."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.cli.commands.find import row
from provenance.find import Match
from provenance.store import AssetRecord

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
ASSET = AssetRecord(
    asset_id="a7c1e5d09b3f4826", sha256="0" * 64, media_type="image/jpeg", width=960, height=640, duration_ms=None,
    manifest_id="urn:c2pa:1", manifest_digest="0" * 64, signer_name="A. Person", signer_fingerprint="sha256:00", signed_at=AT,
    time_state="trusted", action="captured", parent_asset_id=None, bindings=(), reference_digest=None, reference_media_type=None,
    reference_width=None, reference_height=None, fingerprint=None, development=False, stamp_due=None, stamped_at=None,
    withdrawn_at=None, created_at=AT,
)  # fmt: skip


@pytest.mark.parametrize(
    ("agreement", "covered", "shown", "content"),
    [
        ("fits", 1.0, 1.0, "the content fits (97 %)"),
        ("fits", None, None, "the content fits (97 %)"),
        ("fits", 1.0, 0.5, "the content fits (97 %; about half of the asset)"),
        ("fits", 0.4, 0.5, "the content fits (97 %; about 40% of the file; about half of the asset)"),
        ("changed", 0.4, 0.5, "the content was changed (97 %)"),
    ],
)
def test_a_part_is_not_told_as_the_whole(agreement: str, covered: float | None, shown: float | None, content: str) -> None:
    match = Match(ASSET, "mark", 1e-12, None, 0.97, agreement, covered, shown)
    assert [cell.text for cell in row(0, match)][3] == content
