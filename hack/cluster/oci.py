"""Images as files: an OCI layout that keeps every layer once, and images made by adding one layer to another.

buildah writes third-party packages into the layout; our own code is put on top here, in milliseconds.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from .settings import HOME
from .shell import locked

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
NAME = "org.opencontainers.image.ref.name"
Json = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """A folder with `index.json` and blobs named by their digest."""

    folder: Path = HOME / "images" / "oci"

    def blob(self, digest: str) -> Path:
        """Where the content of this digest is, or would be."""
        return self.folder / "blobs" / digest.replace(":", "/")

    def find(self, tag: str) -> Json | None:
        """The descriptor of the image with this tag, if all its blobs are there."""
        found = next(
            (m for m in self._index()["manifests"] if m.get("annotations", {}).get(NAME) == tag), None
        )
        return (
            found
            if found and all(self.blob(d).exists() for d in (found["digest"], *self.blobs(found)))
            else None
        )

    def manifest(self, descriptor: Json) -> Json:
        """The image manifest that a descriptor points at."""
        return self._read(descriptor)

    def blobs(self, descriptor: Json) -> list[str]:
        """Digests of config and layers."""
        if not self.blob(descriptor["digest"]).exists():
            return [descriptor["digest"]]
        manifest = self.manifest(descriptor)
        return [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]

    def add(self, content: bytes, media_type: str) -> Json:
        """Store content under its digest and return its descriptor."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        target = self.blob(digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            part.write_bytes(content)
            part.replace(target)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def stack(self, parent: Json, layer: bytes, tag: str, changes: Mapping[str, Any] | None = None) -> Json:
        """A new image: the parent's layers and one more.

        Args:
            parent: descriptor of an image in this layout.
            layer: an uncompressed tar; paths are relative to the root.
            tag: name of the new image in the layout.
            changes: fields of the image's config to replace, such as `Cmd`.
        """
        manifest = self.manifest(parent)
        config = self._read(manifest["config"])
        top = self.add(layer, LAYER)
        config["rootfs"]["diff_ids"].append(top["digest"])
        config.setdefault("history", []).append({"created_by": "assay code"})
        config.setdefault("config", {}).update(changes or {})
        manifest["config"] = self.add(_dump(config), CONFIG)
        manifest["layers"].append(top)
        descriptor = self.add(_dump(manifest), manifest.get("mediaType", MANIFEST))
        self._tag(tag, descriptor)
        return descriptor

    def start(self, layer: bytes, tag: str, config: Mapping[str, Any]) -> Json:
        """An image from nothing: one layer, one config."""
        top = self.add(layer, LAYER)
        about = {"architecture": architecture(), "os": "linux", "config": dict(config)}
        about["rootfs"] = {"type": "layers", "diff_ids": [top["digest"]]}
        whole = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add(_dump(about), CONFIG),
            "layers": [top],
        }
        descriptor = self.add(_dump(whole), MANIFEST)
        self._tag(tag, descriptor)
        return descriptor

    def tags(self) -> list[str]:
        """Names of all images."""
        return [
            m["annotations"][NAME] for m in self._index()["manifests"] if NAME in m.get("annotations", {})
        ]

    def forget(self, tags: Sequence[str]) -> int:
        """Remove these names, then every blob that no image has; return the bytes freed."""
        with locked(self.folder / ".lock"):
            index = self._index()
            index["manifests"] = [
                m for m in index["manifests"] if m.get("annotations", {}).get(NAME) not in tags
            ]
            self._write_index(index)
            kept = {digest for m in index["manifests"] for digest in (m["digest"], *self.blobs(m))}
            blobs = (self.folder / "blobs").glob("*/*")
            lost = [
                b for b in blobs if f"{b.parent.name}:{b.name}" not in kept and not b.name.startswith(".")
            ]
            freed = sum(blob.stat().st_size for blob in lost)
            for blob in lost:
                blob.unlink()
            return freed

    def _tag(self, tag: str, descriptor: Json) -> None:
        with locked(self.folder / ".lock"):
            index = self._index()
            others = [m for m in index["manifests"] if m.get("annotations", {}).get(NAME) != tag]
            index["manifests"] = [*others, {**descriptor, "annotations": {NAME: tag}}]
            self._write_index(index)

    def _write_index(self, index: Json) -> None:
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        part = self.folder / ".index.json.part"
        part.write_bytes(_dump(index))
        part.replace(self.folder / "index.json")

    def _index(self) -> Json:
        path = self.folder / "index.json"
        return json.loads(path.read_bytes()) if path.exists() else {"schemaVersion": 2, "manifests": []}

    def _read(self, descriptor: Json) -> Json:
        content: Json = json.loads(self.blob(descriptor["digest"]).read_bytes())
        return content


def layer(files: Iterable[tuple[str, bytes]], mode: int = 0o644) -> bytes:
    """A tar with the files and their folders, equal for equal input: sorted, root's, of the epoch.

    Args:
        files: path without a leading slash, content.
        mode: of every file; folders are 0755.
    """
    out, folders = BytesIO(), set[str]()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(files):
            for folder in reversed([str(p) for p in Path(path).parents if str(p) != "."]):
                if folder not in folders:
                    folders.add(folder)
                    archive.addfile(_entry(folder, tarfile.DIRTYPE, 0o755))
            entry = _entry(path, tarfile.REGTYPE, mode)
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))
    return out.getvalue()


def architecture() -> str:
    """This machine, in the words of container images."""
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = kind, mode
    return entry


def _dump(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
