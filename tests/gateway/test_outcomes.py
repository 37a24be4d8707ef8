"""Every way in which a request can end, and whom it counts for: docs/gateway.md's table, on a real Envoy.

Each case is a row: what the arm does, what the caller gets, what the log has, and what the shipper says.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from assay_assign import arm_at, slot, table
from assay_shipper.exposure import NEVER_US, Line, parse
from assay_shipper.fault import Fault

EQUAL = table({"control": 50, "boosted": 50}, 50)
UNIT = next(f"u{i}" for i in range(99) if arm_at(EQUAL, slot("exp-1", f"u{i}")) == "boosted")
BODY = b"[{}]"
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
NO_CONTENT = 204
TIMEOUT = 1.0  # of the Model; an attempt has half of it

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[bool]]  # whether to take another request


def answers(status: int, body: bytes = b"mine\n") -> Behaviour:
    async def behave(writer: asyncio.StreamWriter) -> bool:
        length = b"" if status == NO_CONTENT else b"content-length: %d\r\n" % len(body)
        writer.write(b"HTTP/1.1 %d X\r\n%b\r\n%b" % (status, length, body))
        await writer.drain()
        return True

    return behave


def stops(*parts: bytes, how: str = "closes") -> Behaviour:
    """Send these parts of an answer, and then close, reset or hang."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if how == "hangs":
            await asyncio.sleep(60)
        if how == "resets":
            await asyncio.sleep(0.1)  # or the reset overtakes what was sent
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        return False

    return behave


class Server:
    """A model server that behaves in one way."""

    def __init__(self, name: str, behave: Behaviour) -> None:
        self.name, self.behave, self.requests = name, behave, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def __aenter__(self) -> "Server":
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped = True  # for those that were accepted, and whose turn has not come
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        if self._stopped:
            writer.transport.abort()
            return
        self._tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(
                    int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
                )
                self.requests += 1
                if not await self.behave(writer):
                    break
        if self._stopped:
            writer.transport.abort()
        writer.close()
        self._tasks.discard(task)


def _length(head: bytes) -> int:
    return int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


class Got(NamedTuple):
    """What the caller has in the end; status 0 and no body if it left."""

    status: int
    whole: bool
    body: bytes


async def ask(
    port: int, *, leaves: str = "", method: str = "POST", sent: bytes = BODY, length: int = 0
) -> Got:
    """Send one request; `leaves` after having sent it, or in the middle of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} /predict HTTP/1.1\r\nhost: churn.demo\r\nx-user-id: {UNIT}\r\n"
    writer.write(f"{head}content-length: {length or len(sent)}\r\n\r\n".encode() + sent)
    await writer.drain()
    try:
        if leaves == "before":
            await asyncio.sleep(0.2)
            return Got(0, whole=False, body=b"")
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if leaves == "within":
            return Got(0, whole=False, body=b"")
        return Got(int(answer.split()[1]), *await _rest(reader, answer, method))
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _rest(reader: asyncio.StreamReader, head: bytes, method: str) -> tuple[bool, bytes]:
    try:
        if b"transfer-encoding: chunked" in head:
            return True, await reader.readuntil(b"0\r\n\r\n")
        return True, await reader.readexactly(0 if method == "HEAD" else _length(head))
    except asyncio.IncompleteReadError as error:
        return False, error.partial


class Row(NamedTuple):
    """A row of the table: an arm's behaviour, and what follows."""

    arm: Behaviour
    status: int  # what the caller gets; 0 if it left
    fault: Fault | None
    flags: str = "-"
    whole: bool = True
    served: str = "champion"
    champion: Behaviour = answers(200)
    requests: int = 1  # how often the champion was
    retry_executed: bool = True
    caller: dict[str, Any] = {}


