"""Bytes under their own digest: nothing half, nothing changed unnoticed, no path from outside."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import DamagedObjectError, NotFoundError
from provenance.store import Objects

NO_DIGESTS = ["", "../../etc/passwd", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "\0" * 64, "a" * 64 + "\n", "٣" * 64]


def test_what_was_put_comes_back_under_its_sha256(objects: Objects) -> None:
    digest = objects.put(b"manifest store")
    assert digest == hashlib.sha256(b"manifest store").hexdigest()
    assert objects.get(digest) == b"manifest store"
    assert objects.path(digest).read_bytes() == b"manifest store"


@given(data=st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    objects = Objects(tmp_path_factory.getbasetemp() / "any")
    assert objects.get(objects.put(data)) == data


def test_putting_again_writes_nothing(objects: Objects) -> None:
    digest = objects.put(b"once")
    before = objects.path(digest).stat()
    assert objects.put(b"once") == digest
    after = objects.path(digest).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert [p.name for p in objects.path(digest).parent.iterdir()] == [digest]


@pytest.mark.parametrize("damage", [b"", b"onc", b"oncf", b"once and more"])
def test_damage_is_noticed_and_putting_again_mends_it(objects: Objects, damage: bytes) -> None:
    digest = objects.put(b"once")
    objects.path(digest).write_bytes(damage)
    with pytest.raises(DamagedObjectError) as caught:
        objects.get(digest)
    assert (caught.value.digest, caught.value.found) == (digest, hashlib.sha256(damage).hexdigest())
    assert objects.put(b"once") == digest
    assert objects.get(digest) == b"once"


@pytest.mark.parametrize("text", NO_DIGESTS)
def test_what_is_no_digest_never_becomes_a_path(objects: Objects, text: str) -> None:
    with pytest.raises(NotFoundError):
        objects.get(text)
    with pytest.raises(ValueError, match="SHA-256"):
        objects.path(text)


def test_an_absent_object_is_not_found(objects: Objects) -> None:
    with pytest.raises(NotFoundError, match="0000"):
        objects.get("0" * 64)


def test_a_full_disk_leaves_nothing_behind(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    objects.put(b"first")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        objects.put(b"second")
    assert [p.name for p in objects.folder.rglob("*") if p.is_file()] == [hashlib.sha256(b"first").hexdigest()]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(OSError, match="file"):
        Objects(tmp_path / "file").put(b"x")


def test_many_threads_put_the_same_bytes(objects: Objects) -> None:
    data = os.urandom(1 << 20)
    threads = [threading.Thread(target=objects.put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    digest = hashlib.sha256(data).hexdigest()
    assert objects.get(digest) == data
    assert [p.name for p in objects.path(digest).parent.iterdir()] == [digest]
