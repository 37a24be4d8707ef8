"""Several tests at once: adjusted p-values, and e-values for the false discovery rate.

Holm on always-valid p-values holds the family-wise error at any stopping time. Plain Benjamini-Hochberg is
not safe under peeking with dependent tests; `e_bh` is (Wang and Ramdas, JRSS-B 2022).
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum, log


def bonferroni(p: Sequence[float]) -> list[float]:
    """Return p-values times their number, at most 1."""
    return [min(1.0, len(p) * value) for value in p]


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p-values (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    return _stepped_down(p, lambda rank, value: (len(p) - rank) * value)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Return step-up adjusted p-values for the false discovery rate (1995), in the order given."""
    return _stepped_up(p, 1.0)


def benjamini_yekutieli(p: Sequence[float]) -> list[float]:
    """Return the step-up adjustment that holds under any dependence (2001), in the order given."""
    return _stepped_up(p, fsum(1 / k for k in range(1, len(p) + 1)))


def hommel(p: Sequence[float]) -> list[float]:
    """Return Hommel's adjusted p-values (1988), by the algorithm of Wright (1992), in the order given."""
    m = len(p)
    order = sorted(range(m), key=p.__getitem__)
    sorted_p = [p[i] for i in order]
    best = [min((m * v / (k + 1) for k, v in enumerate(sorted_p)), default=1.0)] * m
    for size in range(m - 1, 1, -1):
        head, tail = sorted_p[: m - size + 1], sorted_p[m - size + 1 :]
        least = min(size * v / (k + 2) for k, v in enumerate(tail))
        current = [min(size * v, least) for v in head]
        current += [current[-1]] * len(tail)
        best = [max(old, new) for old, new in zip(best, current, strict=True)]
    return _restored(order, [min(1.0, max(b, v)) for b, v in zip(best, sorted_p, strict=True)])


def e_bh(log_e: Sequence[float], alpha: float) -> list[bool]:
    """Return which hypotheses to reject: the k largest, k the greatest with e_(k) >= m / (alpha k).

    Args:
        log_e: ln e at the time of stopping; not running maxima, which are no e-values.
        alpha: False discovery rate.
    """
    m = len(log_e)
    order = sorted(range(m), key=lambda i: -log_e[i])
    ranks = [rank for rank, i in enumerate(order, 1) if log_e[i] >= log(m / (alpha * rank))]
    kept = set(order[: max(ranks, default=0)])
    return [i in kept for i in range(m)]


ADJUSTMENTS: Mapping[str, Callable[[Sequence[float]], list[float]]] = {
    "none": lambda p: [float(value) for value in p],
    "bonferroni": bonferroni,
    "holm": holm,
    "hommel": hommel,
    "bh": benjamini_hochberg,
    "by": benjamini_yekutieli,
}


def _stepped_down(p: Sequence[float], scaled: Callable[[int, float], float]) -> list[float]:
    order = sorted(range(len(p)), key=p.__getitem__)
    running, adjusted = 0.0, []
    for rank, i in enumerate(order):
        running = max(running, min(1.0, scaled(rank, p[i])))
        adjusted.append(running)
    return _restored(order, adjusted)


def _stepped_up(p: Sequence[float], factor: float) -> list[float]:
    order = sorted(range(len(p)), key=lambda i: -p[i])
    running, adjusted = 1.0, []
    for position, i in enumerate(order):
        running = min(running, factor * len(p) * p[i] / (len(p) - position))
        adjusted.append(running)
    return _restored(order, adjusted)


def _restored(order: Sequence[int], values: Sequence[float]) -> list[float]:
    restored = [0.0] * len(values)
    for i, value in zip(order, values, strict=True):
        restored[i] = value
    return restored