MINE: dict[str, Any] = {"served": "boosted", "requests": 0}
BROKEN: dict[str, Any] = {"whole": False, "flags": "UPE", **MINE}
ROWS = {
    "served well": Row(answers(200), 200, None, **MINE),
    "an answer that has no body by its status": Row(answers(204, b""), 204, None, **MINE),
    "HEAD": Row(answers(200, b""), 200, None, caller={"method": "HEAD"}, **MINE),
    "200 without a byte": Row(answers(200, b""), 200, Fault.EMPTY, **MINE),
    "4xx of the arm, which the champion would not give": Row(answers(422), 200, Fault.COVERED),
    "429 of the arm": Row(answers(429), 200, Fault.COVERED),
    "408 of the arm": Row(answers(408), 200, Fault.COVERED),
    "401 of the arm": Row(answers(401), 200, Fault.COVERED),
    "4xx of both": Row(answers(422), 422, Fault.COVERED, champion=answers(422)),
    "4xx that may come after execution, where that must not be twice": Row(
        answers(409), 409, Fault.REFUSED, retry_executed=False, **MINE
    ),
    "4xx before execution, where that must not be twice": Row(
        answers(422), 200, Fault.COVERED, retry_executed=False
    ),
    "5xx of the arm": Row(answers(500), 200, Fault.COVERED),
    "5xx of both": Row(answers(500), 500, Fault.COVERED, "URX", champion=answers(500), requests=2),
    "5xx, where the request must not run twice": Row(
        answers(500), 500, Fault.FAILED, retry_executed=False, **MINE
    ),
    "closed before headers": Row(stops(), 200, Fault.COVERED),
    "reset before headers": Row(stops(how="resets"), 200, Fault.COVERED),
    "reset before headers, where the request must not run twice": Row(
        stops(how="resets"), 503, Fault.FAILED, "UC", retry_executed=False, **MINE
    ),
    "no HTTP": Row(stops(b"HTTP/1.1 banana\r\n\r\n"), 200, Fault.COVERED),
    "time-out before headers": Row(stops(how="hangs"), 200, Fault.COVERED),
    "time-out before headers of both": Row(
        stops(how="hangs"), 504, Fault.COVERED, "UT", champion=stops(how="hangs")
    ),
    "closed after headers": Row(stops(LONG), 200, Fault.CUT, **BROKEN),
    "closed within the body": Row(stops(LONG, b"x" * 50), 200, Fault.CUT, **BROKEN),
    "reset within the body": Row(stops(LONG, b"x" * 50, how="resets"), 200, Fault.CUT, **BROKEN),
    "chunks without an end": Row(stops(CHUNKED, b"5\r\nhello\r\n"), 200, Fault.CUT, **BROKEN),
    "trailers missing": Row(stops(CHUNKED, b"5\r\nhello\r\n0\r\nx-sum: 1"), 200, Fault.CUT, **BROKEN),
    "chunks that are none": Row(stops(CHUNKED, b"zz\r\nhello\r\n"), 200, Fault.CUT, **BROKEN),
    "time-out after headers": Row(
        stops(LONG, b"x" * 50, how="hangs"), 200, Fault.CUT, "UT", whole=False, **MINE
    ),
    "the caller leaves before headers": Row(
        stops(how="hangs"), 0, Fault.LEFT, "DC", whole=False, caller={"leaves": "before"}, **MINE
    ),
    "the caller leaves within the body": Row(
        stops(LONG, b"x" * 50, how="hangs"),
        0,
        Fault.LEFT,
        "DC",
        whole=False,
        caller={"leaves": "within"},
        **MINE,
    ),
}


async def published(lab: Any, gateway: Any, champion: Any, arm: Any, *, retry_executed: bool = True) -> None:
    arms = {"control": champion, "boosted": arm}
    route = lab.churn(champion, lab.split(arms), timeout_seconds=TIMEOUT, retry_executed=retry_executed)
    await gateway.publish(route)


def backend(lab: Any, server: Server) -> Any:
    return lab.Backend(server.name, (lab.Endpoint("127.0.0.1", server.port),))


def judged(record: dict[str, Any]) -> Line:
    """What the shipper makes of a line."""
    return parse(json.dumps(record).encode(), b"a key")


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_every_end_of_a_request_counts_as_the_table_says(lab: Any, gateway: Any, row: Row) -> None:
    async with Server("v1", row.champion) as champion, Server("v2", row.arm) as arm:
        backends = backend(lab, champion), backend(lab, arm)
        await published(lab, gateway, *backends, retry_executed=row.retry_executed)
        got = await ask(gateway.edge.port, **row.caller)
        (record,) = await gateway.log(1)
    assert (got.status, got.whole) == (row.status, row.whole)
    assert (record["assigned"], record["served"]) == ("boosted", row.served)
    assert (record["flags"], arm.requests, champion.requests) == (row.flags, 1, row.requests)
    line = judged(record)
    assert line.fault == row.fault
    assert line.sound
    assert line.record is not None
    assert line.record["failed"] is (row.fault is not None)
    assert (line.record["duration_us"] == NEVER_US) is not row.whole


