"""RFC 6962 trees: what grows stays, every proof proves, and no bit of one can be otherwise."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.trail.tile import Builder, Folded, Tile, TileHashes, folded, tiles_of
from provenance.trail.tree import (
    EMPTY_ROOT,
    Edge,
    Leaves,
    Range,
    consistency_path,
    consistent,
    hashes_of,
    includes,
    inclusion_path,
    leaf_hash,
    node_hash,
    perfect_parts,
    root_of,
)

LEAVES = [leaf_hash(n.to_bytes(2, "big")) for n in range(400)]
# The leaves and roots that implementations of RFC 6962 share (certificate-transparency, trillian, transparency-dev/merkle).
SHARED = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


def test_the_roots_that_everybody_has() -> None:
    leaves = [leaf_hash(bytes.fromhex(x)) for x in SHARED]
    assert [root_of(leaves[: n + 1]).hex() for n in range(8)] == list(ROOTS)
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_proofs_that_everybody_has() -> None:
    """RFC 6962 §2.1.3 by the names of its figure: over seven leaves a…g."""
    a, b, c, d, e, f, j = (leaf_hash(bytes.fromhex(x)) for x in SHARED[:7])
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k = node_hash(g, h)
    leaves = Leaves([a, b, c, d, e, f, j])
    l = node_hash(i, j)  # noqa: E741 - as in the RFC
    assert hashes_of(inclusion_path(0, 7), leaves) == (b, h, l)
    assert hashes_of(inclusion_path(3, 7), leaves) == (c, g, l)
    assert hashes_of(inclusion_path(4, 7), leaves) == (f, j, k)
    assert hashes_of(inclusion_path(6, 7), leaves) == (i, k)
    assert hashes_of(consistency_path(3, 7), leaves) == (c, d, g, l)
    assert hashes_of(consistency_path(4, 7), leaves) == (l,)
    assert hashes_of(consistency_path(6, 7), leaves) == (i, j, k)


@pytest.mark.parametrize("size", [*range(20), 31, 32, 33, 63, 64, 65, 100, 255, 256, 257, 300])
def test_the_root_is_the_definitions(size: int) -> None:
    assert root_of(LEAVES[:size]) == by_definition(LEAVES[:size])


def test_every_inclusion_and_consistency_up_to_a_hundred() -> None:
    for size in range(1, 101):
        tree, root = Leaves(LEAVES[:size]), root_of(LEAVES[:size])
        for n in range(size + 1):
            grown = hashes_of(consistency_path(n, size), tree)
            assert consistent(n, root_of(LEAVES[:n]), size, root, grown), (n, size)
            assert len(grown) <= size.bit_length() + 1
            if n < size:
                assert includes(root, size, n, LEAVES[n], hashes_of(inclusion_path(n, size), tree)), (n, size)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(101, 400))
def test_larger_trees_prove_as_well(data: st.DataObject, size: int) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    tree, root = Leaves(LEAVES[:size]), root_of(LEAVES[:size])
    assert includes(root, size, index, LEAVES[index], hashes_of(inclusion_path(index, size), tree))
    assert consistent(old, root_of(LEAVES[:old]), size, root, hashes_of(consistency_path(old, size), tree))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), size=st.integers(2, 300))
def test_no_bit_of_an_inclusion_proof_can_be_otherwise(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, leaf = root_of(LEAVES[:size]), LEAVES[index]
    proof = hashes_of(inclusion_path(index, size), Leaves(LEAVES[:size]))
    bit = data.draw(st.integers(0, 255))
    place = data.draw(st.integers(0, len(proof) - 1))
    bent = [*proof[:place], _flipped(proof[place], bit), *proof[place + 1 :]]
    assert not includes(root, size, index, leaf, bent)
    assert not includes(_flipped(root, bit), size, index, leaf, proof)
    assert not includes(root, size, index, _flipped(leaf, bit), proof)
    assert not includes(root, size, index, leaf, proof[:-1])
    assert not includes(root, size, index, leaf, [*proof, leaf])
    for wrong in {*range(size), size, -1} - {index}:
        assert not includes(root, size, wrong, leaf, proof)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), new=st.integers(2, 300))
def test_no_bit_of_a_consistency_proof_can_be_otherwise(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new - 1))
    was, now = root_of(LEAVES[:old]), root_of(LEAVES[:new])
    proof = hashes_of(consistency_path(old, new), Leaves(LEAVES[:new]))
    bit, place = data.draw(st.integers(0, 255)), data.draw(st.integers(0, len(proof) - 1))
    bent = [*proof[:place], _flipped(proof[place], bit), *proof[place + 1 :]]
    assert not consistent(old, was, new, now, bent)
    assert not consistent(old, _flipped(was, bit), new, now, proof)
    assert not consistent(old, was, new, _flipped(now, bit), proof)
    assert not consistent(old, was, new, now, proof[:-1])
    assert not consistent(old, was, new, now, [*proof, was])
    assert not consistent(new, now, old, was, proof)


def test_a_log_that_forgot_or_changed_is_not_a_continuation() -> None:
    rng = random.Random(3)
    for _ in range(50):
        new = rng.randrange(2, 200)
        old = rng.randrange(1, new)
        changed = list(LEAVES[:new])
        changed[rng.randrange(old)] = leaf_hash(b"another story")
        proof = hashes_of(consistency_path(old, new), Leaves(changed))
        assert not consistent(old, root_of(LEAVES[:old]), new, root_of(changed), proof)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3), (3, -1)])
def test_no_path_where_there_is_no_growth(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="grow"):
        consistency_path(old, new)
    assert not consistent(old, b"", new, b"", ())


def test_the_empty_tree_and_equal_trees_take_no_proof() -> None:
    root = root_of(LEAVES[:5])
    assert consistent(0, EMPTY_ROOT, 5, root, ())
    assert not consistent(0, root, 5, root, ())
    assert not consistent(0, EMPTY_ROOT, 5, root, (root,))
    assert consistent(5, root, 5, root, ())
    assert not consistent(5, root, 5, EMPTY_ROOT, ())
    assert not consistent(5, root, 5, root, (root,))
    assert not consistent(3, root_of(LEAVES[:3]), 5, root, ())


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5), (7, 5)])
def test_no_leaf_outside(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_path(index, size)
    assert not includes(EMPTY_ROOT, size, index, LEAVES[0], ())


def test_an_edge_is_taken_up_where_it_was_left() -> None:
    for size in (0, 1, 5, 64, 255, 256, 300):
        edge = Edge()
        edge.extend(LEAVES[:size])
        again = Edge(size, edge.hashes)
        again.extend(LEAVES[size:310])
        assert again.root() == root_of(LEAVES[:310])
        with pytest.raises(ValueError, match="perfect"):
            Edge(size, [*edge.hashes, EMPTY_ROOT])
    with pytest.raises(ValueError, match="perfect"):
        Edge(-1)


@given(start=st.integers(0, 40), width=st.integers(1, 2000))
def test_parts_are_perfect_and_cover_the_range(start: int, width: int) -> None:
    begin = start << width.bit_length()
    parts = perfect_parts(Range(begin, begin + width))
    at = begin
    for part in parts:
        assert part.number << part.level == at
        at += 1 << part.level
    assert at == begin + width
    assert len(parts) == width.bit_count()


@pytest.mark.slow
def test_tiles_give_the_same_hashes_as_all_leaves() -> None:
    """70,000 leaves: three levels, the example of tlog-tiles."""
    size = 70_000
    leaves = [leaf_hash(b"%d" % n) for n in range(size)]
    builder, edge = Builder(), Edge()
    full: dict[tuple[int, int], bytes] = {}
    for leaf in leaves:
        full |= {(t.level, t.number): t.hashes for t in builder.append(leaf)}
        edge.append(leaf)
    assert builder.root() == edge.root()
    parts = [t for t in tiles_of(size) if t.width < 256]
    assert [(t.level, t.number, t.width) for t in parts] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert {(t.level, t.number) for t in tiles_of(size)} - {(t.level, t.number) for t in parts} == set(full)

    def fetch(wanted: Sequence[Tile]) -> list[Folded]:
        return [folded(full.get((t.level, t.number), b"".join(builder.edges[t.level]))[: t.width * 32]) for t in wanted]

    source = TileHashes(size, fetch)
    rng = random.Random(1)
    for index in [0, 255, 256, 65_535, 65_536, size - 1, *(rng.randrange(size) for _ in range(50))]:
        assert includes(edge.root(), size, index, leaves[index], hashes_of(inclusion_path(index, size), source))
    for old in [1, 255, 256, 257, 65_536, 65_537, size - 1, *(rng.randrange(1, size) for _ in range(10))]:
        proof = hashes_of(consistency_path(old, size), source)
        assert consistent(old, root_of(leaves[:old]), size, edge.root(), proof)
    with pytest.raises(ValueError, match="no whole subtree"):
        hashes_of([Range(size, size + 1)], source)


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
