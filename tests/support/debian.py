"""Servers that tests need and no package index has, from Debian's packages."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

TOOLS = Path(os.environ.get("ASSAY_HOME", Path.home() / ".cache/assay")) / "tools"


def prometheus() -> Path:
    """Return the folder of prometheus and promtool: installed, cached, or from Debian's package."""
    if found := shutil.which("promtool"):
        return Path(found).parent
    cached = TOOLS / "prometheus"
    if not (cached / "promtool").exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
            try:
                subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=folder, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(f"needs prometheus and promtool on the PATH, or apt-get: {error}")
            (package,) = Path(folder).glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", package, f"{folder}/x"], check=True)
            with contextlib.suppress(OSError):  # another run was faster
                (Path(folder) / "x/usr/bin").rename(cached)
    return cached


def postgres_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
