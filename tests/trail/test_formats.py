"""C2SP formats: what others wrote is read, what we write is the same bytes, and anything else is refused."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.trail.checkpoint import Checkpoint, message, open_checkpoint, parse_checkpoint, signature
from provenance.trail.entry import Kind, body, parse_body
from provenance.trail.note import KeyType, Note, NoteKey, Signature, parse_note, parse_signatures, parse_vkey, timestamped
from provenance.trail.proof import Proof, parse_proof, prove
from provenance.trail.tile import ENTRIES, Tile, bundles_of, pack, parse_path, tiles_of, unpack
from provenance.trail.tree import Leaves, hashes_of, includes, inclusion_path, leaf_hash, root_of

TESSERA = json.loads((Path(__file__).parent / "vectors" / "tessera.json").read_text("utf-8"))
LEAVES = [leaf_hash(leaf.encode()) for leaf in TESSERA["leaves"]]
Keys = tuple[NoteKey, NoteKey]
Signer = Any


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint("log.example/trail", 15, root_of(LEAVES))


@pytest.fixture
def signed(signer: Signer, keys: Keys, checkpoint: Checkpoint) -> bytes:
    plain, quantum = keys
    lines = (
        signature(plain, signer.sign_ed25519(message(plain, checkpoint))),
        signature(quantum, signer.sign_ml_dsa_44(message(quantum, checkpoint, 1_795_000_000)), 1_795_000_000),
    )
    return bytes(Note(checkpoint.text, lines))


# another log's own bytes


def test_tesseras_log_is_reproduced_byte_for_byte() -> None:
    key = parse_vkey(TESSERA["vkey"])
    secret = base64.b64decode(TESSERA["published_test_signing_key"].split("+", 4)[4])
    private = Ed25519PrivateKey.from_private_bytes(secret[1:])
    assert len(TESSERA["checkpoints"]) == 16
    for size, theirs in TESSERA["checkpoints"].items():
        opened = open_checkpoint(theirs.encode(), [key])
        assert opened.signed
        ours = Checkpoint(TESSERA["origin"], int(size), root_of(LEAVES[: int(size)]))
        assert opened.checkpoint == ours
        assert bytes(Note(ours.text, (signature(key, private.sign(message(key, ours))),))).decode() == theirs


def test_every_entry_of_tesseras_log_is_proven_in_every_checkpoint_of_it() -> None:
    key = parse_vkey(TESSERA["vkey"])
    for size, theirs in TESSERA["checkpoints"].items():
        for index in range(int(size)):
            hashes = hashes_of(inclusion_path(index, int(size)), Leaves(LEAVES[: int(size)]))
            proof = parse_proof(bytes(Proof(index, hashes, theirs.encode())))
            assert prove(proof, LEAVES[index], [key]).holds
            assert not prove(proof, LEAVES[index - 1], [key]).included or int(size) == 1


def test_a_note_from_the_specification() -> None:
    """C2SP signed-note's own example: blank lines in the text, accents, one signature."""
    text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    line = (
        "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3Zek"
        "RwNtIc=\n"
    )
    note = parse_note((text + "\n" + line).encode())
    assert note.text == text
    assert [s.name for s in note.signatures] == ["quasimodo.example/salvatore"]
    assert bytes(note).decode() == text + "\n" + line


