"""Freed memory goes back to the system at once: rows come and go in pieces as large as all the data.

Left alone, Arrow and the C library keep much of what was freed, for a next time that does not come.
"""

import ctypes
import os
from collections.abc import MutableMapping
from contextlib import suppress

POOL = "ARROW_DEFAULT_MEMORY_POOL"
LARGE = 4 * 2**20  # bytes from which on a piece is the system's own
_MMAP_THRESHOLD = -3  # its name in malloc.h


def give_back(environment: MutableMapping[str, str] = os.environ) -> None:
    """Call it before pyarrow is imported; where the C library is not GNU's, its part does nothing."""
    environment.setdefault(POOL, "system")
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
