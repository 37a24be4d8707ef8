"""Where Envoy connects: an ADS server on loopback."""

import asyncio
import logging
from collections.abc import AsyncIterable
from typing import Any

import grpc
import grpc.aio

from assay_relay.memory import Memory
from assay_relay.messages import LARGEST, METHOD, SERVICE
from assay_relay.operator import Operator
from assay_relay.peers import Peers
from assay_relay.proxy_stream import ProxyStream
from assay_relay.settings import Settings
from assay_relay.telemetry import Telemetry

log = logging.getLogger(__name__)

OPTIONS = (
    # Envoy's keepalive: without these it counts as abuse, and the stream is dropped twice a minute.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", LARGEST),  # a refusal repeats the resource
    ("grpc.so_reuseport", 0),
)


class Relay:
    """Serves one Envoy; `run` until cancelled."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        """Recall what is in the file."""
        self._settings = settings
        self._telemetry = telemetry
        self._memory = Memory(settings.memory)
        self._peers = Peers(settings.peers_address, settings.token_file)
        telemetry.remembered.set(len(self._memory))

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop, and write down what is not written yet.

        Raises:
            RuntimeError: The port is taken.
        """
        self._operator = Operator(self._settings.operator_address)
        tasks = [asyncio.create_task(self._operator.watch()), asyncio.create_task(self._save_often())]
        server = grpc.aio.server(options=OPTIONS)
        method = grpc.stream_stream_rpc_method_handler(self._serve)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))
        server.add_insecure_port(f"127.0.0.1:{self._settings.relay_port}")
        servers = [server]
        if self._settings.peers_address:
            servers.append(self._peers.serve(self._memory, self._settings.peers_port))
        for each in servers:
            await each.start()
        await stop.wait()
        for each in servers:
            await each.stop(None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._operator.close()
        await self._save()

    async def _serve(self, requests: AsyncIterable[bytes], context: Any) -> None:
        stream = ProxyStream(self._operator, self._peers, self._memory, self._telemetry)
        await stream.run(requests, context.write, self._settings.patience_seconds)

    async def _save_often(self) -> None:
        while True:
            await asyncio.sleep(self._settings.save_seconds)
            await self._save()

    async def _save(self) -> None:
        if not self._memory.changed:
            return
        try:
            await asyncio.to_thread(self._memory.save, self._memory.copy())
        except OSError as error:
            self._memory.changed = True
            self._telemetry.failures.inc()
            log.error("cannot write %s: %s; trying again", self._settings.memory, error)  # noqa: TRY400