def test_the_specifications_messages() -> None:
    """C2SP tlog-cosignature: the Ed25519 example, and the ML-DSA-44 structure field by field."""
    tree = Checkpoint("example.com/behind-the-sofa", 20852163, base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="))
    old = NoteKey("witness.example.com/w1", KeyType.COSIGNATURE_ED25519, bytes(32))
    assert message(old, tree, 1679315147).decode() == (
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    new = NoteKey("w", KeyType.COSIGNATURE_ML_DSA_44, bytes(1312))
    said = message(new, tree, 7)
    assert said[:12] == b"subtree/v1\n\0"
    assert said[12:14] == b"\x01w"
    assert said[14:22] == (7).to_bytes(8, "big")
    assert said[22:50] == b"\x1bexample.com/behind-the-sofa"
    assert said[50:66] == bytes(8) + (20852163).to_bytes(8, "big")
    assert said[66:] == tree.root


# checkpoints


def test_both_signatures_of_a_checkpoint_hold(signed: bytes, keys: Keys, checkpoint: Checkpoint) -> None:
    opened = open_checkpoint(signed, keys)
    assert opened.signed
    assert opened.checkpoint == checkpoint
    assert [s.at for s in opened.holds] == [None, datetime.fromtimestamp(1_795_000_000, UTC)]
    for key in keys:
        assert open_checkpoint(signed, [key]).signed
    assert not open_checkpoint(signed, []).signed
    assert len(signed) == 3_449  # of it ML-DSA-44: 3,285


def test_a_stranger_under_the_logs_name_does_not_count(
    signed: bytes, keys: Keys, seeded: Callable[[str], Signer], checkpoint: Checkpoint
) -> None:
    strangers = seeded("somebody else").keys(keys[0].name)
    assert not open_checkpoint(signed, strangers).signed
    other = seeded("witness").keys("witness.example")[1]
    line = signature(other, seeded("witness").sign_ml_dsa_44(message(other, checkpoint, 5)), 5)
    opened = open_checkpoint(bytes(parse_note(signed).with_signatures([line])), [*keys, other])
    assert opened.signed
    assert opened.witnesses == {"witness.example"}
    alone = open_checkpoint(bytes(Note(checkpoint.text, (line,))), [*keys, other])
    assert not alone.signed  # a witness does not speak for the log


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_checkpoint_can_be_otherwise(data: st.DataObject) -> None:
    seeded = _Once.signed()
    signed, keys = seeded
    bit = data.draw(st.integers(0, len(signed) * 8 - 1))
    changed = bytearray(signed)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        opened = open_checkpoint(bytes(changed), keys)
    except MalformedError:
        return
    # either nothing counts any more, or the bit made one line another's (its name or key id), and the other line holds
    both = len(opened.holds) == 2
    assert not both
    if opened.signed:
        assert opened.checkpoint == open_checkpoint(signed, keys).checkpoint
        assert opened.note != parse_note(signed)


class _Once:
    """Hypothesis wants no fixture that lives for one function; this needs none of its own."""

    _made: tuple[bytes, Keys] | None = None

    @classmethod
    def signed(cls) -> tuple[bytes, Keys]:
        if cls._made is None:
            private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
            key = NoteKey("log.example", KeyType.ED25519, private.public_key().public_bytes_raw())
            second = NoteKey("log.example", KeyType.COSIGNATURE_ED25519, key.public)
            tree = Checkpoint("log.example", 15, root_of(LEAVES))
            lines = (
                signature(key, private.sign(message(key, tree))),
                signature(second, private.sign(message(second, tree, 9)), 9),
            )
            cls._made = bytes(Note(tree.text, lines)), (key, second)
        return cls._made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n1\n",
        "log\n1\nAAAA",
        "log\n01\n" + "A" * 43 + "=\n",
        "log\n-1\n" + "A" * 43 + "=\n",
        "log\n1\nAAAA\n",
        "log\n1\n" + "A" * 43 + "\n",
        "log\n1\n" + "A" * 42 + "B=\n",
        "\n1\n" + "A" * 43 + "=\n",
        "log\n0\n" + "A" * 43 + "=\n",
        "log\n9223372036854775808\n" + "A" * 43 + "=\n",
        "log\n1\n" + "A" * 43 + "=\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n- log AAAAAAAA\n",
        "text\n\n— log AAAA\n".encode(),
        "text\n\n— log AAAAAAAA".encode(),
        "text\n\n— l+g AAAAAAAA\n".encode(),
        "text\n\n— log AAAAAAA\n".encode(),
        "text\n\n— log AAAAAAAA \n".encode(),
        "te\txt\n\n— log AAAAAAAA\n".encode(),
        b"\xff\n\n",
        b"x" * ((1 << 20) + 1),
    ],
)
def test_what_is_no_note(note: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_note(note)


@given(data=st.binary(max_size=300))
def test_any_bytes_parse_or_raise_one_error(data: bytes) -> None:
    for parse in (parse_note, parse_proof, lambda d: parse_checkpoint(d.decode("utf-8", "replace")), parse_body):
        with contextlib.suppress(MalformedError):
            parse(data)


@given(lines=st.lists(st.tuples(st.from_regex(r"[^\s+]{1,20}", fullmatch=True), st.binary(min_size=5, max_size=40)), min_size=1))
def test_signatures_read_back(lines: list[tuple[str, bytes]]) -> None:
    made = tuple(Signature(name, data[:4], data[4:]) for name, data in lines if name.isprintable())
    if made:
        assert parse_signatures("".join(s.line for s in made)) == made


@pytest.mark.parametrize("vkey", ["", "a+00000000+AQ==", "a+b", "log+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"])
def test_what_is_no_vkey(vkey: str) -> None:
    with pytest.raises(MalformedError):
        parse_vkey(vkey)


def test_keys_read_back_from_their_vkeys(keys: Keys) -> None:
    assert tuple(parse_vkey(key.vkey) for key in keys) == keys
    with pytest.raises(MalformedError):
        NoteKey("a b", KeyType.ED25519, bytes(32))
    with pytest.raises(MalformedError):
        NoteKey("ab", KeyType.ED25519, bytes(31))


@pytest.mark.parametrize("blob", [b"", bytes(8), b"\x80" + bytes(71)])
def test_what_is_no_cosignature(blob: bytes) -> None:
    with pytest.raises(MalformedError):
        timestamped(blob)


# proofs


def test_a_proof_reads_back(signed: bytes, keys: Keys) -> None:
    for extra in (None, b"", b"\x00any"):
        proof = Proof(3, hashes_of(inclusion_path(3, 15), Leaves(LEAVES)), signed, extra)
        again = parse_proof(bytes(proof))
        assert again == proof
        assert prove(again, LEAVES[3], keys).holds
        assert not prove(again, LEAVES[3], ()).holds


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_no_byte_of_a_proof_can_be_otherwise(data: st.DataObject) -> None:
    signed, keys = _Once.signed()
    good = bytes(Proof(3, hashes_of(inclusion_path(3, 15), Leaves(LEAVES)), signed))
    place = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        proven = prove(parse_proof(bytes(changed)), LEAVES[3], keys)
    except MalformedError:
        return
    assert not (proven.holds and len(proven.opened.holds) == 2)
    if proven.holds:  # then the byte stands in the name of a signature that nobody needs
        assert place > good.index(b"\n\n")


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n\n",
        b"c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 01\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex -1\n\nx",
        b"c2sp.org/tlog-proof@v1\nextra x\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 0\nextra AA==\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 0\n" + (b"A" * 43 + b"=\n") * 64 + b"\nx",
    ],
)
def test_what_is_no_proof(proof: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_proof(proof)


# tiles


@given(level=st.integers(-1, 63), number=st.integers(0, 10**13), width=st.integers(1, 256))
def test_a_tiles_path_reads_back(level: int, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert parse_path(tile.path) == tile


def test_paths_of_the_specification() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(ENTRIES, 0, 7).path == "tile/entries/000.p/7"
    assert Tile(1, 999, 255).path == "tile/1/999.p/255"
    assert Tile(1, 1000).path == "tile/1/x001/000"


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/1", "tile/0/01", "tile/00/001", "tile/64/001", "tile/0/x000/001", "tile/0/001.p/0",
        "tile/0/001.p/256", "tile/0/001.p/01", "tile/0/001.p/", "tile/0/001/", "tile/-1/001", "tile/0/x001", "tile/0/001/002",
        "tile/0/../001", "tile/entries/x1/001", "tile/0/١٢٣", "/tile/0/001", "tile/0/001\n",
    ],
)  # fmt: skip
def test_what_is_no_tile(path: str) -> None:
    with pytest.raises(MalformedError):
        parse_path(path)


