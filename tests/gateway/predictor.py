"""A model server to be killed, in a process of its own: `predictor.py NAME SECONDS PORT SERVICE`.

It answers its name after so many seconds, at its own port and, with all others of its version, at that of
their Service: there the kernel spreads connections over those alive, as Kubernetes does over the ready.
SIGTERM takes it out of both; it answers what comes on old connections, and closes them.
"""

import asyncio
import signal
import socket
import sys


class Predictor:
    """Serves until it is told to leave."""

    def __init__(self, name: str, seconds: float) -> None:
        self._body, self._seconds = f"{name}\n".encode(), seconds
        self._leaving = asyncio.Event()
        self._open = 0

    async def run(self, ports: list[int]) -> None:
        """Serve at the Service last: whoever is there is ready."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._leaving.set)
        servers = [await asyncio.start_server(self._connection, sock=listening(port)) for port in ports]
        await self._leaving.wait()
        for server in servers:
            server.close()
        while self._open:
            await asyncio.sleep(0.01)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        self._open -= 1

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0))
        await asyncio.sleep(self._seconds)
        closing = b"connection: close\r\n" if self._leaving.is_set() else b""
        fields = b"content-length: %d\r\n%b" % (len(self._body), closing)
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (fields, self._body))
        await writer.drain()
        return not closing


def listening(port: int) -> socket.socket:
    """Return a socket that others may share."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


async def main() -> None:
    """Run one."""
    await Predictor(sys.argv[1], float(sys.argv[2])).run([int(port) for port in sys.argv[3:]])


if __name__ == "__main__":
    asyncio.run(main())
