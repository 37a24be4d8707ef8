"""The third-party packages of an image, pinned and hashed, from uv.lock."""

import hashlib
import os
import tomllib
from functools import cache
from pathlib import Path

from cluster import wheels
from cluster.settings import HOME, REPOSITORY
from cluster.shell import output

from .catalog import Image


@cache
def requirements(image: Image) -> str:
    """requirements.txt with hashes; asked of uv once for each state of uv.lock and pyproject.toml."""
    locks = ((REPOSITORY / name).read_bytes() for name in ("uv.lock", "pyproject.toml"))
    kept = HOME / "images" / "requirements" / f"{image.name}-{digest(*locks, wheels.UV, *image.prune)}.txt"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_bytes(_export(image))
        part.replace(kept)
    return kept.read_text()


def _export(image: Image) -> bytes:
    prune = [word for name in image.prune for word in ("--prune", name)]
    words = [
        "--frozen",
        "--no-dev",
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
        "--offline",
        "--quiet",
    ]
    where = ["--project", str(REPOSITORY), "--extra", image.extra]
    return output(wheels.uv(), "export", *where, *words, *prune)


def uv_configuration() -> str:
    """uv.toml for the build: the host's own, or one made from pip's and uv's environment.

    It is lent to the build as a secret: mirrors and their credentials never become part of an image.
    """
    lines = ["system-certs = true"]
    for path in (Path.home() / ".config/uv/uv.toml", Path("/etc/uv/uv.toml")):
        if path.exists():
            text = path.read_text()
            return text if "system-certs" in tomllib.loads(text) else "\n".join([*lines, text])
    if index := _index():
        lines.append(f'index-url = "{index}"')
    return "\n".join(lines) + "\n"


def _index() -> str | None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if value := os.environ.get(name):
            return value
    return _pip_index()


def _pip_index() -> str | None:
    for path in (Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf", Path("/etc/pip.conf")):
        if path.exists():
            for line in path.read_text().splitlines():
                key, _, value = line.partition("=")
                if key.strip() == "index-url":
                    return value.strip()
    return None


def digest(*parts: str | bytes) -> str:
    """A short content hash; the parts cannot run into each other."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(f"{len(content)}:".encode() + content)
    return whole.hexdigest()[:12]
