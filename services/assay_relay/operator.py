"""The way to the operator: one connection, which is looked for without end and without haste."""

import asyncio
from typing import Any

import grpc
import grpc.aio

from assay_relay.messages import LARGEST, METHOD, SERVICE

OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST),
    # A leader that died with its node, or hangs, must not look like one that has nothing to say: 3 s at most.
    # The first timeout is the kernel's, for packets; the second is for a process that no longer answers.
    ("grpc.keepalive_time_ms", 1_500),
    ("grpc.keepalive_timeout_ms", 1_500),
    ("grpc.http2.ping_timeout_ms", 1_500),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Each attempt is a fifth earlier or later than its time, so that gateways do not come all at once.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
)
READY, FAILING = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE


class Operator:
    """The operator's ADS server, there or not."""

    def __init__(self, address: str) -> None:
        """Know where it is; `watch` looks for it."""
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._open = self._channel.stream_stream(f"/{SERVICE}/{METHOD}")
        self._state = self._channel.get_state()
        self._news = asyncio.Event()

    async def watch(self) -> None:
        """Keep looking for it until cancelled."""
        while True:
            state = self._channel.get_state(try_to_connect=True)
            self._state = state
            self._news.set()
            self._news = asyncio.Event()
            await self._channel.wait_for_state_change(state)

    async def reachable(self, patience: float) -> bool:
        """Return whether it is there, as soon as that is known, at the latest after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while self._state not in (READY, FAILING):
                    await self._news.wait()
        except TimeoutError:
            return False
        return self._state is READY

    async def reached(self) -> None:
        """Return when it is there."""
        while self._state is not READY:
            await self._news.wait()

    def stream(self) -> Any:
        """Open a stream of raw bytes to it."""
        return self._open()

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()
