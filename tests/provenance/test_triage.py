"""Triage: an order for a desk's queue, which says nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.triage import _REASONS, _STATUS, triage
from provenance.verdict import Status

REPLACED = {"x": 0.1, "y": 0.1, "w": 0.2, "h": 0.2, "score": 0.9, "kind": "replaced"}
CAPTION = REPLACED | {"kind": "overlaid"}


def verdict(status: str, *reasons: str, changes: tuple[Any, ...] = (), signals: tuple[str, ...] = ()) -> dict[str, Any]:
    said = [{"code": code, "say": f"{code}."} for code in reasons]
    return {"status": status, "reasons": said, "changes": list(changes), "signals": list(signals)}


def test_every_status_has_its_place() -> None:
    assert set(_STATUS) == set(Status)


@pytest.mark.parametrize(
    ("found", "band"),
    [
        (verdict("trusted", "credential.intact"), "low"),
        (verdict("none", "credential.absent", "mark.absent"), "low"),  # most files: no suspicion
        (verdict("recovered", "content.fits"), "low"),
        (verdict("trusted", signals=("inception:fullyGenAIMedia",)), "low"),  # said openly: to be shown, not looked into
        (verdict("unknown"), "medium"),
        (verdict("altered", changes=(CAPTION,)), "medium"),
        (verdict("altered", changes=(REPLACED,)), "high"),
        (verdict("revoked"), "high"),
        (verdict("conflict", "content.foreign"), "high"),
        (verdict("valid", "generator.mark"), "medium"),
    ],
)
def test_bands(found: dict[str, Any], band: str) -> None:
    assert triage(found).band == band


def test_a_replaced_face_comes_before_a_caption() -> None:
    face, caption = (triage(verdict("altered", changes=(one,))) for one in (REPLACED, CAPTION))
    assert face.score > caption.score
    assert face.findings[0].code == "status.altered"
    assert [one.code for one in face.findings][1] == "changes.replaced"
    assert triage(verdict("altered", changes=(CAPTION, REPLACED))).score == face.score


def test_a_small_region_weighs_less_than_a_large_one() -> None:
    small = REPLACED | {"w": 0.05, "h": 0.05}
    assert triage(verdict("altered", changes=(small,))).score < triage(verdict("altered", changes=(REPLACED,))).score


@given(st.sampled_from(sorted(_STATUS)), st.sets(st.sampled_from(sorted(_REASONS))), st.sampled_from(sorted(_REASONS)))
def test_one_finding_more_never_lowers_the_score(status: str, codes: set[str], more: str) -> None:
    less, all_of_it = triage(verdict(status, *codes)), triage(verdict(status, *codes, more))
    assert 0 <= less.score <= all_of_it.score <= 1
    assert [one.weight for one in all_of_it.findings] == sorted((one.weight for one in all_of_it.findings), reverse=True)


def test_graver_statuses_come_first() -> None:
    scores = [triage(verdict(status)).score for status in ("trusted", "none", "unknown", "altered", "revoked", "conflict")]
    assert all(a < b for a, b in itertools.pairwise(scores))


def test_no_sentence_says_what_nobody_can_know() -> None:
    words = " ".join(say for _, say in _STATUS.values()).lower()
    assert not [word for word in ("authentic", "real", "fake", "genuine") if word in words.split()]