@given(entries=st.lists(st.binary(max_size=50), max_size=40))
def test_a_bundle_reads_back(entries: list[bytes]) -> None:
    packed = pack(entries)
    assert unpack(packed, len(entries)) == tuple(entries)
    with pytest.raises(MalformedError):
        unpack(packed, len(entries) + 1)
    with pytest.raises(MalformedError):
        unpack(packed + b"\x00", len(entries))
    with pytest.raises(MalformedError):
        unpack(packed + b"\x00\x02x", len(entries) + 1)


def test_an_entry_must_fit() -> None:
    assert len(pack([bytes(65_535)])) == 65_537
    with pytest.raises(ValueError, match="65536"):
        pack([bytes(65_536)])


def test_which_tiles_a_tree_has() -> None:
    assert tiles_of(0) == ()
    assert tiles_of(256) == (Tile(0, 0), Tile(1, 0, 1))
    assert tiles_of(257) == (Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1))
    assert bundles_of(600, 300) == (Tile(ENTRIES, 1), Tile(ENTRIES, 2, 88))
    assert bundles_of(512, 512) == ()
    assert all(t.leaves_end <= 70_000 for t in tiles_of(70_000))


# entries


def test_a_body_says_what_went_in(at: datetime) -> None:
    entry = parse_body(body(Kind.ERASED, "asset-1", "ab" * 32, at))
    assert (entry.kind, entry.asset, entry.at, entry.payload_digest) == ("erased", "asset-1", at, "ab" * 32)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"null", b"[" * 5000,
        b'{"asset":1,"at":"2026-11-21T09:30:00.000000Z","kind":"x","payload_digest":"' + b"0" * 64 + b'"}',
        b'{"asset":null,"at":"yesterday","kind":"x","payload_digest":"' + b"0" * 64 + b'"}',
        b'{"asset":null,"at":"2026-11-21T09:30:00.000000Z","kind":"x","payload_digest":"0"}',
    ],
)  # fmt: skip
def test_what_is_no_body(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_body(data)


def test_a_lone_leaf_is_its_own_root() -> None:
    assert includes(LEAVES[0], 1, 0, LEAVES[0], ())
