"""Skops archives with equal bytes for equal models.

skops names objects by their address in memory and stamps files with the time of day, so that the same model
has other bytes in each run, and a digest would say nothing. Here objects are numbered in order of appearance,
and time stands still.
"""

import io
import json
import zipfile
from typing import Any

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def canonical(archive: bytes) -> bytes:
    """The same skops archive with names and times that depend on the model only."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        files = {name: source.read(name) for name in source.namelist()}
    names = _Names()
    schema = names.renamed(json.loads(files.pop(_SCHEMA)))
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(files, key=names.file):
            target.writestr(zipfile.ZipInfo(names.file(name), _EPOCH), files[name], zipfile.ZIP_DEFLATED)
        target.writestr(zipfile.ZipInfo(_SCHEMA, _EPOCH), json.dumps(schema), zipfile.ZIP_DEFLATED)
    return result.getvalue()


class _Names:
    """Numbers in order of appearance, for objects and for their files."""

    def __init__(self) -> None:
        self._objects: dict[int, int] = {}
        self._files: dict[str, str] = {}

    def file(self, name: str) -> str:
        return self._files.get(name, name)

    def renamed(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.renamed(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: self._field(key, value) for key, value in node.items()}

    def _field(self, key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            return self._objects.setdefault(value, len(self._objects))
        if key == "file" and isinstance(value, str):
            stem, dot, suffix = value.rpartition(".")
            return self._files.setdefault(value, f"{len(self._files)}{dot}{suffix}" if stem else value)
        return self.renamed(value)
