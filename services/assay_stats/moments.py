"""Mergeable sufficient statistics: the only form in which data enters this package.

Every state merges by addition, so any partition of the data, in any order, gives the same sums. A `shift`
frozen before the start keeps the sum of squares exact when the mean is large beside the spread; the sums
are then those of `value - shift`.
"""

from collections.abc import Iterable
from math import fsum, isfinite
from typing import NamedTuple, Self


class Moments(NamedTuple):
    """Sums of one value per unit, as the collector's summary carries them: {"n", "sum", "sumsq"}.

    Attributes:
        n: Units.
        total: Sum of the (shifted) values.
        squares: Sum of the squared (shifted) values; ignored for proportions.
        shift: What was subtracted from every value, frozen before the first one.
    """

    n: int
    total: float
    squares: float = 0.0
    shift: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float], shift: float = 0.0) -> Self:
        """Sum up raw values.

        Raises:
            ValueError: A value is not finite.

        >>> Moments.of([1, 2, 4]).mean
        2.3333333333333335
        """
        moved = [float(value) - shift for value in values]
        return cls(len(moved), fsum(moved), fsum(v * v for v in moved), shift).checked()

    @classmethod
    def proportion(cls, n: int, events: float) -> Self:
        """Sum up zeros and ones, of which a sum says everything."""
        return cls(n, events, events).checked_proportion()

    def merge(self, other: Self) -> Self:
        """Add two disjoint sets of units.

        Raises:
            ValueError: The two have different shifts.
        """
        if self.shift != other.shift:
            raise ValueError(f"shift: {self.shift} and {other.shift} cannot be merged; freeze one shift")
        return self._replace(
            n=self.n + other.n, total=self.total + other.total, squares=self.squares + other.squares
        )

    def checked(self) -> Self:
        """Return itself if the sums can be those of `n` finite values.

        Raises:
            ValueError: A negative n, a sum that is not finite, or squares below what the sum demands.
        """
        if self.n < 0 or self.n != int(self.n):
            raise ValueError(f"n: {self.n} is not a count")
        for name in ("total", "squares", "shift"):
            if not isfinite(getattr(self, name)):
                raise ValueError(f"{name}: {getattr(self, name)} is not a finite number")
        if self.squares < 0:
            raise ValueError(f"squares: {self.squares} is negative")
        if self.n == 0 and (self.total or self.squares):
            raise ValueError(f"total: {self.total} without a unit")
        return self

    def checked_proportion(self) -> Self:
        """Return itself if the total can be a number of events among `n` units.

        Raises:
            ValueError: The total is negative or above n, or there is a shift.
        """
        self.checked()
        if self.shift or not 0 <= self.total <= self.n:
            raise ValueError(f"total: {self.total} is not a number of events among {self.n} units")
        return self

    @property
    def mean(self) -> float:
        """Mean of the values; 0 without units (ask `n` first)."""
        return self.shift + self.total / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """Sample variance, n - 1 in the denominator; 0 for fewer than two units.

        Rounding may push the difference of sums below zero, which is then zero.
        """
        if self.n <= 1:
            return 0.0
        return max(0.0, (self.squares - self.total * self.total / self.n) / (self.n - 1))

    @property
    def binary_variance(self) -> float:
        """Variance p(1-p) of zeros and ones, without n / (n - 1)."""
        return max(0.0, self.mean * (1 - self.mean))


class PairMoments(NamedTuple):
    """Sums of two values per unit: numerator and denominator of a ratio, or outcome and covariate.

    Attributes:
        n: Units (or clusters).
        y: Sum of the numerator or outcome.
        yy: Sum of its squares.
        x: Sum of the denominator or pre-exposure covariate.
        xx: Sum of its squares.
        xy: Sum of the products.
        shift_y: What was subtracted from every y (CUPED only; a ratio has none).
        shift_x: What was subtracted from every x (CUPED only).
    """

    n: int
    y: float
    yy: float
    x: float
    xx: float
    xy: float
    shift_y: float = 0.0
    shift_x: float = 0.0

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]], shift_y: float = 0.0, shift_x: float = 0.0) -> Self:
        """Sum up raw (y, x) pairs, one a unit.

        Raises:
            ValueError: A value is not finite.
        """
        moved = [(float(y) - shift_y, float(x) - shift_x) for y, x in pairs]
        sums = (fsum(column) for column in zip(*((y, y * y, x, x * x, x * y) for y, x in moved), strict=True))
        y, yy, x, xx, xy = tuple(sums) or (0.0,) * 5
        return cls(len(moved), y, yy, x, xx, xy, shift_y, shift_x).checked()

    def merge(self, other: Self) -> Self:
        """Add two disjoint sets of units.

        Raises:
            ValueError: The two have different shifts.
        """
        if (self.shift_y, self.shift_x) != (other.shift_y, other.shift_x):
            raise ValueError("shift: pairs with different shifts cannot be merged; freeze the shifts")
        sums = {
            name: getattr(self, name) + getattr(other, name) for name in ("n", "y", "yy", "x", "xx", "xy")
        }
        return self._replace(**sums)

    def checked(self) -> Self:
        """Return itself if the sums can be those of `n` finite pairs.

        Raises:
            ValueError: A negative n, negative squares, or a sum that is not finite.
        """
        self.numerator.checked()
        self.denominator.checked()
        if not isfinite(self.xy):
            raise ValueError(f"xy: {self.xy} is not a finite number")
        return self

    @property
    def numerator(self) -> Moments:
        """The y part alone."""
        return Moments(self.n, self.y, self.yy, self.shift_y)

    @property
    def denominator(self) -> Moments:
        """The x part alone."""
        return Moments(self.n, self.x, self.xx, self.shift_x)

    @property
    def covariance(self) -> float:
        """Sample covariance, n - 1 in the denominator; 0 for fewer than two units."""
        return (self.xy - self.x * self.y / self.n) / (self.n - 1) if self.n > 1 else 0.0
