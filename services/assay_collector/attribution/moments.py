"""Sums that don't depend on the order of the additions: what the statistics of an arm are kept in.

A float is a whole number of units of 2**-1074. Kept as whole numbers, sums and sums of squares are exact:
taking a value back leaves no trace, a recount in any order is equal bit for bit, and the variance of values
near 1e8 is right.
"""

from collections.abc import Mapping
from typing import NamedTuple

FINEST = 1074  # every finite float is a multiple of 2**-1074


def exact(value: float) -> int:
    """Return `value` in units of 2**-1074.

    >>> exact(0.75) == 3 * 2**1072
    True
    """
    numerator, denominator = value.as_integer_ratio()
    return numerator << (FINEST + 1 - denominator.bit_length())


class Moments(NamedTuple):
    """How many values, their exact sum (units of 2**-1074) and exact sum of squares (units of 2**-2148).

    >>> Moments().plus({0.1: 1, 0.2: 1}).plus({0.1: -1}) == Moments().plus({0.2: 1})
    True
    """

    n: int = 0
    total: int = 0
    squares: int = 0

    def plus(self, values: Mapping[float, int]) -> "Moments":
        """Return these and more values, each with how often it came; a negative number takes it back."""
        n, total, squares = self
        for value, times in values.items():
            units = exact(value)
            n, total, squares = n + times, total + times * units, squares + times * units * units
        return Moments(n, total, squares)

    @property
    def sum(self) -> float:
        """The sum, rounded once."""
        return self.total / (1 << FINEST)

    @property
    def sumsq(self) -> float:
        """The sum of squares, rounded once."""
        return self.squares / (1 << 2 * FINEST)

    @property
    def m2(self) -> float:
        """The sum of squared distances from the mean, free of cancellation, rounded once."""
        if self.n == 0:
            return 0.0
        return (self.squares * self.n - self.total * self.total) / (self.n << 2 * FINEST)
