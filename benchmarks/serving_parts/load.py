"""A load generator: so many keep-alive connections, each with one request in flight, for so long.

It writes prepared bytes and reads no more than it must, so that it is not what is measured. Prints JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, until: float, latencies: list[float]) -> None:
        self.request, self.until, self.latencies = request, until, latencies
        self.errors = 0
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.send()

    def send(self) -> None:
        if time.perf_counter() >= self.until:
            self.transport.close()
            return
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self.errors += not head.startswith(b"HTTP/1.1 200")
        self.latencies.append(time.perf_counter() - self.sent)
        self.buffer = b""
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.errors += exc is not None
        self.done.set_result(None)


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    return int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def load(port: int, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Return requests, errors, and the latency's median and 99th percentile in ms."""
    loop, latencies, start = asyncio.get_running_loop(), [], time.perf_counter()
    clients = [Client(request, start + seconds, latencies) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    await asyncio.gather(*(client.done for client in clients))
    took, latencies = time.perf_counter() - start, sorted(latencies)
    return {
        "requests": len(latencies),
        "errors": sum(client.errors for client in clients),
        "rate": len(latencies) / took,
        "p50_ms": 1e3 * latencies[len(latencies) // 2],
        "p99_ms": 1e3 * latencies[int(len(latencies) * 0.99)],
    }


def request(path: str, body: bytes) -> bytes:
    """Return the bytes of a request."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    port, path, file, connections, seconds = sys.argv[1:]
    prepared = request(path, Path(file).read_bytes())
    result = uvloop.run(load(int(port), prepared, int(connections), float(seconds)))
    print(json.dumps(result))
