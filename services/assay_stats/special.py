"""scipy.special, imported at its first use: a plain import of this package need not wait for it."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Return the function of that name, and remember it here."""
    import scipy.special  # noqa: PLC0415 - this is the point of the module

    value = getattr(scipy.special, name)
    globals()[name] = value
    return value
