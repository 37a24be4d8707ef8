"""Is there anything to write at all? An apply that changes nothing still costs a round trip."""

from typing import Any

_ATOMIC = {"selector", "matchLabels", "nodeSelector"}  # maps that Kubernetes replaces as a whole


def says(live: Any, wanted: Any, key: str = "") -> bool:
    """Tell whether `live` has every field of `wanted`; further fields do not matter, but in atomic maps.

    What we no longer want is invisible here, which is why manifests carry a digest of themselves.

    >>> says({"replicas": 3, "paused": False}, {"replicas": 3})
    True
    >>> says({"selector": {"app": "a", "more": "b"}}, {"selector": {"app": "a"}})
    False
    """
    match wanted:
        case dict() if key in _ATOMIC and all(isinstance(value, str) for value in wanted.values()):
            return bool(live == wanted)
        case dict():
            return isinstance(live, dict) and all(
                name in live and says(live[name], value, name) for name, value in wanted.items()
            )
        case list():
            return isinstance(live, list) and len(live) == len(wanted) and all(map(says, live, wanted))
        case _:
            return bool(live == wanted)
