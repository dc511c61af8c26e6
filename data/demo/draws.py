"""Random numbers that stay the same when something else changes.

Each topic has its own stream, so that a draw added to one leaves the others as they were; and what a pair
of people always has in common (how much one likes the other) is a function of the pair, not of the order
in which pairs are drawn.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from data.demo.company import Floats, Ints


def stream(seed: int, topic: str) -> np.random.Generator:
    """The random numbers of a topic."""
    return np.random.default_rng([seed, crc32(topic.encode())])


def lasting_normal(seed: int, topic: str, *keys: Ints | int) -> Floats:
    """A standard normal draw per combination of keys: the same keys have the same draw.

    Parameters
    ----------
    seed, topic
        As for `stream`.
    *keys
        Arrays of whole numbers of one shape, or single numbers.
    """
    mixed = np.uint64(np.random.SeedSequence([seed, crc32(topic.encode())]).generate_state(1, np.uint64)[0])
    state: NDArray[np.uint64] = np.asarray(mixed)
    with np.errstate(over="ignore"):
        for key in keys:
            state = _scrambled(state + np.asarray(key).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        other = _scrambled(state + np.uint64(0xD1B54A32D192ED03))
    # Box and Muller: two uniforms make one normal draw.
    radius = np.sqrt(-2 * np.log((state >> np.uint64(11)).astype(np.float64) / 2**53 + 2.0**-54))
    return np.asarray(radius * np.cos(2 * np.pi * (other >> np.uint64(11)).astype(np.float64) / 2**53))


def _scrambled(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The finaliser of splitmix64 (Steele, Lea & Flood 2014, doi:10.1145/2714064.2660195).
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
