"""The development environment in .venv: exactly what the lock file says, made anew only when that changes."""

import hashlib
import os
import sys
from pathlib import Path

from cluster.progress import step
from cluster.shell import Refusal, run
from cluster.wheels import uv

ROOT = Path(__file__).resolve().parents[1]
STAMP = ROOT / ".venv" / "made-from"


def key() -> str:
    """Return what the environment is made from, as one word."""
    text = b"".join((ROOT / name).read_bytes() for name in ("uv.lock", "pyproject.toml"))
    return hashlib.sha256(text + sys.version.encode()).hexdigest()


def main() -> int:
    """Make it if it is not there, and say so."""
    if STAMP.exists() and STAMP.read_text() == key():
        return 0
    try:
        with step("development environment in .venv", "about a minute"):
            os.environ.pop("VIRTUAL_ENV", None)
            run(uv(), "sync", "--frozen", "--quiet", "--project", ROOT, "--python", sys.executable)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    STAMP.write_text(key())
    return 0


if __name__ == "__main__":
    sys.exit(main())
