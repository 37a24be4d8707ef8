"""A set of packed resources that knows its own version without reading all of itself again."""

from collections.abc import Iterator, Mapping

import xxhash

WIDTH = 128


class VersionedResources:
    """Packed resources by name. Equal content has an equal version, in whatever order it came to be.

    The version is the sum of the hashes of the items, so a change costs the item and not the set.
    """

    def __init__(self, items: Mapping[str, bytes] | None = None, total: int = 0) -> None:
        """Start with items whose hashes add up to `total`."""
        self._items: dict[str, bytes] = dict(items or {})
        self._total = total
        self._frozen: VersionedResources | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def get(self, key: str) -> bytes | None:
        """Return an item, or None."""
        return self._items.get(key)

    def values(self) -> Iterator[bytes]:
        """Yield the items."""
        return iter(self._items.values())

    @property
    def version(self) -> str:
        """What a gateway is told and says back."""
        return f"{len(self._items)}-{self._total:032x}"

    def put(self, key: str, value: bytes) -> bool:
        """Set an item; return whether that changed anything."""
        if (old := self._items.get(key)) == value:
            return False
        if old is not None:
            self._count(key, old, -1)
        self._items[key] = value
        self._count(key, value, 1)
        return True

    def update(self, items: Mapping[str, bytes]) -> None:
        """Set items."""
        for key, value in items.items():
            self.put(key, value)

    def drop(self, key: str) -> bool:
        """Remove an item; return whether it was there."""
        if (old := self._items.pop(key, None)) is None:
            return False
        self._count(key, old, -1)
        return True

    def copy(self) -> "VersionedResources":
        """Return what this is now, and the same object as before if nothing has changed."""
        if self._frozen is None:
            self._frozen = VersionedResources(self._items, self._total)
        return self._frozen

    def news(self, since: Mapping[str, bytes]) -> list[str]:
        """Return the keys whose item is not the one in `since`."""
        return [key for key, value in self._items.items() if since.get(key) != value]

    def _count(self, key: str, value: bytes, sign: int) -> None:
        digest = xxhash.xxh3_128(key.encode())
        digest.update(value)
        self._frozen = None
        self._total = (self._total + sign * digest.intdigest()) % 2**WIDTH
