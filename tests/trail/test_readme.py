"""The README's worked example is true."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.trail.checkpoint import Checkpoint, message, signature
from provenance.trail.entry import Kind, body, canonical, leaf_digest, payload_digest
from provenance.trail.note import KeyType, Note, NoteKey
from provenance.trail.proof import Proof
from provenance.trail.tree import Leaves, hashes_of, inclusion_path, leaf_hash, node_hash, root_of

README = (Path(__file__).resolve().parents[2] / "provenance" / "trail" / "README.md").read_text("utf-8")
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
STEPS = (
    (Kind.CAPTURED, "a1", {"manifest": "urn:c2pa:1"}),
    (Kind.EDITED, "a2", {"manifest": "urn:c2pa:2"}),
    (Kind.JUDGED, "a2", {"status": "trusted"}),
)


def test_every_number_of_the_worked_example() -> None:
    bodies = [
        body(kind, asset, payload_digest(bytes([n]) * 16, canonical(payload)), AT)
        for n, (kind, asset, payload) in enumerate(STEPS)
    ]
    leaves = [leaf_hash(one) for one in bodies]
    for n, one in enumerate(bodies):
        assert f"    {one.decode()}\n" in README
        assert f"    leaf {n}  {leaf_digest(one)}\n" in README
    assert f"    0 + 1   {node_hash(leaves[0], leaves[1]).hex()}\n" in README
    assert f"    root    {root_of(leaves).hex()}\n" in README
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key = NoteKey("log.example/trail", KeyType.ED25519, private.public_key().public_bytes_raw())
    assert f"`{key.vkey}`" in README
    tree = Checkpoint("log.example/trail", 3, root_of(leaves))
    note = bytes(Note(tree.text, (signature(key, private.sign(message(key, tree))),)))
    proof = bytes(Proof(1, hashes_of(inclusion_path(1, 3), Leaves(leaves)), note)).decode()
    start = README.index("    c2sp.org/tlog-proof@v1")
    shown = README[start : README.index("\n## ", start)].rstrip("\n") + "\n"
    assert dedent(shown) == proof
