"""forward.py NETNS LISTEN=TARGET...: listen in this network namespace, connect in another one.

A socket belongs to the namespace it was made in, so one process holds both ends: it listens, moves, connects.
"""

import asyncio
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000


def address(text: str) -> tuple[str, int]:
    """`host:port`; the host is an address, not a name: names would be asked for inside."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def move(netns: str) -> None:
    """Take this thread into the namespace; sockets made before stay where they are."""
    handle = os.open(netns, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter {netns}")
    os.close(handle)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction to its end."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def serve(listener: socket.socket, target: tuple[str, int]) -> None:
    """Connect every client to the target."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))
        for end in (writer, inner_writer):
            end.close()

    server = await asyncio.start_server(handle, sock=listener)
    await server.serve_forever()


async def main(netns: str, pairs: list[str]) -> None:
    """Listen first, then move."""
    routes = [(address(listen), address(target)) for listen, target in (pair.split("=") for pair in pairs)]
    listeners = [(socket.create_server(listen, backlog=128), target) for listen, target in routes]
    move(netns)
    await asyncio.gather(*(serve(listener, target) for listener, target in listeners))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
