"""The input of a case, which remembers what of it was read: a field that is not used is a failure."""

from collections.abc import Iterator, Mapping
from typing import Any


class Fields(Mapping[str, Any]):
    """A case's input; a value counts as used when it is read, not when somebody asks if it is there."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        """Wrap an input and all that is nested in it."""
        self._read: set[str] = set()
        self._values = {name: _wrapped(value, f"{path}{name}") for name, value in values.items()}
        self._path = path

    def __getitem__(self, name: str) -> Any:
        """Return a value, and remember that it was read."""
        value = self._values[name]
        self._read.add(name)
        return value

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a field."""
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many fields there are."""
        return len(self._values)

    def groups(self) -> dict[str, "Fields"]:
        """Return the fields that are inputs of their own, such as arms under any name."""
        return {name: self[name] for name, value in self._values.items() if isinstance(value, Fields)}

    def unread(self) -> list[str]:
        """Return the paths of the fields that nobody has read."""
        found = []
        for name, value in self._values.items():
            if name not in self._read:
                found.append(f"{self._path}{name}")
                continue
            for inner in value if isinstance(value, list) else [value]:
                found += inner.unread() if isinstance(inner, Fields) else []
        return found


def _wrapped(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return Fields(value, f"{path}.")
    if isinstance(value, list):
        return [_wrapped(inner, f"{path}[{i}]") for i, inner in enumerate(value)]
    return value
