"""How one answer of the gateway is judged, wherever that is done."""

SLOWER_THAN = ("10ms", "20ms", "50ms", "100ms", "200ms", "500ms", "1s", "2s", "5s", "10s", "20s")
"""Bars for slow answers that are counted for every version, in ascending order."""
SLOWER_THAN_US = tuple(base * 10**power for power in range(4, 8) for base in (1, 2, 5))[: len(SLOWER_THAN)]
"""The same in microseconds."""
_SERVER_ERROR = 500


def is_failure(status: int) -> bool:
    """Tell whether the caller got a server's error, or no answer at all (0).

    >>> [is_failure(status) for status in (0, 200, 404, 500, 503)]
    [True, False, False, True, True]
    """
    return status == 0 or status >= _SERVER_ERROR
