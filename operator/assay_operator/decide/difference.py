"""Is there anything to write at all? An apply that changes nothing still costs a round trip."""

from typing import Any


def says(live: Any, wanted: Any) -> bool:
    """Tell whether `live` has every field of `wanted`; further fields do not matter.

    What we no longer want is invisible here, which is why manifests carry a digest of themselves.

    >>> says({"replicas": 3, "paused": False}, {"replicas": 3})
    True
    """
    match wanted:
        case dict():
            return isinstance(live, dict) and all(
                key in live and says(live[key], value) for key, value in wanted.items()
            )
        case list():
            return isinstance(live, list) and len(live) == len(wanted) and all(map(says, live, wanted))
        case _:
            return bool(live == wanted)
