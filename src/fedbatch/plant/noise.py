"""Noise as sensors have it: each reading remembers the one before."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["coloured"]


def coloured(
    chance: np.random.Generator, count: int, *, sigma: float, tau_scans: float
) -> NDArray[np.float64]:
    """Return `count` values of mean 0 and standard deviation `sigma`.

    Neighbours are correlated as e^(−1/tau_scans). A finite filter stands for the recursion, so that
    a fortnight of scans is one convolution.
    """
    taps = max(1, math.ceil(5 * tau_scans))
    kernel = np.exp(-np.arange(taps) / tau_scans)
    kernel *= sigma / math.sqrt(float(np.sum(kernel**2)))
    return np.convolve(chance.standard_normal(count + taps - 1), kernel, mode="valid")
