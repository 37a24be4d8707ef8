"""How far the collector has acknowledged: a file (by inode and first bytes) and an offset in it."""

import json
import os
from pathlib import Path
from typing import NamedTuple

HEAD = 256


class Checkpoint(NamedTuple):
    """A place in the log.

    Attributes:
        head: The first bytes of the file, at most 256, in hexadecimal: inodes are used again.
    """

    inode: int
    offset: int
    head: str = ""

    def matches(self, path: Path) -> bool:
        """Tell whether this place is in the file at `path`."""
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                head = file.read(len(self.head) // 2)
        except FileNotFoundError:
            return False
        return stat.st_ino == self.inode and head.hex() == self.head


def load(path: Path) -> Checkpoint | None:
    """Return what was saved, or None if that is nothing, or nothing that makes sense."""
    try:
        raw = json.loads(path.read_bytes())
        return Checkpoint(int(raw["inode"]), int(raw["offset"]), str(raw["head"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def save(path: Path, place: Checkpoint) -> None:
    """Replace what was saved, at once or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(place._asdict()))
    temporary.replace(path)
