"""Tables of vectors in 8 or 4 bits a number, with one scale for each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medlink.errors import EncoderError, SettingError

BITS = (4, 8)
# Where a row is cut off, as shares of its largest number; the share with the least squared error is taken. In 4 bits
# a cut at about 0.7 rounds all other numbers more finely; in 8 bits it never pays.
_CUTS = {4: (0.5, 0.6, 0.7, 0.8, 0.9, 1.0), 8: (1.0,)}


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A table whose row ``i`` is about ``(codes[i] - zero) * scale[i]``, with ``zero`` = 8 or 128.

    :param codes: *Shape:* (n_rows, width) for 8 bits, uint8; (n_rows, width / 2) for 4, two numbers a byte, the first
        one in the low half.
    :param scale: *Shape:* (n_rows,), float32.
    :param bits: 4 or 8.
    """

    codes: NDArray[np.uint8]
    scale: NDArray[np.float32]
    bits: int


def quantise(table: NDArray[np.float32], bits: int) -> Quantised:
    """The table in that many bits a number.

    :param table: *Shape:* (n_rows, width); the width is even for 4 bits.
    :raises SettingError: when ``bits`` is neither 4 nor 8, or the width does not fit.
    :raises EncoderError: when a number is not finite.
    """
    if bits not in BITS or (bits == 4 and table.shape[1] % 2):
        raise SettingError(
            "no such quantisation", where="bits", expected="8, or 4 for an even width", got=f"{bits}, {table.shape}"
        )
    if not np.isfinite(table).all():
        raise EncoderError("a table holds numbers that are not finite", hint="Check the training run.")
    top = (1 << (bits - 1)) - 1
    scale = _best_scale(table, bits, top)
    codes = (_round(table, scale, top) + (top + 1)).astype(np.uint8)
    if bits == 4:
        codes = np.bitwise_or(codes[:, 0::2], np.left_shift(codes[:, 1::2], np.uint8(4)))
    return Quantised(codes, scale, bits)


def dequantise(quantised: Quantised) -> NDArray[np.float32]:
    """The table again, each number at most half a scale off unless it was cut. *Shape:* (n_rows, width)."""
    codes, bits = quantised.codes, quantised.bits
    if bits == 4:
        codes = np.stack((codes & 15, codes >> 4), axis=2).reshape(len(codes), -1)
    table = codes.astype(np.float32)
    table -= np.float32(1 << (bits - 1))
    table *= quantised.scale[:, None]
    return table


def _best_scale(table: NDArray[np.float32], bits: int, top: int) -> NDArray[np.float32]:
    """The scale of each row, of those tried, that loses least; above zero also for a row of zeros."""
    largest = np.abs(table).max(axis=1)
    best, least = np.ones(len(table), np.float32), np.full(len(table), np.inf, np.float32)
    for cut in _CUTS[bits]:
        scale = np.maximum(largest * np.float32(cut / top), np.finfo(np.float32).tiny)
        loss = np.square(_round(table, scale, top) * scale[:, None] - table).sum(axis=1)
        better = loss <= least
        best[better], least[better] = scale[better], loss[better]
    return best


def _round(table: NDArray[np.float32], scale: NDArray[np.float32], top: int) -> NDArray[np.float32]:
    return np.asarray(np.rint(table / scale[:, None]).clip(-top, top), np.float32)
