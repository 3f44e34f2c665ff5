"""The one word is a total function of the layers, and its rows say what the contract says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from provenance.status import TABLE, Content, FileCredential, Layers, Owner, status
from provenance.verdict import Status, gravest

ALL = [
    Layers(*values) for values in itertools.product(FileCredential, (True, False), (True, False), Owner, Content, (True, False))
]
NOTHING = Layers(FileCredential.ABSENT, False, False, Owner.NONE, Content.UNCHECKED, False)
INTACT = replace(NOTHING, credential=FileCredential.INTACT, owner=Owner.OWN)


def test_every_combination_has_a_word() -> None:
    assert {status(layers) for layers in ALL} == set(Status)


def test_no_row_is_dead() -> None:
    """A row that never decides would be a lie in the table."""
    for row, word in TABLE:
        others = tuple(r for r in TABLE if r[0] is not row)
        deciders = [x for x in ALL if _first(TABLE, x) is row]
        assert deciders, row
        assert any(_word(others, x) is not word for x in deciders) or not row, row


def _first(table: tuple[tuple[object, Status], ...], layers: Layers) -> object:
    return next(row for row, _ in table if _applies(row, layers))


def _word(table: tuple[tuple[object, Status], ...], layers: Layers) -> Status | None:
    return next((word for row, word in table if _applies(row, layers)), None)


def _applies(row: object, layers: Layers) -> bool:
    assert hasattr(row, "items")
    return all(
        getattr(layers, name) in want if isinstance(want, tuple) else getattr(layers, name) == want for name, want in row.items()
    )


@pytest.mark.parametrize(
    ("layers", "word"),
    [
        (NOTHING, Status.NONE),
        (replace(INTACT, trusted=True), Status.TRUSTED),
        (INTACT, Status.VALID),
        (replace(INTACT, owner=Owner.NONE), Status.VALID),
        (replace(INTACT, owner=Owner.UNREGISTERED), Status.VALID),
        (replace(INTACT, trusted=True, owner=Owner.REGISTERED), Status.CONFLICT),
        (replace(INTACT, trusted=True, clash=True), Status.CONFLICT),
        (replace(INTACT, trusted=True, revoked=True), Status.REVOKED),
        (replace(NOTHING, owner=Owner.REGISTERED, content=Content.FITS), Status.RECOVERED),
        (replace(NOTHING, owner=Owner.REGISTERED, content=Content.CHANGED), Status.ALTERED),
        (replace(NOTHING, owner=Owner.REGISTERED, content=Content.FOREIGN), Status.CONFLICT),
        (replace(NOTHING, owner=Owner.REGISTERED, content=Content.UNPROVEN), Status.CONFLICT),
        (replace(NOTHING, owner=Owner.REGISTERED), Status.UNKNOWN),
        (replace(NOTHING, owner=Owner.UNREGISTERED), Status.UNKNOWN),
        (replace(NOTHING, owner=Owner.UNDECIDED), Status.UNKNOWN),
        (replace(NOTHING, credential=FileCredential.UNDECIDED), Status.UNKNOWN),
        (replace(NOTHING, credential=FileCredential.DAMAGED), Status.INVALID),
        (replace(NOTHING, credential=FileCredential.DAMAGED, content=Content.FITS), Status.RECOVERED),
        (replace(NOTHING, credential=FileCredential.MISMATCH), Status.ALTERED),
        (replace(NOTHING, credential=FileCredential.MISMATCH, content=Content.FITS, owner=Owner.OWN), Status.RECOVERED),
        (replace(NOTHING, credential=FileCredential.MISMATCH, content=Content.FOREIGN), Status.CONFLICT),
        (replace(NOTHING, credential=FileCredential.MISMATCH, owner=Owner.REGISTERED, content=Content.FITS), Status.CONFLICT),
        (replace(NOTHING, owner=Owner.REGISTERED, content=Content.FITS, revoked=True), Status.REVOKED),
    ],
)
def test_word(layers: Layers, word: Status) -> None:
    assert status(layers) is word


def test_doubt_is_never_shown_as_absence() -> None:
    for layers in ALL:
        undecided = Owner.UNDECIDED is layers.owner or layers.credential is FileCredential.UNDECIDED
        if undecided or layers.content is Content.UNDECIDED:
            assert status(layers) is not Status.NONE


def test_trusted_needs_an_intact_unrevoked_credential() -> None:
    for layers in ALL:
        if status(layers) in (Status.TRUSTED, Status.VALID):
            assert layers.credential is FileCredential.INTACT
            assert not layers.revoked
            assert not layers.clash
            assert layers.owner is not Owner.REGISTERED


def test_recovered_needs_content_that_fits() -> None:
    assert all(x.content is Content.FITS for x in ALL if status(x) is Status.RECOVERED)


@pytest.mark.parametrize(
    ("codes", "worst"), [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 4, 0], 4), ([0, 4, 2], 2), ([1, 0], 1), ([1, 2], 2)]
)
def test_gravest(codes: list[int], worst: int) -> None:
    assert gravest(codes) == worst
