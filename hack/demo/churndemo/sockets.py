"""Sockets of another network namespace: how a program out here talks to a Service in there.

A socket belongs to the namespace it was made in, wherever it is used afterwards. So this thread enters the
cluster's namespace for the one system call that makes the socket and comes back; no proxy, no second
process.
"""

import ctypes
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

_NETWORK = 0x40000000  # CLONE_NEWNET
_LIBC = ctypes.CDLL(None, use_errno=True)

AddressInfo = tuple[Any, ...]  # as `socket.getaddrinfo` returns them


def factory(namespace: Path) -> Callable[[AddressInfo], socket.socket]:
    """Return what makes sockets in `namespace`, such as /run/netns/assay; for aiohttp's `socket_factory`.

    The file is opened once: recreate the factory when the cluster is recreated.

    Raises:
        OSError: There is no such namespace, or no right to enter it (it takes root).
    """
    there = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)

    def make(address: AddressInfo) -> socket.socket:
        family, kind, protocol, *_ = address
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            try:
                made = socket.socket(family, kind, protocol)
            finally:
                _enter(here)
        finally:
            os.close(here)
        made.setblocking(False)  # noqa: FBT003  the socket's own signature
        return made

    return make


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _NETWORK):
        number = ctypes.get_errno()
        raise OSError(number, f"cannot enter the network namespace: {os.strerror(number)}")
