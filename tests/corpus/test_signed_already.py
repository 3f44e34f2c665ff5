"""Whether a file is signed already is told as the library tells it, without having it read what surely is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from provenance import sdk, tasks


def test_every_jpeg_of_the_corpus_as_the_library_reads_it(corpus: Path) -> None:
    files = [*corpus.glob("c2pa/**/*.jp*g"), *corpus.glob("photos/*.jpg")]
    told = {path.name: tasks.carries_credential(str(path), "image/jpeg") for path in files}
    for path in files:
        with path.open("rb") as stream:
            assert told[path.name] is (sdk.read(stream, "image/jpeg") is not None), path.name
    assert {True, False} == set(told.values())


@pytest.mark.parametrize("header", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xe1\x7f\xff", b"\xff\xd8\xff\xd9", b"GIF89a"])
def test_a_header_that_ends_early_is_left_to_the_library(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(header + b"\0" * 40)
    with path.open("rb") as stream:
        assert tasks.carries_credential(str(path), "image/jpeg") is (sdk.read(stream, "image/jpeg") is not None)
