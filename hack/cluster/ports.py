"""The loopback port of a cluster: free when chosen, then kept: a kubeconfig stays true over restarts."""

import os
import socket
from pathlib import Path

from .shell import Refusal


def choose(kept: Path, *, in_use: bool) -> int:
    """The port that `ASSAY_PORT` names, else the kept one, else a free one.

    Args:
        kept: the file that remembers.
        in_use: this cluster's own forwarder listens on the kept port right now.

    Raises:
        Refusal: `ASSAY_PORT` is set and taken.
    """
    if not in_use and (port := _wanted()):
        kept.write_text(f"{port}\n")
        return port
    return keep(kept, in_use=in_use)


def keep(kept: Path, *, in_use: bool) -> int:
    """The kept port, or any free one if there is none or someone else took it meanwhile; see `choose`."""
    if in_use:
        return int(kept.read_text())
    port = _remembered(kept) or free()
    kept.write_text(f"{port}\n")
    return port


def is_free(port: int) -> bool:
    """Whether somebody could listen there now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def free() -> int:
    """Any free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wanted() -> int | None:
    if not (text := os.environ.get("ASSAY_PORT")):
        return None
    if not text.isdigit() or not is_free(int(text)):
        raise Refusal(f"ASSAY_PORT={text} is taken or no port: choose another one, or leave it out")
    return int(text)


def _remembered(kept: Path) -> int | None:
    if not kept.exists():
        return None
    port = int(kept.read_text())
    return port if is_free(port) else None
