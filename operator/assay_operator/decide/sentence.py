"""Numbers as sentences of conditions spell them."""

SMALLEST_P = 1e-4


def confidence(alpha: float) -> str:
    """Return the level of a confidence sequence.

    >>> confidence(0.05), confidence(0.001)
    ('95%', '99.9%')
    """
    return f"{100 * (1 - alpha):.4g}%"


def p_value(p: float) -> str:
    """Return a p-value; a tiny one is a bound, as it is never zero.

    >>> p_value(0.0312), p_value(1e-12)
    ('p = 0.031', 'p < 0.0001')
    """
    return f"p = {p:.2g}" if p >= SMALLEST_P else f"p < {SMALLEST_P:g}"
