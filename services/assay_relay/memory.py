"""What Envoy has accepted last, by kind and name: in memory, and in a file that outlives this process."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from assay_relay.messages import OF_A_WHOLE, PARTS, Response, encoded, response

log = logging.getLogger(__name__)

DIGEST = hashlib.sha256
SIZE = 8  # bytes of a length
MAX_NAME = 80


class Memory:
    """The configuration that Envoy runs with, as far as this process saw it accept it."""

    def __init__(self, file: Path) -> None:
        """Remember what is in the file; nothing if it is missing or damaged."""
        self._file = file
        self._kept: dict[str, Response] = {each.kind: each for each in _load(file)}
        self.changed = False

    def __len__(self) -> int:
        return sum(len(each.resources) for each in self._kept.values())

    def keep(self, accepted: Response) -> None:
        """Remember a response that Envoy has accepted.

        A response of clusters, listeners or scopes is all there is; one of endpoints or routes is what has
        changed, and those that nobody refers to any more go when clusters or scopes say so.
        """
        kind = accepted.kind
        if kind in OF_A_WHOLE and (known := self._kept.get(kind)):
            accepted = accepted._replace(resources=known.resources | accepted.resources)
        self._kept[kind] = accepted._replace(nonce="")
        if parts := self._kept.get(PARTS.get(kind, "")):
            some = {name: part for name, part in parts.resources.items() if name in accepted.resources}
            self._kept[parts.kind] = parts._replace(resources=some)
        self.changed = True

    def recall(self, kind: str, names: Iterable[str] | None = None) -> Response | None:
        """Return what is known of a kind, or of these names in it; None if that is nothing."""
        if (kept := self._kept.get(kind)) is None:
            return None
        if names is None:
            return kept
        some = {name: kept.resources[name] for name in sorted(names) if name in kept.resources}
        return kept._replace(resources=some) if some else None

    def copy(self) -> tuple[Response, ...]:
        """Return all of it, and note that nothing has changed since."""
        self.changed = False
        return tuple(self._kept.values())

    def packed(self) -> bytes:
        """Return all of it as it is in the file."""
        return _packed(self._kept.values())

    def adopt(self, packed: bytes) -> None:
        """Remember what another process has packed, and nothing else; damaged it is nothing."""
        self._kept = {each.kind: each for each in _unpacked(packed, "what another gateway told")}
        self.changed = True

    def save(self, content: tuple[Response, ...]) -> None:
        """Replace the file by a copy, at once or not at all; safe in another thread.

        Raises:
            OSError: The disk says no.
        """
        temporary = self._file.with_name(self._file.name + ".tmp")
        with temporary.open("wb") as file:
            file.write(_packed(content))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._file)


def _packed(content: Iterable[Response]) -> bytes:
    body = b"".join(_framed(encoded(each)) for each in content)
    return DIGEST(body).digest() + body


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(SIZE, "big") + content


def _load(file: Path) -> list[Response]:
    with contextlib.suppress(FileNotFoundError):
        return _unpacked(file.read_bytes(), str(file)[:MAX_NAME])
    return []


def _unpacked(content: bytes, origin: str) -> list[Response]:
    digest, body = content[: DIGEST().digest_size], content[DIGEST().digest_size :]
    try:
        if DIGEST(body).digest() == digest:
            return [response(each) for each in _frames(body)]
    except DecodeError:  # written by another version of this program
        pass
    log.error("%s is damaged: nothing is remembered", origin)
    return []


def _frames(body: bytes) -> Iterator[bytes]:
    while body:
        end = SIZE + int.from_bytes(body[:SIZE], "big")
        yield body[SIZE:end]
        body = body[end:]
