"""The spectrum of a whitened copy: what the search for a pose looks at, between its bins too."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from watermark.lattice import Complex, Real

MARGIN = 2
"""Bins beyond the axis and the wrap that cubic interpolation may touch."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Whitened spectrum of a whitened picture, its centre at the origin of phase.

    Attributes:
        values: Shape (P, Q // 2 + 1), complex64, mean power about 1; row is the vertical frequency, wrapped.
        shape: (P, Q): cycles per pixel are row / P, column / Q.
        framed: Shape (P + 4, Q // 2 + 3, 2), float32: the same, zero frequency in row P // 2 + 2 and column 2, ready for `at`.
    """

    values: Complex
    shape: tuple[int, int]
    framed: Real

    def at(self, across: NDArray[np.float64], down: NDArray[np.float64]) -> Complex:
        """Interpolate at frequencies in cycles per pixel, |f| < ½, both of shape (…, n): complex64 of shape (…, n)."""
        # the half that is stored; the other is its conjugate
        side = np.where(across < 0, -1.0, 1.0)
        x = (across * side * self.shape[1] + MARGIN).astype(np.float32)
        y = (down * side * self.shape[0] + (self.shape[0] // 2 + MARGIN)).astype(np.float32)
        flat = (-1, across.shape[-1])
        found = np.asarray(cv2.remap(self.framed, x.reshape(flat), y.reshape(flat), cv2.INTER_CUBIC), np.float32)
        found[..., 1] *= side.reshape(flat)
        return found.view(np.complex64).reshape(across.shape)


def spectrum(white: Real) -> Spectrum:
    """Return the spectrum of a whitened picture, zero-padded to twice its size."""
    height, width = white.shape
    tapered = white * _taper(height)[:, None] * _taper(width)
    tall, wide = (cv2.getOptimalDFTSize(2 * size) for size in (height, width))
    tall, wide = tall + tall % 2, wide + wide % 2
    field = np.zeros((tall, wide), np.float32)
    top, left = height // 2, width // 2
    field[: height - top, : width - left] = tapered[top:, left:]
    field[: height - top, wide - left :] = tapered[top:, :left]
    field[tall - top :, : width - left] = tapered[:top, left:]
    field[tall - top :, wide - left :] = tapered[:top, :left]
    values = _transform(field)
    values /= np.sqrt(_background(values))
    return Spectrum(values, (tall, wide), _framed(values))


def _transform(field: Real) -> Complex:
    """Half of the two-dimensional transform, as `numpy.fft.rfft2` but for the first and last column, which stay 0.

    OpenCV's packed form is several times faster to compute; no line of a mark lies on the axis or at the Nyquist frequency.
    """
    packed = cv2.dft(field)
    tall, wide = field.shape
    values = np.zeros((tall, wide // 2 + 1), np.complex64)
    values.view(np.float32)[:, 2:wide] = packed[:, 1 : wide - 1]
    return values


def _framed(values: Complex) -> Real:
    """Zero frequency in the middle of the left edge, with a margin that continues the spectrum."""
    tall, half = values.shape[0] // 2, values.shape[1]
    framed = np.zeros((2 * (tall + MARGIN), half + MARGIN), np.complex64)
    framed[MARGIN : tall + MARGIN, MARGIN:] = values[tall:]
    framed[tall + MARGIN : -MARGIN, MARGIN:] = values[:tall]
    framed[:MARGIN, MARGIN:] = values[tall - MARGIN : tall]
    framed[-MARGIN:, MARGIN:] = values[tall : tall + MARGIN]
    # F(−x, y) is the conjugate of F(x, −y); rows count from −tall − margin, so that turning them round is one off
    for column in range(1, MARGIN + 1):
        framed[1:, MARGIN - column] = framed[:0:-1, MARGIN + column].conj()
    return framed.view(np.float32).reshape(*framed.shape, 2)


def _taper(size: int, ramp: int = 12) -> Real:
    edge = np.minimum(np.arange(size) + 0.5, size - 0.5 - np.arange(size)) / min(ramp, size / 2)
    return np.asarray(np.sin(np.minimum(edge, 1) * np.pi / 2) ** 2, np.float32)


def _background(values: Complex) -> Real:
    """Local mean power, lines left out by holding each bin to four times a first mean."""
    power = values.real**2 + values.imag**2
    size = max(9, power.shape[1] // 25 | 1), max(9, power.shape[0] // 50 | 1)
    mean = cv2.blur(power, size) + np.float32(1e-12)
    return np.asarray(cv2.blur(np.minimum(power, 4 * mean), size) + 1e-12, np.float32)
