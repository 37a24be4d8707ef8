"""Reads the log: rotated files first, whole lines only, through renames, truncation and absence.

Envoy opens the new file before it writes to it and never writes to the old one after. So once there is a
newer file, what is in the old one is all there will ever be.
"""

import os
import re
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from assay_shipper.checkpoint import HEAD, Checkpoint

NEWLINE = b"\n"


class Chunk(NamedTuple):
    """Some whole lines, and the place behind them.

    Attributes:
        torn: Bytes at the end of a finished file that are no whole line: Envoy died there.
    """

    lines: list[bytes]
    place: Checkpoint
    torn: int = 0


def logs(path: Path) -> list[Path]:
    """Return the files of the log, oldest first: `<name>.<number>` by number, then `<name>`."""
    rotated = re.compile(re.escape(path.name) + r"\.(\d+)")
    matches = ((rotated.fullmatch(each.name), each) for each in path.parent.glob(path.name + ".*"))
    numbered = sorted((int(match[1]), each) for match, each in matches if match)
    return [each for _, each in numbered] + ([path] if path.exists() else [])


def size(path: Path) -> int:
    """Return the size of a file, 0 if it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Tail:
    """The place in the log behind which nothing has been read yet."""

    def __init__(self, path: Path, start: Checkpoint | None) -> None:
        """Go on at `start`; without one, or if its file is gone, at the oldest file there is."""
        self._path = path
        self._file: BufferedReader | None = None
        self._offset = 0
        self.truncations = 0
        found = next((each for each in logs(path) if start and start.matches(each)), None)
        if start and found:
            self._open(found, start.offset)

    def read(self, most: int) -> Chunk | None:
        """Return at most about `most` bytes of lines, from one file; None if there is nothing new.

        A chunk without lines says that a file is finished, and where its successor begins.
        """
        _, after = self._neighbours()  # look before reading: what came before the look is in what is read
        if self._file is None:
            return self._read(most) if after and self._open(after[0]) else None
        if (chunk := self._read(most)) is not None:
            return chunk
        if not after:
            return None
        torn = self._size() - self._offset
        self.close()
        return Chunk([], self._place(), torn) if self._open(after[0]) else None

    def finished(self) -> list[Path]:
        """Return the files before the one that is being read."""
        return self._neighbours()[0]

    def waiting(self) -> list[Path]:
        """Return the files after the one that is being read, the live one last."""
        return self._neighbours()[1]

    def behind(self) -> int:
        """Return how many bytes have not been read yet."""
        own = self._size() - self._offset if self._file else 0
        return max(0, own) + sum(size(each) for each in self._neighbours()[1])

    def close(self) -> None:
        """Close the file that is being read."""
        if self._file:
            self._file.close()
        self._file = None

    def _neighbours(self) -> tuple[list[Path], list[Path]]:
        """Return the files before and after the one that is being read; all are after nothing."""
        files = logs(self._path)
        if self._file is None:
            return [], files
        inode = os.fstat(self._file.fileno()).st_ino
        own = next((at for at, each in enumerate(files) if _inode(each) == inode), None)
        return ([], files) if own is None else (files[:own], files[own + 1 :])

    def _open(self, path: Path, offset: int = 0) -> bool:
        try:
            self._file = path.open("rb")
        except FileNotFoundError:
            return False
        self._offset = offset
        return True

    def _read(self, most: int) -> Chunk | None:
        if self._file is None:
            return None
        if self._size() < self._offset:
            self.truncations += 1
            self._offset = 0
        data = os.pread(self._file.fileno(), most, self._offset)
        end = data.rfind(NEWLINE) + 1 or (
            len(data) if len(data) == most else 0
        )  # or a line beyond all bounds
        if end == 0:
            return None
        self._offset += end
        return Chunk([line for line in data[:end].split(NEWLINE) if line], self._place())

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size if self._file else 0

    def _place(self) -> Checkpoint:
        if self._file is None:
            return Checkpoint(0, 0)
        number = self._file.fileno()
        head = os.pread(number, min(HEAD, self._offset), 0)
        return Checkpoint(os.fstat(number).st_ino, self._offset, head.hex())


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1