@pytest.mark.parametrize("arm", [422, 500])
async def test_no_caller_sees_how_attempts_ended(lab: Any, gateway: Any, arm: int) -> None:
    async with Server("v1", answers(200)) as champion, Server("v2", answers(arm)) as candidate:
        await published(lab, gateway, backend(lab, champion), backend(lab, candidate))
        answer = await gateway.caller().ask("churn.demo", UNIT)
    assert (answer.status, answer.arm, answer.version) == (200, "boosted", "v1")
    assert "x-assay-attempt" not in answer.headers


async def test_nobody_there_is_a_503_of_the_gateway_and_counts(lab: Any, gateway: Any) -> None:
    await published(lab, gateway, lab.Backend("v1"), lab.Backend("v2"))
    assert (await ask(gateway.edge.port)).status == 503
    (record,) = await gateway.log(1)
    assert "UH" in record["flags"]
    assert judged(record).fault is not None


async def test_who_takes_no_connection_is_covered_and_counts(lab: Any, gateway: Any) -> None:
    async with Server("v1", answers(200)) as champion:
        gone = lab.Backend("v2", (lab.Endpoint("127.0.0.1", lab.free_port()),))
        await published(lab, gateway, backend(lab, champion), gone)
        assert (await ask(gateway.edge.port)).status == 200
    (record,) = await gateway.log(1)
    assert judged(record).fault is Fault.COVERED


AT_THE_DOOR = {
    "413, a body that is too large": ({"sent": b"x" * (8 * 2**20 + 1)}, 413),
    "a caller that leaves within its request": ({"length": 100, "leaves": "before"}, 0),
}


@pytest.mark.parametrize(("caller", "status"), AT_THE_DOOR.values(), ids=AT_THE_DOOR)
async def test_what_ends_at_the_door_reaches_no_arm_and_no_log(
    lab: Any, gateway: Any, caller: dict[str, Any], status: int
) -> None:
    async with Server("v1", answers(200)) as champion, Server("v2", answers(200)) as arm:
        await published(lab, gateway, backend(lab, champion), backend(lab, arm))
        assert (await ask(gateway.edge.port, **caller)).status == status
        await ask(gateway.edge.port)  # a line that is written after whatever was written before
        (record,) = await gateway.log(1)
        assert (arm.requests, champion.requests) == (1, 0)
    assert judged(record).fault is None


REFUSED_AT_THE_DOOR = {
    "400, a unit that is two": ("churn.demo", f"{UNIT},{UNIT}", 400),
    "404, no such Model": ("nobody.demo", UNIT, 404),
    "431, headers that are too large": ("churn.demo", "u" * 70_000, 431),
}


@pytest.mark.parametrize(("host", "unit", "status"), REFUSED_AT_THE_DOOR.values(), ids=REFUSED_AT_THE_DOOR)
async def test_what_the_gateway_refuses_by_itself_counts_for_nobody(
    lab: Any, gateway: Any, host: str, unit: str, status: int
) -> None:
    async with Server("v1", answers(200)) as champion, Server("v2", answers(200)) as arm:
        await published(lab, gateway, backend(lab, champion), backend(lab, arm))
        assert (await gateway.caller().ask(host, unit)).status == status
        await ask(gateway.edge.port)
        (record,) = await gateway.log(1)
        assert (arm.requests, champion.requests) == (1, 0)
    assert judged(record).fault is None


async def test_a_request_that_does_not_arrive_in_time_counts_for_nobody(lab: Any, gateway: Any) -> None:
    async with Server("v1", answers(200)) as champion, Server("v2", answers(200)) as arm:
        await published(lab, gateway, backend(lab, champion), backend(lab, arm))
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.edge.port)
        writer.write(f"POST /predict HTTP/1.1\r\nhost: churn.demo\r\nx-user-id: {UNIT}\r\n".encode())
        assert b" 408 " in await reader.readline()  # after the 10 s that headers may take
        writer.close()
        await ask(gateway.edge.port)
        (record,) = await gateway.log(1)
        assert (arm.requests, champion.requests) == (1, 0)
    assert judged(record).fault is None
