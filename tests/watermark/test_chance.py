"""The bound on false positives: it holds for any received values, and unmarked pictures stay within it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mark_scenes import scenery

from watermark import code, image
from watermark.lattice import lattice
from watermark.mask import whiten
from watermark.reading import gather, log_chance, soft_values
from watermark.tiles import despread


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["normal", "exponential", "uniform", "one large", "few"]))
def test_the_bound_holds_for_fair_signs(seed: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    size = np.ones(1280)
    if shape == "one large":
        size[0] = 20
    elif shape == "few":
        size[40:] = 0
    else:
        size = np.abs(getattr(rng, shape)(size=1280))
    trials = 4000
    signs = rng.choice(np.array([-1.0, 1.0], np.float32), (trials, 1280))
    chances = np.array([log_chance((size * row).astype(np.float32), np.ones(1280, np.float32)) for row in signs[:400]])
    for p in (0.1, 0.02):
        share = float((chances <= math.log(p)).mean())
        assert share <= p + 4 * math.sqrt(p / 400), (shape, p)


@pytest.mark.parametrize("agreeing", [700, 800, 860, 1000, 1279])
def test_the_bound_is_above_the_exact_chance_and_near_it(agreeing: int) -> None:
    exact = Fraction(sum(math.comb(1280, k) for k in range(agreeing, 1281)), 2**1280)
    signs = np.ones(1280, np.float32)
    signs[agreeing:] = -1
    found, log_exact = log_chance(np.ones(1280, np.float32), signs), math.log(exact.numerator) - math.log(exact.denominator)
    assert log_exact <= found <= log_exact + 2.5


@pytest.mark.parametrize("spread", ["even", "one", "rising"])
def test_the_bound_holds_exactly_for_few_coins(spread: str) -> None:
    size = {"even": np.ones(14), "one": np.array([5.0] + [1.0] * 13), "rising": np.arange(1, 15) / 4}[spread].astype(np.float32)
    every = 1 - 2 * (np.arange(1 << 14)[:, None] >> np.arange(14) & 1).astype(np.float32)
    totals = np.sort(every @ size)
    for signs in every[:: 1 << 7]:
        exact = float((totals >= signs @ size - 1e-4).mean())
        assert math.log(exact) <= log_chance(size, signs) + 1e-9


def test_agreement_counts_and_disagreement_does_not() -> None:
    ones = np.ones(1280, np.float32)
    assert log_chance(ones, ones) == pytest.approx(-1280 * math.log(2), rel=0.05)
    assert log_chance(ones, -ones) == 0.0
    assert log_chance(np.zeros(1280, np.float32), ones) == 0.0


@pytest.mark.slow
def test_unmarked_pictures_score_like_a_normal_and_decode_to_nothing() -> None:
    rng = np.random.default_rng(4)
    word = rng.integers(0, 2, code.RATE * 80, dtype=np.uint8)
    need = math.log(image.P_FALSE / min(kind.weight for kind in image.ALLOWANCES)) - 64 * math.log(2)
    scores = []
    for trial in range(160):
        layout = lattice(rng.bytes(32))
        white = whiten(scenery(256, 256, seed=trial % 20).astype(np.float32)[..., 1])
        sums = gather(despread(white, layout.carriers, np.diag([1.1, 1.1, 1.0])), layout)
        soft = soft_values(sums[np.unravel_index(int((np.abs(sums) ** 2).sum(2).argmax()), (16, 16))], layout)
        scores.append(float(soft @ (1 - 2 * word[layout.order].astype(np.float32))) / math.sqrt(float(soft @ soft)))
        if trial % 4 == 0:
            bits = next(code.decode(np.bincount(layout.order, soft, word.size).astype(np.float32)))
            assert log_chance(soft, 1 - 2 * code.encode(bits)[layout.order].astype(np.float32)) > need
    assert abs(float(np.mean(scores))) < 0.35
    assert 0.8 < float(np.std(scores)) < 1.2
