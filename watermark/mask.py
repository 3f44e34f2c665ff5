"""Where change hides from the eye, and what the host's own noise is: the two faces of one local analysis of luma.

`visibility` is the embedder's amplitude map. `whiten` is the detector's matched filter: it divides each small block's
spectrum by the host's power there, so that a line of the mark stands against noise of one level everywhere, and multiplies by
the amplitude that the embedder would have used.

The mark is the same in every colour channel, so differences of channels are free of it and yet follow the host: shade on an
orange tree darkens red, green and blue in proportion. What of luma they foretell, block by block, is host and is taken out.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

BLOCK = 16
HOP = 8
STRIP = 60_000
"""Samples, in whole rows of blocks, that are whitened at a time: what is made of them stays in the processor's cache."""
FINE_AREA = 130_000
"""Samples up to which blocks overlap by three quarters, not by half: 0.2 dB for cuts, which have nothing to spare, and pilots
stand out by up to one standard deviation more."""
FLOOR = 2.5
"""Power per sample that a block is taken to have besides the host's: rounding, sensor, quantiser."""
OUTLIER = 2.5
"""A coefficient this many times its neighbourhood's rms is an edge, not mark, and is held to it."""
CONTRAST = 0.55
"""The usual: less helps cuts at a given PSNR, but shows more in smooth areas."""
ZONE = 6
"""Frequencies, each way, of a block under which luma follows colour by weights of their own: codecs blur colour above."""
DOUBT = 3.0
"""Added to the whitened power of colour, of up to 256 coefficients: faint colour tells nothing."""


def visibility(luma: Plane, contrast: float = CONTRAST) -> Plane:
    """Return the relative amplitude that a mark may have at each sample, mean about 1.

    Texture hides more than smooth areas, and a lone edge little: local activity is a low power mean of the high-pass. Dark and
    bright areas hide a little more than mid-grey.

    Args:
        luma: Shape (H, W), 0–255, near canonical resolution.
        contrast: Power of a place's activity by which its amplitude rises.
    Returns:
        Shape (H, W), float32, > 0.
    """
    detail = cv2.absdiff(luma, cv2.GaussianBlur(luma, (0, 0), 2.5))
    cv2.pow(detail, 0.6, dst=detail)
    # what is smoothed widely needs no more than half the samples each way
    size = -(-luma.shape[1] // 2), -(-luma.shape[0] // 2)
    coarse, dim = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (detail, luma))
    activity = cv2.pow(cv2.GaussianBlur(coarse, (0, 0), 1.75), 1 / 0.6)
    amount: Plane = np.asarray(cv2.pow(activity + 1.0, contrast), np.float32)
    tone: Plane = np.asarray((cv2.GaussianBlur(dim, (0, 0), 2.0) - 127.0) / 128.0, np.float32)
    amount *= np.float32(1.0) + np.float32(0.35) * tone * tone
    mean = float(amount.mean())
    relative = np.minimum(amount, np.float32(3.5 * mean)) / np.float32(mean)
    return np.asarray(cv2.resize(relative, luma.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def whiten(picture: Plane) -> Plane:
    """Return a picture of which every block's spectrum is flat where the host's was not.

    Args:
        picture: Luma, shape (H, W), or red, green and blue, shape (H, W, 3); 0–255.
    Returns:
        Shape (H, W), float32, mean about 0; of no particular unit.
    """
    height, width = picture.shape[:2]
    hop = HOP if height * width > FINE_AREA else HOP // 2
    frame = BLOCK - hop
    tall, wide = (-(-(size + frame) // BLOCK) * BLOCK + BLOCK for size in (height, width))
    # reflected, so that no frame of black makes edges
    sides = frame, tall - frame - height, frame, wide - frame - width
    planes = [_framed(plane, *sides) for plane in luma_and_hues(picture)]
    amount: Plane = np.asarray(cv2.blur(visibility(planes[0]), (BLOCK, BLOCK)), np.float32)
    padded = np.empty((len(planes), tall, wide), np.float32)
    for plane, level in zip(planes, padded, strict=True):
        cv2.subtract(plane, cv2.blur(plane, (2 * BLOCK, 2 * BLOCK)), dst=level)
    out, rows = np.zeros((tall, wide), np.float32), BLOCK * max(1, STRIP // (BLOCK * wide))
    for top in range(0, BLOCK, hop):
        last = top + tall - BLOCK * (top > 0)
        for strip in range(top, last, rows):
            for left in range(0, BLOCK, hop):
                area = np.s_[strip : min(last, strip + rows), left : left + wide - BLOCK * (left > 0)]
                weight = amount[area][BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]
                out[area] += _whiten_blocks(padded[:, *area], weight)
    return out[frame : frame + height, frame : frame + width]


def _framed(plane: Plane, top: int, bottom: int, left: int, right: int) -> Plane:
    return np.asarray(cv2.copyMakeBorder(plane, top, bottom, left, right, cv2.BORDER_REFLECT), np.float32)


def luma_and_hues(picture: Plane) -> list[Plane]:
    """Luma and the differences red − green and blue − green, each (H, W); luma alone where there is no colour."""
    if picture.ndim == 2:
        return [picture]
    planes = [np.asarray(cv2.transform(picture, weights), np.float32) for weights in _OPPONENT]
    return planes if max(float(cv2.norm(plane, cv2.NORM_INF)) for plane in planes[1:]) > 1 else planes[:1]


_OPPONENT = np.array([[[0.299, 0.587, 0.114]], [[1, -1, 0]], [[0, -1, 1]]], np.float32)


def _dct_matrix() -> Plane:
    place, wave = np.arange(BLOCK), np.arange(BLOCK)[:, None]
    matrix = np.sqrt(2 / BLOCK) * np.cos(np.pi * (place + 0.5) * wave / BLOCK)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)


def _neighbours() -> Plane:
    """Mean over a frequency and its two neighbours, as a matrix."""
    band = np.eye(BLOCK) + np.eye(BLOCK, k=1) + np.eye(BLOCK, k=-1)
    return np.asarray(band / band.sum(1, keepdims=True), np.float32)


_WINDOW = np.sin(np.pi * (np.arange(BLOCK) + 0.5) / BLOCK).astype(np.float32)
_ANALYSE = (_dct_matrix() * _WINDOW).astype(np.float32)
_SYNTHESE = np.ascontiguousarray(_ANALYSE.T)
_NEAR = _neighbours()
_NEAR_ACROSS = np.ascontiguousarray(_NEAR.T)


def _whiten_blocks(planes: Plane, weight: Plane) -> Plane:
    """Whiten non-overlapping 16 × 16 blocks; `weight` has one value a block. Windowed on the way in and on the way out."""
    count, tall, wide = planes.shape
    spectra = _separable(planes, _ANALYSE, _SYNTHESE).reshape(count, tall // BLOCK, BLOCK, wide)
    spectrum = spectra[0]
    power = _power(spectrum)
    if count > 1:
        _take_out_hues(spectrum, spectra[1], spectra[2], power)
        power = _power(spectrum)
    root = np.sqrt(power)
    # gain = weight / power, less where a coefficient stands out of its neighbourhood
    size = np.abs(spectrum)
    size *= np.float32(1 / OUTLIER)
    np.maximum(root, size, out=power)
    power *= root
    spectrum /= power
    spectrum *= np.repeat(weight, BLOCK, axis=1)[:, None]
    return _separable(spectrum, _SYNTHESE, _ANALYSE).reshape(tall, wide)


def _power(spectrum: Plane) -> Plane:
    """Mean power about each coefficient of its block."""
    power = _separable(spectrum * spectrum, _NEAR, _NEAR_ACROSS)
    power += np.float32(FLOOR)
    return power.reshape(spectrum.shape)


def _take_out_hues(spectrum: Plane, one: Plane, two: Plane, power: Plane) -> None:
    """Take out of luma's blocks what two differences of channels foretell, by least squares on whitened coefficients.

    Args:
        spectrum: Shape (rows, 16, 16 columns), luma's blocks; changed in place.
        one, two: The same of the differences.
        power: The same of luma's mean power about each coefficient.
    """
    first, second = one / power, two / power
    pairs = ((first, spectrum), (second, spectrum), (first, one), (first, two), (second, two))
    a, b, aa, ab, bb = (_zones(left * right) for left, right in pairs)
    aa, bb = aa + DOUBT, bb + DOUBT
    scale: Plane = np.asarray(1 / (aa * bb - ab * ab), np.float32)
    weights = _lines((bb * a - ab * b) * scale), _lines((aa * b - ab * a) * scale)
    for rows, of_one, of_two in zip(_ROWS, *weights, strict=True):
        spectrum[:, rows] -= of_one * one[:, rows]
        spectrum[:, rows] -= of_two * two[:, rows]


def _zones(products: Plane) -> Plane:
    """Sum each block's low and high frequencies: shape (rows, 16, 16 columns) → (2, rows, columns)."""
    rows, _, wide = products.shape
    down = np.matmul(_LOW_AND_ALL.T, products)
    sums = (down.reshape(-1, BLOCK) @ _LOW_AND_ALL).reshape(rows, 2, wide // BLOCK, 2)
    low = sums[:, 0, :, 0]
    return np.asarray(np.stack([low, sums[:, 1, :, 1] - low]), np.float32)


def _lines(zones: Plane) -> tuple[Plane, Plane]:
    """Give the coefficients their zones' values: for the rows of low frequency, and for the others; (rows, 1, 16 columns)."""
    low, high = np.repeat(zones, BLOCK, axis=2)[:, :, None]
    inside = np.tile(_LOW_AND_ALL[:, 0] > 0, zones.shape[2])
    return np.where(inside, low, high), high


_ROWS = np.s_[:ZONE], np.s_[ZONE:]
_LOW_AND_ALL = np.ones((BLOCK, 2), np.float32)
_LOW_AND_ALL[ZONE:, 0] = 0


def _separable(planes: Plane, down: Plane, across: Plane) -> Plane:
    """Apply 16 × 16 matrices to every block of planes, to its columns from the left and to its rows from the right."""
    wide = planes.shape[-1]
    rows = planes.reshape(-1, BLOCK) @ across
    return np.asarray(np.matmul(down, rows.reshape(-1, BLOCK, wide)), np.float32)
